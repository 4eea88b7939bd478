// Turns runs that end or wait for an approval into notifications: reads the journal after the cursor, and adds a row
// for each call to make.

import { setTimeout as delay } from 'node:timers/promises';
import { eventAtEnd, type NotifyEvent } from '../domain/notification.ts';
import type { Hub } from '../engine/hub.ts';
import type { Clock } from '../lib/clock.ts';
import { createId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import type { FailingJob, NewNotification, ReportedRun } from '../store/notifications.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';

/** Runs that end within this time are handled together. */
const lookDelayMs = 50;
const againMs = 1_000;
const cursorSavedEveryMs = 10_000;

/** Resolves when the signal is aborted and nothing is being written. `onAdded` is called when there are new rows. */
export async function collectNotifications(
  o: {
    readonly store: Pick<Store, 'db' | 'notifications'>;
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
      // If the query found runs, there may be more of them behind the last one.
      const next = last ? last.eventId + 1 : toId + 1;
      const jobs = await failuresOf(reported, notifications);
      const added = reported.flatMap((run) => toNotifications(run, jobs, clock.now()));
      if (added.length > 0 || jobs.changed().length > 0) {
        await db.transact(async (tx) => {
          await notifications.add(tx, added);
          for (const job of jobs.changed()) {
            if (job.failures === 0) await notifications.setFixed(tx, job);
            else await notifications.setFailing(tx, job);
          }
          await notifications.moveCursor(tx, next);
        });
        savedCursor = next;
        savedAtMs = monotonicMs();
        if (added.length > 0) o.onAdded();
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

/** How often the jobs of these runs have failed in a row, before the first of them; changes with each. */
async function failuresOf(reported: readonly ReportedRun[], notifications: Pick<Store['notifications'], 'failing'>) {
  const known = await notifications.failing([...new Set(reported.map(({ jobId }) => jobId))]);
  const before = new Map(known.map((job) => [keyOf(job), job]));
  const changed = new Map<string, FailingJob>();
  const countOf = (run: ReportedRun) => (changed.get(keyOf(run)) ?? before.get(keyOf(run)))?.failures ?? 0;
  return {
    countOf,
    set(run: ReportedRun, failures: number): void {
      if (failures === countOf(run)) return;
      const { tenant, jobId, runId } = run;
      changed.set(keyOf(run), { tenant, jobId, runId, failures });
    },
    changed: () => [...changed.values()],
  };
}

function keyOf({ tenant, jobId }: Pick<FailingJob, 'tenant' | 'jobId'>): string {
  return `${tenant} ${jobId}`;
}

function toNotifications(
  run: ReportedRun,
  jobs: Awaited<ReturnType<typeof failuresOf>>,
  createdAtMs: number,
): NewNotification[] {
  const { status } = run;
  const before = jobs.countOf(run);
  if (status === 'success') jobs.set(run, 0);
  if (status === 'failed') jobs.set(run, before + 1);
  const failures = status === 'failed' ? before + 1 : before;
  return run.notify.flatMap(({ on, channel = null, webhook = null }, n): NewNotification[] => {
    const event = eventOf(on, status, before);
    if (!event) return [];
    const { runId, eventId, stepId } = run;
    const id = createId('notice', createdAtMs);
    return [{ id, runId, eventId, n, event, stepId, failures, channel, webhook, createdAtMs }];
  });
}

function eventOf(on: readonly NotifyEvent[], status: ReportedRun['status'], before: number): NotifyEvent | undefined {
  if (status === 'waiting_approval') return on.find((event) => event === status);
  return status === 'pending' || status === 'running' ? undefined : eventAtEnd(on, status, before);
}
