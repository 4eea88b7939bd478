// Starts calls when they are due: when something was added, when a call has ended, and when the next due time comes.

import { toTimerDelay } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { WakeSignal } from '../lib/wake-signal.ts';
import { isStorageError } from '../store/storage-error.ts';
import type { DueClock } from './due-clock.ts';

/** How often due times are compared with the clock, because somebody may set the clock in between. */
const lookEveryMs = 1_000;
const againMs = 1_000;

/** Resolves when the signal is aborted. Calls may still be in progress then. */
export async function startWhenDue(
  o: {
    readonly startDue: () => Promise<void>;
    /** When the next call after `nowMs` is due; null: no call waits. */
    readonly nextDueAtMs: (nowMs: number) => Promise<number | null>;
    readonly wake: WakeSignal;
    readonly clock: DueClock;
    readonly log: Logger;
    readonly what: 'notifications' | 'heartbeats';
  },
  signal: AbortSignal,
): Promise<void> {
  const { wake, clock } = o;
  while (!signal.aborted) {
    let timer: NodeJS.Timeout | undefined;
    try {
      // The time is read before the due calls are started. So `nextDueAtMs` also finds a call that becomes due while
      // other calls are started.
      const nowMs = await clock.nowByDatabase();
      await o.startDue();
      const nextAtMs = await o.nextDueAtMs(nowMs);
      if (nextAtMs !== null) timer = setTimeout(wake.raise, Math.min(toTimerDelay(nextAtMs - nowMs), lookEveryMs));
    } catch (error) {
      if (!isStorageError(error)) o.log.error({ err: error }, `due ${o.what} could not be read`);
      timer = setTimeout(wake.raise, againMs);
    }
    await wake.raised();
    clearTimeout(timer);
  }
}
