// Lists what the schedules start between two instants: the runs they have started, the times they missed, and the times
// to come. For a schedule that fires nearly every hour, or more often, the answer has counts instead.

import { createBinaryHeap } from '../../domain/binary-heap.ts';
import type { RunStatus } from '../../domain/run.ts';
import type { Schedule, ScheduleRun } from '../../domain/schedule.ts';
import { type CronTimes, frequencyOf } from '../../lib/cron/cron.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { Store } from '../../store/open.ts';
import { startsAtMs } from './schedule-due.ts';
import type { TimesOf } from './schedule-times.ts';
import type { Tracking } from './schedule-tracking.ts';

export type FiresQuery = {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limit: number;
  /**
   * How long runs are kept; null means forever. An older nominal time without a run is not listed as missed, because
   * its run may have been removed.
   */
  readonly runsKeptMs: number | null;
};

/** `due` means that the time has come but its run has not started yet. */
type ScheduleFire = {
  readonly schedule: Schedule;
  readonly nominalAtMs: number;
  readonly state: 'started' | 'missed' | 'due' | 'upcoming';
  readonly isLate: boolean;
  readonly run: ScheduleRun | null;
  /** Why there is no run, if that is known. */
  readonly detail: string | null;
};

type FrequentFires = {
  readonly schedule: Schedule;
  readonly nextAtMs: number | null;
  readonly counts: Readonly<Record<RunStatus, number>>;
  readonly missed: number;
  readonly lastMissedAtMs: number | null;
  /** Later than `sinceMs` of the query if there were too many runs to count. */
  readonly countedSinceMs: number;
};

export type Fires = {
  /** Sorted by time. */
  readonly fires: readonly ScheduleFire[];
  readonly frequent: readonly FrequentFires[];
  /**
   * False if the list may be incomplete: there were more than `limit` times, or the search was too expensive for one
   * request.
   */
  readonly isComplete: boolean;
};

type Parts = {
  readonly store: Pick<Store, 'schedules'>;
  readonly tracking: Pick<Tracking, 'stateOf' | 'mayFire'>;
  readonly timesOf: TimesOf;
  readonly nowMs: number;
};

/** The limits for one request: runs to read (5 µs each) and times to compute (50 µs each). */
const mostRuns = 20_000;
const mostRunsOfSchedule = 2_000;
const mostTimes = 10_000;
/** A run that starts later than this is late. On a busy machine, some seconds are usual. */
const lateMs = 60_000;
/**
 * The run of a nominal time is found even if it was created up to this long after that time. A schedule that catches up
 * creates runs late.
 */
const caughtUpWithinMs = 7 * 86_400_000;

export async function findFires(schedules: readonly Schedule[], query: FiresQuery, o: Parts): Promise<Fires> {
  const budget = createBudget();
  const fires: ScheduleFire[] = [];
  const frequent: FrequentFires[] = [];
  const upcoming: Upcoming[] = [];
  for (const schedule of schedules) {
    const times = o.timesOf(schedule);
    if ('problem' in times) continue;
    const past = await pastOf({ schedule, times }, query, budget, o);
    const nextAtMs = nextOf(schedule, times, o);
    if (frequencyOfSchedule(schedule).isFrequent) frequent.push({ ...toFrequent(past, query), schedule, nextAtMs });
    else {
      fires.push(...past.fires);
      if (nextAtMs !== null) upcoming.push({ schedule, times, atMs: nextAtMs });
    }
  }
  fires.sort((a, b) => a.nominalAtMs - b.nominalAtMs);
  const room = query.limit - fires.length;
  const { found, isCut } = await nextFires(upcoming, { ...query, limit: Math.max(0, room) }, budget);
  return {
    fires: [...fires.slice(0, query.limit), ...found],
    frequent,
    isComplete: room >= 0 && !isCut && !budget.isSpent(),
  };
}

/** Ignores the days that calendars leave out, because they only make a gap longer. */
function frequencyOfSchedule({ cron, timezone }: Schedule): ReturnType<typeof frequencyOf> {
  return cron === null ? { isFrequent: false, gapMs: 0 } : frequencyOf(cron, timezone);
}

type Scheduled = { readonly schedule: Schedule; readonly times: CronTimes };
type Past = { readonly fires: readonly ScheduleFire[]; readonly fromMs: number };
type Budget = ReturnType<typeof createBudget>;

function createBudget() {
  let runs = mostRuns;
  let times = mostTimes;
  const maybeYield = createYielder();
  return {
    maybeYield,
    isSpent: () => runs <= 0 || times <= 0,
    runs: () => Math.max(1, Math.min(runs, mostRunsOfSchedule)),
    tookRuns(count: number): void {
      runs -= count;
    },
    /**
     * Lets other work run between two times, because computing them blocks the process. Returns false when the budget
     * is spent.
     */
    async takeTime(): Promise<boolean> {
      times -= 1;
      await maybeYield();
      return times > 0;
    },
  };
}

