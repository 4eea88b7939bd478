// One reading for all who ask at the same time: what is read costs more than the answer that each takes out of it.

/** A question that comes during a reading shares the next one, which begins after it. It rejects as the reading does. */
export function createSharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const reading = read();
      running = reading.catch(() => undefined);
      return reading;
    });
    return next;
  };
}
