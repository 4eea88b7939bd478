// Limits how many processes run at once. Only running processes hold a slot, never anything that waits.

/** Release it once, when the process is gone. */
export type Slot = { readonly release: () => void };

export type Slots = ReturnType<typeof createSlots>;

export function createSlots(limit: number, onRelease: () => void) {
  let running = 0;
  return {
    limit,
    get running(): number {
      return running;
    },
    get free(): number {
      return Math.max(0, limit - running);
    },
    whyNone: (): string | null => (running >= limit ? `${running} of ${limit} slots are taken` : null),
    /** Returns a slot regardless of the limit: the caller has checked it, or the process is already running. */
    hold: (): Slot => {
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
