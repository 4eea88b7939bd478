// The list of schedules: those in job files, as the catalog has them now, and those made through the API. The database
// has the schedules of the API, and the states of all schedules.

import { type Catalog, entryOrNone } from '../../catalog/catalog.ts';
import { heartbeatRefusal, scheduleRefusal } from '../../domain/policy.ts';
import { type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Transaction } from '../../store/database.ts';
import type { Store } from '../../store/open.ts';
import type { SchedulePause, StoredSchedule } from '../../store/schedule/schedules.ts';
import { warnOfBroken, warnOfGone, warnOfRemoved } from './schedule-gone.ts';
import { createPauses, type Pauses } from './schedule-pauses.ts';
import {
  type Calendars,
  calendarRefusal,
  createTimesOf,
  openStarts,
  type Starts,
  timesWithStarts,
} from './schedule-times.ts';
import { createTracking, type Tracking } from './schedule-tracking.ts';

/** How long flwd keeps the state of a removed schedule, and keeps an API schedule after its single time has passed. */
const keptMs = 30 * 86_400_000;

type Change = {
  readonly wanted: readonly Schedule[];
  readonly gone?: readonly string[];
  /** Schedules whose job cannot be read, and whose nominal times count again. */
  readonly lost?: readonly string[];
  readonly atMs: number;
  readonly restart?: boolean;
  readonly write?: (tx: Transaction) => Promise<void>;
};

/** Runs `work` on the list after it has been updated from the catalog. @throws Problem not-ready */
export type OnScheduleList = <T>(work: () => T | Promise<T>) => Promise<T>;

export type ScheduleList = ReturnType<typeof createScheduleList>;

type Parts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly defaultTenant: string;
  /** The zone of schedules without a time zone. */
  readonly timezone: string;
  readonly calendars: Calendars;
  /** Whether flwd.yaml pauses all schedules. */
  readonly arePaused: boolean;
};

export function createScheduleList(o: Parts) {
  const { store, catalog, clock } = o;
  const known = new Map<string, Schedule>();
  const pauses = createPauses(o.arePaused);
  const timesOf = createTimesOf(o.calendars);
  const tracking = createTracking(
    (schedule) => timesWithStarts(schedule, starts, timesOf),
    denialsIn(catalog, o.calendars),
    pauses.isPaused,
  );
  const change = (change: Change) => changeSchedules(change, { store, tracking });
  const sourceOfJob = new Map<string, string>();
  const mayReturn = mayReturnIn(catalog, sourceOfJob);
  let starts: Starts = new Map();
  let isLoaded = false;
  let generation: number | undefined;

  /** Updates the schedules of job files from the catalog. Their states change in one transaction. */
  async function readCatalog(): Promise<void> {
    const seen = catalog.generation;
    const isFirst = generation === undefined;
    const atMs = clock.now();
    if (isFirst) starts = await openStarts(store, atMs);
    const found = new Map(schedulesOf(catalog, o).map((schedule) => [schedule.id, schedule]));
    for (const { definition, source } of catalog.entries()) sourceOfJob.set(definition.id, source.name);
    const { api, ended, lost, goneBefore } = findGone(found, known, { catalog, tracking, mayReturn });
    const goneStates = goneBefore.filter(tracking.isActive).flatMap((id) => tracking.stateOf(id) ?? []);
    await change({ wanted: [...api, ...found.values()], gone: [...ended, ...goneBefore], atMs });
    dropGone({ ended, lost, atMs }, { ...o, known, tracking });
    for (const [id, schedule] of found) known.set(id, schedule);
    if (isFirst) await store.db.transact((tx) => store.schedules.forget(tx, goneBefore, clock.now() - keptMs));
    generation = seen;
    if (!isFirst) return;
    warnOfGone(goneStates, known.values(), o.log);
    warnOfBroken(brokenJobs(catalog, tracking), o.log);
  }

  return {
    /** False until the database and the catalog have been read. */
    get isReady() {
      return generation !== undefined;
    },
    schedules: () => known.values(),
    /** The broken jobs whose schedules start nothing until the jobs are corrected. */
    standingStill: () => brokenJobs(catalog, tracking),
    find: (id: string) => known.get(id),
    tracking,
    timesOf,
    pauses,
    /** Pauses all schedules of a tenant, or resumes them. After they resume, only times from now on count. */
    setPaused: (tenant: string, pause: SchedulePause | null) =>
      setPaused(tenant, pause, { ...o, known, pauses, change, tracking, mayReturn }),
    /** Reads the database once, and the catalog whenever it has changed. */
    async refresh(): Promise<void> {
      if (!isLoaded) isLoaded = await loadSchedules(store, known, { tracking, pauses });
      if (catalog.isReady && catalog.generation !== generation) await readCatalog();
    },
    async put(schedule: StoredSchedule): Promise<void> {
      const before = known.get(schedule.id);
      await change({
        wanted: [schedule],
        atMs: clock.now(),
        restart: before === undefined || !hasSameStart(before, schedule),
        write: (tx) => store.schedules.put(tx, schedule),
      });
      known.set(schedule.id, schedule);
    },
    async remove(...ids: readonly string[]): Promise<void> {
      await store.db.transact(async (tx) => {
        for (const id of ids) await store.schedules.remove(tx, id);
      });
      for (const id of ids) known.delete(id);
      for (const id of ids) tracking.forget(id);
    },
  };
}

