// Turns runs that end or wait for an approval into notifications. It reads the journal after the cursor, and adds a row
// for each call that has to be made.

import { setTimeout as delay } from 'node:timers/promises';
import type { Hub } from '../engine/hub.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import { decide, heartbeatsOf } from './to-notifications.ts';

/** Runs that end within this time are handled together. */
const lookDelayMs = 50;
const againMs = 1_000;
const cursorSavedEveryMs = 10_000;

/** Resolves when the signal is aborted and nothing is being written. `onAdded` is called when there are new rows. */
export async function collectNotifications(
  o: {
    readonly store: Pick<Store, 'db' | 'notifications' | 'heartbeats'>;
    readonly hub: Pick<Hub, 'latestId' | 'onEvents'>;
    readonly clock: Clock;
    readonly monotonicMs: () => number;
    readonly log: Logger;
    readonly onAdded: () => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { hub, clock, monotonicMs, log } = o;
  const { db, notifications } = o.store;
  const wake = createWakeSignal(signal);
  const unsubscribe = hub.onEvents((entries) => {
    if (entries.some(({ type }) => type === 'run.finished' || type === 'step.waiting_approval')) wake.raise();
  });
  let cursor: number | undefined;
  let savedCursor = 0;
  let savedAtMs = monotonicMs();

  async function saveCursor(): Promise<void> {
    const toEventId = cursor;
    if (toEventId === undefined || toEventId === savedCursor) return;
    await db.transact((tx) => notifications.moveCursor(tx, toEventId));
    savedCursor = toEventId;
    savedAtMs = monotonicMs();
  }

  async function look(): Promise<void> {
    if (cursor === undefined) {
      cursor = await notifications.cursor();
      savedCursor = cursor;
    }
    const toId = hub.latestId;
    while (cursor <= toId && !signal.aborted) {
      const reported = await notifications.reported({ fromId: cursor, toId });
      const last = reported.at(-1);
      // If the query found runs, there may be more runs after the last one.
      const next = last ? last.eventId + 1 : toId + 1;
      const { added, jobs } = await decide(reported, notifications, clock.now());
      const heartbeats = heartbeatsOf(reported);
      if (added.length + jobs.length + heartbeats.length > 0) {
        await db.transact(async (tx) => {
          await notifications.add(tx, added);
          for (const job of jobs) {
            if (job.failures === 0) await notifications.setFixed(tx, job);
            else await notifications.setFailing(tx, job);
          }
          for (const one of heartbeats) await o.store.heartbeats.put(tx, one, clock.now());
          await notifications.moveCursor(tx, next);
        });
        savedCursor = next;
        savedAtMs = monotonicMs();
        if (added.length + heartbeats.length > 0) o.onAdded();
      }
      cursor = next;
    }
    if (monotonicMs() - savedAtMs >= cursorSavedEveryMs) await saveCursor();
  }

  function report(error: unknown): void {
    // The store has already logged that it cannot write at present.
    if (!isStorageError(error)) log.error({ err: error }, 'notifications of runs could not be created');
  }

  while (!signal.aborted) {
    try {
      await look();
      await wake.raised();
      await delay(lookDelayMs, undefined, { signal });
    } catch (error) {
      if (signal.aborted) break;
      report(error);
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  }
  unsubscribe();
  await saveCursor().catch(report);
}
