// Runs pieces of work one at a time, in the order in which they were given.

export type Serial = {
  /** Starts `work` once all earlier work has ended, however it ended. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>;
  /** Resolves when all the work so far has ended. Never rejects. */
  readonly settled: () => Promise<unknown>;
};

export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const result = last.then(work);
      last = result.catch(() => undefined);
      return result;
    },
    settled: () => last,
  };
}
