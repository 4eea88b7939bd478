// The wall clock, for times in the database. When somebody sets the clock, the stored times move with it. Nobody gets
// the new time before the stored times have moved.

/** `move` moves the stored times and never rejects. */
export function createDatabaseTime(now: () => number, move: (byMs: number) => Promise<void>) {
  let moving: Promise<unknown> = Promise.resolve();
  return {
    /**
     * Call it before anybody reads the new time. Otherwise a time that is already new could be stored before the move,
     * and the move would change it, too.
     */
    clockSet(byMs: number): void {
      moving = Promise.all([moving, move(byMs)]);
    },
    /** Returns the time once every stored time has moved with the clock. */
    async now(): Promise<number> {
      for (;;) {
        const nowMs = now();
        const moved = moving;
        await moved;
        if (moved === moving) return nowMs;
      }
    },
  };
}