/** The runs of a schedule in the span of the query, up to now, and the nominal times without a run. */
async function pastOf(one: Scheduled, query: FiresQuery, budget: Budget, o: Parts): Promise<Past> {
  const { schedule, times } = one;
  const { sinceMs, untilMs } = query;
  const state = o.tracking.stateOf(schedule.id);
  const toMs = Math.min(untilMs, o.nowMs + 1);
  if (toMs <= sinceMs) return { fires: [], fromMs: sinceMs };
  const most = budget.runs();
  const runs = await o.store.schedules.runs({
    scheduleId: schedule.id,
    sinceMs,
    untilMs: toMs + caughtUpWithinMs,
    most,
  });
  budget.tookRuns(runs.length);
  await budget.maybeYield();
  const isIn = (atMs: number): boolean => atMs >= sinceMs && atMs < untilMs;
  const started = runs.flatMap((run) => {
    const { nominalAtMs } = run;
    return nominalAtMs !== null && isIn(nominalAtMs) ? [{ nominalAtMs, run }] : [];
  });
  started.reverse();
  const fromMs = runs.length < most ? sinceMs : (started[0]?.nominalAtMs ?? toMs);
  const keptFromMs = query.runsKeptMs === null ? 0 : o.nowMs - query.runsKeptMs;
  const knownFromMs = Math.max(fromMs - 1, state?.sinceMs ?? Infinity, keptFromMs);
  const knownToMs = Math.min(toMs, state?.idleSinceMs ?? Infinity);
  const lacking = await timesWithoutRun(one, {
    afterMs: knownFromMs,
    untilMs: knownToMs,
    startedAtMs: started.map(({ nominalAtMs }) => nominalAtMs).filter((atMs) => atMs > knownFromMs),
    budget,
  });
  const fires = [
    ...started.map(({ nominalAtMs, run }): ScheduleFire => {
      const isLate = run.createdAtMs - startsAtMs(schedule, nominalAtMs, times) > lateMs;
      return { schedule, nominalAtMs, state: 'started', isLate, run, detail: null };
    }),
    ...lacking.map((nominalAtMs): ScheduleFire => {
      const isDue = nominalAtMs > (state?.settledAtMs ?? 0);
      const isLate = isDue && o.nowMs - startsAtMs(schedule, nominalAtMs, times) > lateMs;
      const detail = state?.lastError?.nominalAtMs === nominalAtMs ? state.lastError.detail : null;
      return { schedule, nominalAtMs, state: isDue ? 'due' : 'missed', isLate, run: null, detail };
    }),
  ];
  return { fires, fromMs };
}

/** Computes times only where the runs leave a gap. Both bounds are exclusive. */
async function timesWithoutRun(
  { schedule, times }: Scheduled,
  o: {
    readonly afterMs: number;
    readonly untilMs: number;
    readonly startedAtMs: readonly number[];
    readonly budget: Budget;
  },
): Promise<number[]> {
  const found: number[] = [];
  let { afterMs } = o;
  if (afterMs >= o.untilMs) return found;
  const { gapMs } = frequencyOfSchedule(schedule);
  for (const [n, startedAtMs] of [...o.startedAtMs.toSorted((a, b) => a - b), o.untilMs].entries()) {
    const isUsualGap = n > 0 && startedAtMs - afterMs <= gapMs;
    for (let at = isUsualGap ? null : times.next(afterMs); at !== null && at < startedAtMs; at = times.next(at)) {
      found.push(at);
      if (!(await o.budget.takeTime())) return found;
    }
    afterMs = startedAtMs;
  }
  return found;
}

function toFrequent({ fires, fromMs }: Past, { sinceMs }: FiresQuery): Omit<FrequentFires, 'schedule' | 'nextAtMs'> {
  const counts: Record<RunStatus, number> = { pending: 0, running: 0, success: 0, failed: 0, cancelled: 0 };
  for (const { run } of fires) if (run) counts[run.status] += 1;
  const missed = fires.filter(({ state }) => state === 'missed').map(({ nominalAtMs }) => nominalAtMs);
  return {
    counts,
    missed: missed.length,
    lastMissedAtMs: missed.at(-1) ?? null,
    countedSinceMs: Math.max(fromMs, sinceMs),
  };
}

type Upcoming = Scheduled & { readonly atMs: number };

/** The next times of all schedules, in order. */
async function nextFires(upcoming: readonly Upcoming[], { sinceMs, untilMs, limit }: FiresQuery, budget: Budget) {
  const heap = createBinaryHeap<Upcoming>((a, b) =>
    a.atMs === b.atMs ? a.schedule.id < b.schedule.id : a.atMs < b.atMs,
  );
  const add = ({ schedule, times }: Scheduled, atMs: number | null): void => {
    if (atMs !== null && atMs < untilMs) heap.add({ schedule, times, atMs });
  };
  for (const { schedule, times, atMs } of upcoming)
    add({ schedule, times }, atMs >= sinceMs ? atMs : times.next(sinceMs - 1));
  const found: ScheduleFire[] = [];
  for (let first = heap.first(); first; first = heap.first()) {
    if (found.length >= limit || !(await budget.takeTime())) return { found, isCut: true };
    heap.remove(first);
    const { schedule, atMs: nominalAtMs } = first;
    found.push({ schedule, nominalAtMs, state: 'upcoming', isLate: false, run: null, detail: null });
    add(first, first.times.next(nominalAtMs));
  }
  return { found, isCut: false };
}

/** The first nominal time that is still to come; null while the schedule does not fire. */
function nextOf(schedule: Schedule, times: CronTimes, { tracking, nowMs }: Parts): number | null {
  if (!tracking.mayFire(schedule)) return null;
  const { settledAtMs, notBeforeMs } = tracking.stateOf(schedule.id) ?? {};
  return times.next(Math.max(nowMs, settledAtMs ?? 0, notBeforeMs ?? 0));
}
