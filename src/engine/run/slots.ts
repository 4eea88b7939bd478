// Limits how many processes run at once. Only running processes hold a slot, never anything that waits.

/** Release it once, when the process is gone. */
export type Slot = { readonly release: () => void };

export type Slots = {
  readonly limit: number;
  readonly running: number;
  readonly free: number;
  readonly whyNone: () => string | null;
  /** Returns a slot regardless of the limit: the caller has checked it, or the process is already running. */
  readonly hold: () => Slot;
};

export function createSlots(limit: number, onRelease: () => void): Slots {
  let running = 0;
  return {
    limit,
    get running() {
      return running;
    },
    get free() {
      return Math.max(0, limit - running);
    },
    whyNone: () => (running >= limit ? `${running} of ${limit} slots are taken` : null),
    hold() {
      running += 1;
      let isHeld = true;
      return {
        release() {
          if (!isHeld) return;
          isHeld = false;
          running -= 1;
          onRelease();
        },
      };
    },
  };
}
