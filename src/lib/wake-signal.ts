// A signal that is not lost if it is raised before anyone waits for it. If it is raised several times, the waiter wakes
// once.

export type WakeSignal = ReturnType<typeof createWakeSignal>;

export function createWakeSignal(signal: AbortSignal) {
  let isRaised = false;
  let wake: (() => void) | undefined;

  function raise(): void {
    isRaised = true;
    wake?.();
  }
  signal.addEventListener('abort', raise, { once: true });

  return {
    raise,
    /** Resolves when the signal has been raised since the last call resolved, or when the AbortSignal is aborted. */
    async raised(): Promise<void> {
      if (!isRaised && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      isRaised = false;
    },
  };
}
