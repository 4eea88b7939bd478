// What must happen by a certain time, or because the database says so, whether or not anybody here acted on it: deadlines,
// cancels, and runs that wait though they could start. It looks once a second, and at the nearest deadline.

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { toTimerDelay } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDuration } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import { isStorageFault } from '../store/storage-fault.ts';
import type { Dispatcher } from './dispatch.ts';

export type Reaper = {
  readonly start: () => void;
  /** A deadline is in the database from now on. */
  readonly notice: (atMs: number) => void;
  /** What is wrong with the queue, in words; null when nothing is. */
  readonly complaint: () => string | null;
  readonly stop: () => Promise<void>;
};

const tickMs = 1_000;
const stoppingMs = 1_000;
/** Beyond the grace period: after this, the conductor has not done its part. */
export const overtimeMs = 15_000;
/** A run that could start is started within a turn of the event loop. */
const startableMs = 5_000;

export function createReaper(o: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dispatcher: Dispatcher;
  /** Ends a run whose conductor did not, processes and rows, once it has had its grace period since it was told. */
  readonly forceEnd: (runId: string, toldForMs: number, why: 'timeout' | 'cancel') => Promise<void>;
  /** Runs that the database has, and nobody here deals with. */
  readonly resync: () => Promise<void>;
}): Reaper {
  const { store, clock, log, dispatcher } = o;
  let ticker: NodeJS.Timeout | undefined;
  let nearest: { readonly atMs: number; readonly timer: NodeJS.Timeout } | undefined;
  let looking: Promise<void> | undefined;
  let isDue = false;
  let isStopped = false;
  let startableSince: number | undefined;
  /** Since when its conductor has been told to end it, by run. */
  const toldSince = new Map<string, number>();
  const forcing = new Set<string>();

  function look(): void {
    if (isStopped) return;
    isDue = true;
    looking ??= lookOnce()
      .catch((error: unknown) => {
        if (!isStorageFault(error) && !isStopped) log.error({ err: error }, 'deadlines could not be looked at');
      })
      .finally(() => {
        looking = undefined;
        if (isDue) look();
      });
  }

  async function lookOnce(): Promise<void> {
    isDue = false;
    await endOverdueWaits();
    const nowMs = clock.now();
    const overdue = await store.runs.pastDeadline(nowMs);
    const toCancel = await store.runs.cancelling('running');
    for (const runId of overdue) dispatcher.conductorOf(runId)?.enforceDeadlines();
    for (const runId of toCancel) dispatcher.conductorOf(runId)?.cancel();
    const isDueBy = new Map<string, 'timeout' | 'cancel'>([
      ...overdue.map((runId) => [runId, 'timeout'] as const),
      ...toCancel.map((runId) => [runId, 'cancel'] as const),
    ]);
    for (const runId of toldSince.keys()) if (!isDueBy.has(runId)) toldSince.delete(runId);
    // Side by side: one that hangs keeps no other waiting.
    for (const [runId, why] of isDueBy) forceEnd(runId, nowMs, why);
    await o.resync();
    watchQueue();
    const next = await store.runs.nextDeadline(nowMs);
    if (next !== null) notice(next);
  }

  function forceEnd(runId: string, nowMs: number, why: 'timeout' | 'cancel'): void {
    const since = toldSince.get(runId) ?? nowMs;
    toldSince.set(runId, since);
    if (nowMs - since < overtimeMs || forcing.has(runId)) return;
    forcing.add(runId);
    void o
      .forceEnd(runId, nowMs - since, why)
      .catch((error: unknown) => {
        if (!isStopped) log.error({ err: error, run_id: runId }, 'a run past its time could not be ended');
      })
      .finally(() => forcing.delete(runId));
  }

  /** Wherever in the queue they are. */
  async function endOverdueWaits(): Promise<void> {
    const atMs = clock.now();
    const overdue = await store.runs.overdue(atMs);
    await Promise.all(
      overdue.map(async ({ id, queueMs }) => {
        const message = `waited longer than timeouts.queue of ${formatDuration(queueMs)}`;
        const change = { atMs, reason: 'timeout', error: { message } } as const;
        const isEnded = await store.db.transact((tx) => store.runs.end(tx, id, 'expire', change));
        if (isEnded) dispatcher.removed(id);
      }),
    );
  }

  /** The queue is woken by what changes; this finds what was forgotten. */
  function watchQueue(): void {
    if (dispatcher.startable() === undefined) {
      startableSince = undefined;
      return;
    }
    startableSince ??= clock.now();
    dispatcher.wake();
  }

  function notice(atMs: number): void {
    if (isStopped || (nearest && nearest.atMs <= atMs)) return;
    clearTimeout(nearest?.timer);
    const timer = setTimeout(
      () => {
        nearest = undefined;
        look();
      },
      toTimerDelay(atMs - clock.now()),
    );
    nearest = { atMs, timer: timer.unref() };
  }

  return {
    start() {
      ticker = setInterval(look, tickMs);
      look();
    },
    notice,
    complaint() {
      if (startableSince === undefined || clock.now() - startableSince < startableMs) return null;
      const { depth, freeSlots } = dispatcher;
      // Steps of running runs are not counted among them.
      const waiting = depth === 0 ? 'steps wait' : depth === 1 ? '1 run waits' : `${depth} runs wait`;
      return `${waiting} although ${freeSlots === 1 ? '1 slot is' : `${freeSlots} slots are`} free`;
    },
    async stop() {
      isStopped = true;
      clearInterval(ticker);
      clearTimeout(nearest?.timer);
      // What it is at can be done by the next start.
      await Promise.race([looking, delay(stoppingMs, undefined, { ref: false })]);
    },
  };
}
