// Corrects the due times of notifications when the wall clock is set (ADR 0028).

import { createDatabaseTime } from '../engine/database-time.ts';
import { type Clock, type SteadyClock, watchWallClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';

export type DueClock = Clock & {
  /** Waits until every due time in the database has been moved with the clock. Then returns the time. */
  readonly nowByDatabase: () => Promise<number>;
};

export function createDueClock(o: {
  readonly store: Pick<Store, 'db' | 'notifications' | 'heartbeats'>;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): DueClock {
  const { store, log, signal } = o;
  const { now } = watchWallClock(o.clock, (byMs) => time.clockSet(byMs));
  const time = createDatabaseTime(now, (byMs) => {
    const move = () =>
      store.db.transact(async (tx) => {
        await store.notifications.moveDues(tx, byMs);
        await store.heartbeats.moveDues(tx, byMs);
      });
    return retryShortage(move, { isPassing: isStorageError, signal }).catch((error: unknown) => {
      if (!signal.aborted)
        log.error({ err: error }, 'the due times of notifications could not be adjusted to the changed clock');
    });
  });
  return { now, nowByDatabase: () => time.now() };
}
