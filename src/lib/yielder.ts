// Divides long work into slices, so that a server can answer while it reads thousands of jobs.

const usualSliceMs = 8;

/**
 * Call `await maybeYield()` between units of work. It returns at once until the slice is used up, then lets all other
 * work run first.
 */
export type Yielder = () => Promise<void> | undefined;

export function createYielder(sliceMs = usualSliceMs): Yielder {
  let startedAt = performance.now();
  return () => {
    if (performance.now() - startedAt < sliceMs) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        startedAt = performance.now();
        resolve();
      });
    });
  };
}