/**
 * Finds the schedules that the catalog does not have. `api` schedules were made through the API. `goneBefore` schedules
 * were gone before this start, and `ended` schedules have been removed since. For `lost` schedules, the job is broken,
 * or the folder of the source is missing. A lost schedule keeps its state. When it comes back, its nominal times in
 * between count as missed, like nominal times at which no server was running.
 */
function findGone(
  found: ReadonlyMap<string, Schedule>,
  known: ReadonlyMap<string, Schedule>,
  o: { readonly catalog: Catalog; readonly tracking: Tracking; readonly mayReturn: MayReturn },
) {
  const { catalog, tracking } = o;
  const missing = catalog.missing();
  const { api = [], job = [] } = Object.groupBy(known.values(), ({ source }) => source);
  const gone = job.filter(({ id }) => !found.has(id));
  const { ended = [], lost = [] } = Object.groupBy(gone, ({ jobId }) => (o.mayReturn(jobId) ? 'lost' : 'ended'));
  const mayBeBroken = (id: string): boolean => {
    const jobId = tracking.jobOf(id);
    return tracking.isActive(id) && (jobId === '' ? catalog.invalid().length > 0 : catalog.isBroken(jobId));
  };
  // While a folder is missing, flwd does not know which of these schedules are in it.
  const unknown = missing.length > 0 ? [] : tracking.restingIds();
  const goneBefore = unknown.filter((id) => !found.has(id) && !known.has(id) && !mayBeBroken(id));
  const whyLost = ({ id, jobId }: Schedule) => {
    return { id, why: catalog.isBroken(jobId) ? 'the job was invalid' : 'the folder of its source was missing' };
  };
  return { api, ended: idsOf(ended), lost: lost.map(whyLost), goneBefore };
}

/** Keeps the states of lost schedules, and logs which jobs are gone. */
function dropGone(
  { ended, lost, atMs }: Pick<ReturnType<typeof findGone>, 'ended' | 'lost'> & { readonly atMs: number },
  o: Pick<Parts, 'catalog' | 'log'> & { readonly tracking: Tracking; readonly known: Map<string, Schedule> },
): void {
  for (const { id, why } of lost) o.tracking.lose(id, { fromMs: atMs, why });
  const removed = ended.flatMap((id) => o.known.get(id) ?? []);
  warnOfRemoved(removed, o);
  for (const { id } of [...removed, ...lost]) o.known.delete(id);
}

type MayReturn = (jobId: string) => boolean;

/** Whether a job that the catalog does not have is broken, or the folder of its source is missing. */
function mayReturnIn(catalog: Catalog, sourceOfJob: ReadonlyMap<string, string>): MayReturn {
  return (jobId) => catalog.isBroken(jobId) || catalog.missing().includes(sourceOfJob.get(jobId) ?? '');
}

function brokenJobs(catalog: Catalog, tracking: Tracking): string[] {
  const jobs = tracking.restingIds().filter(tracking.isActive).map(tracking.jobOf);
  return [...new Set(jobs)].filter(catalog.isBroken).toSorted();
}

/** Starts the schedules that fire from now on, and stops those that no longer do. */
async function changeSchedules(
  { wanted, gone = [], lost = [], atMs, restart, write }: Change,
  { store, tracking }: { readonly store: Store; readonly tracking: Tracking },
): Promise<void> {
  const { firing = [], idle = [] } = Object.groupBy(wanted, (one) => (tracking.mayFire(one) ? 'firing' : 'idle'));
  const begins = new Set([...lost, ...idsOf(firing).filter((id) => !tracking.isActive(id) || restart)]);
  const rests = [...idsOf(idle), ...gone].filter(tracking.isActive);
  const unnamed = firing.filter(({ id, jobId }) => tracking.jobOf(id) !== jobId);
  if (write || begins.size + rests.length + unnamed.length > 0) {
    await store.db.transact(async (tx) => {
      await write?.(tx);
      for (const id of begins) await store.schedules.begin(tx, id, atMs);
      for (const id of rests) await store.schedules.rest(tx, id, atMs);
      for (const { id, jobId } of unnamed) await store.schedules.setJob(tx, id, jobId);
    });
  }
  for (const id of rests) tracking.rest(id, { idleSinceMs: atMs });
  const begun = { sinceMs: atMs, idleSinceMs: null };
  for (const id of lost) tracking.rest(id, begun);
  for (const schedule of firing) {
    tracking.foundAgain(schedule.id, atMs);
    tracking.track(schedule, begins.has(schedule.id) ? begun : {});
  }
}

