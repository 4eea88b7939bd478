// A signal that may be raised before anyone waits for it. It is never lost, and several count as one.

export type WakeSignal = {
  readonly raise: () => void;
  /** Resolves when the signal has been raised since the last time, or when the AbortSignal is aborted. */
  readonly raised: () => Promise<void>;
};

export function createWakeSignal(signal: AbortSignal): WakeSignal {
  let isRaised = false;
  let wake: (() => void) | undefined;

  function raise(): void {
    isRaised = true;
    wake?.();
  }
  signal.addEventListener('abort', raise, { once: true });

  return {
    raise,
    async raised() {
      if (!isRaised && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      isRaised = false;
    },
  };
}
