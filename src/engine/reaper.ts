// Looks every second, and at each deadline, for work that nothing else in this process has done. It ends runs whose
// time is up or that somebody has cancelled. It lends room to runs that cannot end on a full disk, and finds runs that
// wait although they could start.

import type { RoomLender } from '../instance/disk-reserve.ts';
import { atMost } from '../lib/at-most.ts';
import { type Clock, toTimerDelay } from '../lib/clock.ts';
import { formatDuration } from '../lib/units.ts';
import { isStorageError } from '../store/storage-error.ts';
import { createDatabaseTime } from './database-time.ts';
import type { Due, ForceEnds } from './forced-ends.ts';
import type { Queue } from './queue/queue.ts';
import type { ControllerContext } from './run/run-context.ts';
import type { RunRegister } from './run-register.ts';

const tickMs = 1_000;
const stoppingMs = 1_000;

type Parts = {
  /** The reaper ends only runs of the owner in this context. */
  readonly context: ControllerContext;
  readonly queue: Queue;
  readonly register: RunRegister;
  readonly forceEnds: ForceEnds;
  /** Resumes the runs in the database that no process drives. */
  readonly resync: () => Promise<void>;
  readonly watchQueue: () => Promise<void>;
  readonly room: RoomLender;
  /** Repeats the work while the disk refuses it. */
  readonly withRetry: (work: () => Promise<void>) => Promise<void>;
};

export function createReaper(o: Parts) {
  const { store, clock, log, owner } = o.context;
  const alarm = createAlarm(clock, look);
  let ticker: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let isDue = false;
  let isStopped = false;
  const time = createDatabaseTime(clock.now, (byMs) =>
    o
      .withRetry(() => store.db.transact((tx) => store.runs.moveDeadlines(tx, byMs, owner.id)))
      .catch((error: unknown) => {
        if (!isStopped) log.error({ err: error }, 'deadlines could not be adjusted to the changed clock');
      }),
  );

  function look(): void {
    if (isStopped) return;
    isDue = true;
    looking ??= lookOnce()
      .catch((error: unknown) => {
        if (!isStorageError(error) && !isStopped) log.error({ err: error }, 'deadlines could not be enforced');
      })
      .finally(() => {
        looking = undefined;
        if (isDue) look();
      });
  }

  async function adjustRoom(): Promise<void> {
    const isHeldUp = o.register.controllers().some((controller) => controller.isHeldUp());
    await (isHeldUp ? o.room.lend() : o.room.takeBack());
  }

  async function lookOnce(): Promise<void> {
    isDue = false;
    await adjustRoom().catch((error: unknown) => log.error({ err: error }, 'the disk reserve could not be changed'));
    const nowMs = await time.now();
    await endOverdueWaits(nowMs, o);
    o.forceEnds(await dueRuns(nowMs, o));
    await o.resync();
    await o.watchQueue();
    const next = await store.runs.nextDeadline(nowMs);
    if (next !== null) deadlineStored(next);
  }

  /** Call it when a deadline has been written to the database. */
  function deadlineStored(atMs: number): void {
    if (!isStopped) alarm.ringAt(atMs);
  }

  return {
    start(): void {
      ticker = setInterval(look, tickMs);
      look();
    },
    deadlineStored,
    /** Call it when the wall clock was set by `byMs`: the deadlines in the database move with it. */
    clockSet(byMs: number): void {
      alarm.clockSet(byMs);
      time.clockSet(byMs);
    },
    async stop(): Promise<void> {
      isStopped = true;
      clearInterval(ticker);
      alarm.clear();
      // If this takes too long, the next start does the rest.
      await atMost(stoppingMs, looking);
    },
  };
}

/** Ends the runs that have waited too long, wherever they are in the queue. */
async function endOverdueWaits(atMs: number, { context, queue }: Parts): Promise<void> {
  const { store } = context;
  const overdue = await store.runs.overdue(atMs);
  await Promise.all(
    overdue.map(async ({ id, queueMs }) => {
      const message = `waited longer than timeouts.queue of ${formatDuration(queueMs)}`;
      const change = { atMs, reason: 'timeout', error: { message } } as const;
      const isEnded = await store.db.transact((tx) => store.runs.end(tx, id, 'expire', change));
      if (isEnded) await queue.remove(id);
    }),
  );
}

/** Finds running runs that are overdue or cancelled, and tells their run controllers to end them. */
async function dueRuns(nowMs: number, { context, register }: Parts): Promise<ReadonlyMap<string, Due>> {
  const { runs } = context.store;
  // Run controllers also check the deadlines of their own runs, because the clock may have been set since the deadlines
  // were stored.
  const driven = register.controllers().filter((controller) => controller.enforceDeadlines());
  const late = await runs.pastDeadline(nowMs);
  const ours = new Set(await runs.running(context.owner.id));
  const overdue = [
    ...driven.map(({ runId }) => runId),
    ...late.filter((runId) => !register.controllerOf(runId) && ours.has(runId)),
  ];
  const toCancel = (await runs.cancelling('running')).filter((runId) => ours.has(runId));
  for (const runId of toCancel) register.controllerOf(runId)?.cancel();
  return new Map<string, Due>([
    ...overdue.map((runId) => [runId, 'timeout'] as const),
    ...toCancel.map((runId) => [runId, 'cancel'] as const),
  ]);
}

/** Rings once, at the earliest of the times that it was set to. */
function createAlarm(clock: Clock, onRing: () => void) {
  let nearest: { readonly atMs: number; readonly timer: NodeJS.Timeout } | undefined;
  return {
    ringAt(atMs: number): void {
      if (nearest && nearest.atMs <= atMs) return;
      clearTimeout(nearest?.timer);
      const ring = (): void => {
        nearest = undefined;
        onRing();
      };
      nearest = { atMs, timer: setTimeout(ring, toTimerDelay(atMs - clock.now())).unref() };
    },
    clockSet(byMs: number): void {
      if (nearest) nearest = { ...nearest, atMs: nearest.atMs + byMs };
    },
    clear: (): void => clearTimeout(nearest?.timer),
  };
}
