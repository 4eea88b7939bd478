// Long work in slices: reading thousands of jobs must not keep the server from answering.

const usualSliceMs = 8;

/**
 * `await maybeYield()` between units of work: returns at once until the slice is used up, then lets everything else run
 * first.
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
