// Long work in slices: reading thousands of jobs must not keep the server from answering.

const usualSliceMs = 8;

/** `await pace()` between units of work: returns at once until the slice is used up, then lets everything else run first. */
export type Pace = () => Promise<void> | undefined;

export function createPace(sliceMs = usualSliceMs): Pace {
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