/** The schedules of the API whose single time passed long ago. */
export function longDone(schedules: Iterable<Schedule>, nowMs: number): string[] {
  return idsOf([...schedules].filter(({ source, atMs }) => source === 'api' && atMs !== null && atMs < nowMs - keptMs));
}

/**
 * Pauses or resumes the schedules of a tenant, also those whose job cannot be read: the times in a pause do not count
 * as missed when the job comes back. A schedule that the pause has stopped has been idle since the time of the pause.
 */
async function setPaused(
  tenant: string,
  pause: SchedulePause | null,
  o: {
    readonly tracking: Tracking;
    readonly store: Store;
    readonly clock: Clock;
    readonly defaultTenant: string;
    readonly known: ReadonlyMap<string, Schedule>;
    readonly pauses: Pauses;
    readonly mayReturn: MayReturn;
    readonly change: (change: Change) => Promise<void>;
  },
): Promise<void> {
  const { store, pauses, tracking, known } = o;
  const before = pauses.of(tenant);
  if ((before === undefined) === (pause === null)) return;
  const covers = tenant === '*' || tenant === o.defaultTenant;
  const absent = covers ? tracking.restingIds().filter((id) => !known.has(id) && o.mayReturn(tracking.jobOf(id))) : [];
  const isOver = (id: string): boolean =>
    tracking.stateOf(id)?.idleSinceMs === before?.atMs && !pauses.isPaused(o.defaultTenant);
  pauses.set(tenant, pause);
  try {
    await o.change({
      wanted: [...known.values()],
      ...(pause ? { gone: absent } : { lost: absent.filter(isOver) }),
      atMs: pause?.atMs ?? o.clock.now(),
      write: (tx) => (pause ? store.schedules.pause(tx, tenant, pause) : store.schedules.resume(tx, tenant)),
    });
  } catch (error) {
    pauses.set(tenant, before ?? null);
    throw error;
  }
}

/** Says why the job may not have a schedule, or which calendar of the schedule is missing. */
function denialsIn(catalog: Catalog, calendars: Calendars): (schedule: Schedule) => Problem | undefined {
  return (schedule) => {
    const entry = entryOrNone(schedule.jobId, catalog);
    const refusal =
      entry &&
      (scheduleRefusal(schedule.jobId, entry.source) ??
        heartbeatRefusal(schedule.jobId, entry.source, schedule.heartbeat));
    return refusal ?? calendarRefusal(schedule, calendars);
  };
}

/**
 * Whether two schedules have the same times, apart from their days. A schedule is still the same when only its days
 * change.
 */
function hasSameStart(a: Schedule, b: Schedule): boolean {
  return a.cron === b.cron && a.atMs === b.atMs && a.timezone === b.timezone;
}

async function loadSchedules(
  { schedules }: Store,
  known: Map<string, Schedule>,
  { tracking, pauses }: { readonly tracking: Tracking; readonly pauses: Pauses },
): Promise<true> {
  const [stored, states, paused] = await Promise.all([schedules.all(), schedules.states(), schedules.pauses()]);
  for (const [tenant, pause] of paused) pauses.set(tenant, pause);
  for (const schedule of stored) known.set(schedule.id, schedule);
  tracking.load(states);
  return true;
}

/** The schedules of a disabled job are disabled as well. */
export function schedulesOf(
  catalog: Catalog,
  { defaultTenant: tenant, timezone }: { readonly defaultTenant: string; readonly timezone: string },
): Schedule[] {
  return catalog.entries().flatMap(({ definition: job }) =>
    job.schedules.map(
      (schedule): Schedule => ({
        ...schedule,
        timezone: schedule.timezone ?? timezone,
        enabled: schedule.enabled && job.enabled,
        name: null,
        jobId: job.id,
        tenant,
        source: 'job',
        createdAtMs: null,
        updatedAtMs: null,
        createdBy: null,
        boundTo: null,
      }),
    ),
  );
}

function idsOf(schedules: readonly Pick<Schedule, 'id'>[]): string[] {
  return schedules.map(({ id }) => id);
}

/** @throws Problem schedule-not-found */
export function findSchedule(scheduleList: ScheduleList, id: string, reach: Reach): Schedule {
  const schedule = scheduleList.find(id);
  if (schedule && reaches(reach, schedule)) return schedule;
  throw new Problem('schedule-not-found', `The schedule '${id}' does not exist`);
}

/** The schedules that the caller reaches, sorted by job and id. */
export function reachedSchedules(scheduleList: ScheduleList, reach: Reach): Schedule[] {
  return [...scheduleList.schedules()].filter((schedule) => reaches(reach, schedule)).toSorted(byJobAndId);
}

function byJobAndId({ jobId: a, id: one }: Schedule, { jobId: b, id: other }: Schedule): number {
  if (a !== b) return a < b ? -1 : 1;
  return one < other ? -1 : 1;
}
