// Runs pieces of work one at a time, in the order in which they were given.

export type Serial = ReturnType<typeof createSerial>;

export function createSerial() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    /** Starts `work` when all earlier work has ended, whether it succeeded or not. */
    run: <T>(work: () => Promise<T>): Promise<T> => {
      const result = last.then(work);
      last = result.catch(() => undefined);
      return result;
    },
    /** Resolves when all the work so far has ended. Never rejects. */
    settled: (): Promise<unknown> => last,
  };
}
