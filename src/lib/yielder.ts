// Divides long work into slices, so that a server can answer while it reads thousands of jobs.

const usualSliceMs = 8;

/**
 * Call `await maybeYield()` between units of work. Until the slice is used up, it returns at once. After that, the next
 * call lets all other work run first.
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
