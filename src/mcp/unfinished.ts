// Work that must be finished even if the connection that began it has ended.

export type Unfinished = {
  readonly keep: (work: Promise<unknown>) => void;
  /** Resolves when all work is finished. */
  readonly finished: () => Promise<unknown>;
};

export function createUnfinished(): Unfinished {
  const all = new Set<Promise<void>>();
  return {
    keep(work) {
      const settled = work.then(
        () => undefined,
        () => undefined,
      );
      all.add(settled);
      void settled.then(() => all.delete(settled));
    },
    finished: () => Promise.all(all),
  };
}
