// What must happen by a certain time, or because the database says so, whether or not anybody here acted on it: deadlines,
// cancels, and runs that wait though they could start. It looks once a second, and at the nearest deadline.

import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, type SteadyClock, toTimerDelay } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { formatDuration } from '../lib/units.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import type { Due, ForcedEnds } from './forced-ends.ts';
import type { Owner } from './owner.ts';
import type { Queue } from './queue/queue.ts';
import type { RunRegister } from './run-register.ts';

export type Reaper = {
  readonly start: () => void;
  /** A deadline is in the database from now on. */
  readonly notice: (atMs: number) => void;
  /** The wall clock was set by so much: the deadlines in the database move with it. */
  readonly clockSet: (byMs: number) => void;
  readonly stop: () => Promise<void>;
};

const tickMs = 1_000;
const stoppingMs = 1_000;

type Surroundings = {
  readonly store: Store;
  readonly queue: Queue;
  readonly register: RunRegister;
  readonly forcedEnds: ForcedEnds;
  /** Whose runs are ended here. */
  readonly owner: Pick<Owner, 'id'>;
  /** Runs that the database has, and nobody here deals with. */
  readonly resync: () => Promise<void>;
  readonly watchQueue: () => Promise<void>;
};

export function createReaper(
  o: Surroundings & {
    readonly clock: SteadyClock;
    readonly log: Logger;
    /** Tries again for as long as the disk is full. */
    readonly withRetry: (work: () => Promise<void>) => Promise<void>;
  },
): Reaper {
  const { store, clock, log } = o;
  const alarm = createAlarm(clock, look);
  let ticker: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let isDue = false;
  let isStopped = false;
  let moving: Promise<void> = Promise.resolve();

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
    await reap(nowMs, o);
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

  function notice(atMs: number): void {
    if (!isStopped) alarm.ringAt(atMs);
  }

  return {
    start() {
      ticker = setInterval(look, tickMs);
      look();
    },
    notice,
    clockSet(byMs) {
      alarm.clockSet(byMs);
      // In this very turn: whoever has read the new time writes after this.
      const move = () => store.db.transact((tx) => store.runs.moveDeadlines(tx, byMs, o.owner.id));
      const moved = o.withRetry(move).catch((error: unknown) => {
        if (!isStopped) log.error({ err: error }, 'deadlines could not be moved with the clock');
      });
      moving = Promise.all([moving, moved]).then(() => undefined);
    },
    async stop() {
      isStopped = true;
      clearInterval(ticker);
      alarm.clear();
      // What it is at can be done by the next start.
      await Promise.race([looking, delay(stoppingMs, undefined, { ref: false })]);
    },
  };
}

async function reap(nowMs: number, o: Surroundings): Promise<void> {
  await endOverdueWaits(nowMs, o);
  o.forcedEnds.look(await dueRuns(nowMs, o));
  await o.resync();
  await o.watchQueue();
}

/** Wherever in the queue they are. */
async function endOverdueWaits(atMs: number, { store, queue }: Surroundings): Promise<void> {
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

/** Running runs past their time or to be cancelled; whoever drives them has been told so. */
async function dueRuns(nowMs: number, { store, register, owner }: Surroundings): Promise<ReadonlyMap<string, Due>> {
  // What this process drives it also times: the clock may have been set since its rows were made.
  const driven = register.controllers().filter((controller) => controller.enforceDeadlines());
  const late = await store.runs.pastDeadline(nowMs);
  const ours = new Set(await store.runs.running(owner.id));
  const overdue = [
    ...driven.map(({ runId }) => runId),
    ...late.filter((runId) => !register.controllerOf(runId) && ours.has(runId)),
  ];
  const toCancel = (await store.runs.cancelling('running')).filter((runId) => ours.has(runId));
  for (const runId of toCancel) register.controllerOf(runId)?.cancel();
  return new Map<string, Due>([
    ...overdue.map((runId) => [runId, 'timeout'] as const),
    ...toCancel.map((runId) => [runId, 'cancel'] as const),
  ]);
}

/** Rings once, at the nearest of the instants it was told. */
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
