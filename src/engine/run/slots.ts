// How many processes may run at once. A slot is held by a running process, never by what only waits.

/** Released once, when the process is gone. */
export type Slot = { readonly release: () => void };

export type Slots = {
  readonly limit: number;
  readonly running: number;
  readonly free: number;
  readonly whyNone: () => string | null;
  /** A slot whatever the limit says: it was asked before, or the process is there already. */
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
