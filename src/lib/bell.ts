// Something to wait for that may ring before anyone waits: a ring is never lost, and several count as one.

export type Bell = {
  readonly ring: () => void;
  /** Resolves once it has rung since the last time, or the signal is aborted. */
  readonly rung: () => Promise<void>;
};

export function createBell(signal: AbortSignal): Bell {
  let hasRung = false;
  let wake: (() => void) | undefined;

  function ring(): void {
    hasRung = true;
    wake?.();
  }
  signal.addEventListener('abort', ring, { once: true });

  return {
    ring,
    async rung() {
      if (!hasRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      hasRung = false;
    },
  };
}
