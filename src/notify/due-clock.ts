// Keeps the dues of notifications where they are in the time that passes, whatever the wall clock is set to (ADR 0028).

import { type Clock, type SteadyClock, watchWallClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';

export type DueClock = Clock & {
  /** Once every due in the database is by the clock as it is set now. */
  readonly nowByDatabase: () => Promise<number>;
};

export function createDueClock(o: {
  readonly store: Pick<Store, 'db' | 'notifications'>;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): DueClock {
  const { store, log, signal } = o;
  let moving: Promise<void> = Promise.resolve();
  const { now } = watchWallClock(o.clock, (byMs) => {
    // In this very turn: what is written with the new time is written after this.
    const move = () => store.db.transact((tx) => store.notifications.moveDues(tx, byMs));
    const moved = retryShortage(move, { isPassing: isStorageError, signal }).catch((error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'notifications could not be moved with the clock');
    });
    moving = Promise.all([moving, moved]).then(() => undefined);
  });
  return {
    now,
    async nowByDatabase() {
      for (;;) {
        const nowMs = now();
        const moved = moving;
        await moved;
        if (moved === moving) return nowMs;
      }
    },
  };
}
