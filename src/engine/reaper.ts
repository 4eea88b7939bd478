// What must happen by a certain time, or because the database says so, whether or not anybody here acted on it: deadlines,
// cancels, and runs that wait though they could start. It looks once a second, and at the nearest deadline.

import { setTimeout as delay } from 'node:timers/promises';
import type { SteadyClock } from '../lib/clock.ts';
import { toTimerDelay } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDuration } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import type { Dispatcher } from './queue/dispatch.ts';

export type Reaper = {
  readonly start: () => void;
  /** A deadline is in the database from now on. */
  readonly notice: (atMs: number) => void;
  /** The wall clock was set by so much: the deadlines in the database move with it. */
  readonly clockSet: (byMs: number) => void;
  /** What is wrong with the queue, in words; null when nothing is. */
  readonly complaint: () => string | null;
  readonly stop: () => Promise<void>;
};

const tickMs = 1_000;
const stoppingMs = 1_000;
/** Beyond the grace period: after this, the run controller has not done its part. */
export const overtimeMs = 15_000;
/** A run that could start is started within a turn of the event loop. */
const startableMs = 5_000;

export function createReaper(o: {
  readonly store: Store;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly dispatcher: Dispatcher;
  /**
   * Ends a run whose run controller did not, processes and rows, once it has had its grace period since it was told.
   */
  readonly forceEnd: (runId: string, toldForMs: number, why: 'timeout' | 'cancel') => Promise<void>;
  /** Tries again for as long as the disk is full. */
  readonly withRetry: (work: () => Promise<void>) => Promise<void>;
  /** Runs that the database has, and nobody here deals with. */
  readonly resync: () => Promise<void>;
}): Reaper {
  const { store, clock, log, dispatcher } = o;
  let ticker: NodeJS.Timeout | undefined;
  let nearest: { readonly atMs: number; readonly timer: NodeJS.Timeout } | undefined;
  let looking: Promise<void> | undefined;
  let isDue = false;
  let isStopped = false;
  /** The monotonic clock's, as the two below. */
  let startableSinceMs: number | undefined;
  let moving: Promise<void> = Promise.resolve();
  /** Since when (monotonic) its run controller has been told to end it, by run. */
  const toldSince = new Map<string, number>();
  const forcing = new Set<string>();

  function look(): void {
    if (isStopped) return;
    isDue = true;
    looking ??= lookOnce()
      .catch((error: unknown) => {
        if (!isStorageError(error) && !isStopped) log.error({ err: error }, 'deadlines could not be looked at');
      })
      .finally(() => {
        looking = undefined;
        if (isDue) look();
      });
  }

  async function lookOnce(): Promise<void> {
    isDue = false;
    const nowMs = await nowByDatabase();
    await endOverdueWaits(nowMs);
    // What this process drives it also times: the clock may have been set since its rows were made.
    const driven = dispatcher.controllers().filter((controller) => controller.enforceDeadlines());
    const late = await store.runs.pastDeadline(nowMs);
    const overdue = [...driven.map(({ runId }) => runId), ...late.filter((runId) => !dispatcher.controllerOf(runId))];
    const toCancel = await store.runs.cancelling('running');
    for (const runId of toCancel) dispatcher.controllerOf(runId)?.cancel();
    const isDueBy = new Map<string, 'timeout' | 'cancel'>([
      ...overdue.map((runId) => [runId, 'timeout'] as const),
      ...toCancel.map((runId) => [runId, 'cancel'] as const),
    ]);
    for (const runId of toldSince.keys()) if (!isDueBy.has(runId)) toldSince.delete(runId);
    // Side by side: one that hangs keeps no other waiting.
    for (const [runId, why] of isDueBy) forceEnd(runId, why);
    await o.resync();
    watchQueue();
    const next = await store.runs.nextDeadline(nowMs);
    if (next !== null) notice(next);
  }

  /** Once every deadline in the database is by the clock as it is set now. */
  async function nowByDatabase(): Promise<number> {
    for (;;) {
      const nowMs = clock.now();
      const moved = moving;
      await moved;
      if (moved === moving) return nowMs;
    }
  }

  function forceEnd(runId: string, why: 'timeout' | 'cancel'): void {
    const nowMs = clock.monotonicMs();
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
  async function endOverdueWaits(atMs: number): Promise<void> {
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
      startableSinceMs = undefined;
      return;
    }
    startableSinceMs ??= clock.monotonicMs();
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
    clockSet(byMs) {
      if (nearest) nearest = { ...nearest, atMs: nearest.atMs + byMs };
      // In this very turn: whoever has read the new time writes after this.
      const move = () => store.db.transact((tx) => store.runs.moveDeadlines(tx, byMs));
      const moved = o.withRetry(move).catch((error: unknown) => {
        if (!isStopped) log.error({ err: error }, 'deadlines could not be moved with the clock');
      });
      moving = Promise.all([moving, moved]).then(() => undefined);
    },
    complaint() {
      if (startableSinceMs === undefined || clock.monotonicMs() - startableSinceMs < startableMs) return null;
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
