// Lists, creates, changes and previews schedules for the engine's interfaces. Starts their runs when their times come.

import { entryOrNone } from '../../catalog/catalog.ts';
import { toAtMs } from '../../catalog/job/schedule-rules.ts';
import type { ErrorList } from '../../domain/error-list.ts';
import type { ScheduleTerms } from '../../domain/job.ts';
import {
  assertReached,
  assertReachesAllJobs,
  bindingOf,
  type Principal,
  type Reach,
  reaches,
  reachesTenant,
  tenantFor,
} from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Heartbeat, Schedule, ScheduleRun, ScheduleState } from '../../domain/schedule.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { type ClockChange, nextClockChange } from '../../lib/cron/clock-change.ts';
import { createId } from '../../lib/ids.ts';
import { listSome } from '../../lib/list-some.ts';
import { createSerial, type Serial } from '../../lib/serial.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { SchedulePause, StoredSchedule } from '../../store/schedule/schedules.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { limitsOf } from '../bindings.ts';
import type { Caller } from '../create.ts';
import type { Hub } from '../hub.ts';
import type { Created } from '../once.ts';
import { neededSecrets } from '../plan/needed-secrets.ts';
import { createBackfills } from './backfills.ts';
import type { Gap } from './missed-words.ts';
import { cursorOf } from './schedule-due.ts';
import { type FireParts, heartbeatOf } from './schedule-fire.ts';
import { type Fires, type FiresQuery, findFires } from './schedule-fires.ts';
import { holdSchedule, releaseSchedule } from './schedule-hold.ts';
import { createScheduleList, longDone, type ScheduleList } from './schedule-list.ts';
import type { Pauses } from './schedule-pauses.ts';
import {
  addScheduleErrors,
  type RequestContext,
  readScheduleRequest,
  type ScheduleRequest,
} from './schedule-requests.ts';
import { tickSchedules } from './schedule-ticker.ts';
import type { TimesOf } from './schedule-times.ts';

export type ScheduleView = {
  readonly schedule: Schedule;
  readonly state: ScheduleState | undefined;
  readonly isHeld: boolean;
  /** True if all schedules of its tenant are paused. */
  readonly isPaused: boolean;
  /** True if no time of the schedule is still to come. */
  readonly isDone: boolean;
  /** Why the job may not have a schedule; null if it may. */
  readonly denied: Problem | null;
  /** The names of the secrets that its runs need, but that its tenant does not have. */
  readonly missingSecrets: readonly string[];
  /** The newest run of the schedule, even if somebody started it by hand. */
  readonly lastRun: ScheduleRun | undefined;
  /** undefined if no run has succeeded since the schedule got its heartbeat. */
  readonly heartbeat: Heartbeat | undefined;
  /** The next nominal times; empty while the schedule is disabled, denied or held. */
  readonly nextFires: () => readonly number[];
  readonly clockChange: () => ClockChange | null;
};

export type PauseView = {
  readonly tenant: string;
  readonly isPaused: boolean;
  /** True if flwd.yaml pauses all schedules, whatever the operations say. */
  readonly byOperator: boolean;
};

/** What pauses all schedules of a tenant. */
type PauseInForce = {
  /** `*` is every tenant. */
  readonly tenant: string;
  /** undefined if flwd.yaml pauses them. */
  readonly made: SchedulePause | undefined;
  /** Whether the principal sees who made the pause, and may end it. */
  readonly isReached: boolean;
};

export type Schedules = ReturnType<typeof createSchedules>;

const tickMs = 500;
/** The most schedules of a tenant, because all schedules are kept in memory. */
const mostOfTenant = 1_000;
const longestArgsChars = 65_536;
const shownFires = 3;
const ever = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

type Parts = FireParts &
  RequestContext & {
    readonly hub: Pick<Hub, 'onEvents'>;
    readonly defaultTenant: string;
    readonly arePaused: boolean;
    readonly downtime: () => Promise<Gap | null>;
  };

export function createSchedules(o: Parts) {
  const { catalog, clock } = o;
  const scheduleList = createScheduleList(o);
  /** Makes one change of the list at a time. */
  const serial = createSerial();
  const starts = createStarts(scheduleList, serial, { ...o, onScheduleList });
  const viewer = () => createViewer(scheduleList, o);
  const view = (schedule: Schedule): Promise<ScheduleView> => viewer()(schedule);

  /** Runs `work` after the schedules have been updated from the catalog. */
  function onScheduleList<T>(work: () => T | Promise<T>): Promise<T> {
    return serial.run(async () => {
      await scheduleList.refresh();
      if (!scheduleList.isReady) throw new Problem('not-ready', 'The sources are being read.', { retry_after: 1 });
      return work();
    });
  }

  async function save(request: ScheduleRequest, own: OwnTerms, by: Principal): Promise<ScheduleView> {
    if (bindingOf(by) && (request.heartbeat ?? null) !== null) throw heartbeatForbidden();
    const schedule = toStored(request, own, { ...o, by }, clock.now());
    // A schedule whose times cannot be computed is refused here, before it is stored.
    nextTimes(schedule, scheduleList.timesOf, clock.now(), 1);
    await scheduleList.put(schedule);
    return view(schedule);
  }

  return {
    /** The zone of schedules without a time zone. */
    timezone: o.timezone,
    /** Sorted by job and id. @throws Problem not-ready */
    async list(reach: Reach): Promise<ScheduleView[]> {
      const views: ScheduleView[] = [];
      const maybeYield = createYielder();
      const next = viewer();
      for (const schedule of await onScheduleList(() => reached(scheduleList, reach))) {
        views.push(await next(schedule));
        await maybeYield();
      }
      return views;
    },
    /** @throws Problem not-ready, schedule-not-found */
    get: (id: string, reach: Reach): Promise<ScheduleView> => onScheduleList(() => view(find(scheduleList, id, reach))),
    /** Checks the request without saving anything. @throws like `create` */
    preview: (request: ScheduleRequest, fires: number, principal: Principal) =>
      previewOf(request, fires, scheduleList, { ...o, by: principal }),
    /** @throws Problem not-ready, permission-denied, job-not-found, job-invalid, source-untrusted, validation-error */
    create: (request: ScheduleRequest, principal: Principal): Promise<ScheduleView> =>
      onScheduleList(async () => {
        const createdAtMs = clock.now();
        const tenant = tenantFor(principal, request.tenant, o.defaultTenant);
        assertToCome(request, createdAtMs);
        const done = longDone(scheduleList.schedules(), createdAtMs);
        if (done.length > 0) await scheduleList.remove(...done);
        assertRoom(scheduleList, tenant);
        const own = { id: createId('schedule', createdAtMs), tenant, createdAtMs, createdBy: principal.name };
        return save(request, own, principal);
      }),
    /** @throws Problem schedule-not-found, source-managed, and what `create` throws */
    replace: (id: string, request: ScheduleRequest, principal: Principal): Promise<ScheduleView> =>
      onScheduleList(() => {
        const before = findOwn(scheduleList, id, principal);
        assertOwn(before, principal);
        // If the time of a schedule has passed and stays the same, its other terms may still change.
        if (toAtMs(request.at) !== before.atMs) assertToCome(request, clock.now());
        // A request without a tenant leaves the schedule in its tenant.
        const tenant = tenantFor(principal, request.tenant, before.tenant);
        return save(request, { ...keptTerms(before, request), tenant }, principal);
      }),
    /** @throws Problem schedule-not-found, source-managed */
    remove: (id: string, reach: Reach): Promise<void> =>
      onScheduleList(() => scheduleList.remove(findOwn(scheduleList, id, reach).id)),
    /** Adds the errors in the body of a schedule to `errors`, which may already contain some. */
    addErrors: (body: unknown, errors: ErrorList, reach: Reach) => addScheduleErrors(body, reach, catalog, errors),
    ...createActs(scheduleList, { ...o, onScheduleList, view }),
    ...starts,
  };
}

function previewOf(
  request: ScheduleRequest,
  fires: number,
  scheduleList: ScheduleList,
  o: Parts & { readonly by: Principal },
) {
  tenantFor(o.by, request.tenant, o.defaultTenant);
  const { terms } = readScheduleRequest(request, o);
  const nowMs = o.clock.now();
  return {
    fires: nextTimes(terms, scheduleList.timesOf, nowMs, fires),
    terms,
    clockChange: clockChangeOf(terms, nowMs),
  };
}

type OnScheduleList = <T>(work: () => T | Promise<T>) => Promise<T>;

type ActParts = Parts & {
  readonly onScheduleList: OnScheduleList;
  readonly view: (schedule: Schedule) => Promise<ScheduleView>;
};

/** Creates the functions that do not change the definition of a schedule, such as `pause` and `run`. */
function createActs(scheduleList: ScheduleList, { onScheduleList, view, ...o }: ActParts) {
  const setPaused = (asked: string | undefined, principal: Principal, isPaused: boolean) =>
    onScheduleList(async (): Promise<PauseView> => {
      assertReached(principal, asked);
      assertReachesAllJobs(principal);
      const tenant = asked ?? principal.tenant;
      await scheduleList.setPaused(tenant, isPaused ? { atMs: o.clock.now(), by: principal.name } : null);
      return { tenant, isPaused: scheduleList.pauses.isPaused(tenant), byOperator: scheduleList.pauses.byOperator };
    });
  return {
    /** Pauses all schedules of `tenant`; by default, of the caller's tenant. `*` is every tenant. */
    pause: (tenant: string | undefined, principal: Principal): Promise<PauseView> => setPaused(tenant, principal, true),
    /** Ends the pause. From now on, the times of these schedules count again. */
    resume: (tenant: string | undefined, principal: Principal): Promise<PauseView> =>
      setPaused(tenant, principal, false),
    /** What pauses schedules that the principal sees. @throws Problem not-ready */
    pauses: (principal: Principal): Promise<readonly PauseInForce[]> =>
      onScheduleList(() => pausesFor(principal, scheduleList.pauses)),
    /** The schedule as it is now; undefined if flwd does not know it. */
    find: (id: string): Schedule | undefined => scheduleList.find(id),
    /** Whether all schedules of the tenant are paused; undefined while that is not known. */
    arePaused: (tenant: string): boolean | undefined =>
      scheduleList.isReady ? scheduleList.pauses.isPaused(tenant) : undefined,
    /** Why all schedules of the instance are paused, or which broken jobs have schedules; null if all is well. */
    complaint(): string | null {
      if (scheduleList.pauses.byOperator) return 'scheduler.schedules_paused in flwd.yaml pauses all schedules';
      const all = scheduleList.pauses.of('*');
      if (all) return `all schedules have been paused by ${all.by} since ${toTimestamp(all.atMs)}`;
      const broken = scheduleList.standingStill();
      return broken.length > 0
        ? `the schedules of these jobs start nothing, because the jobs are invalid: ${listSome(broken)}`
        : null;
    },
    /** Once this resolves, the schedule starts no runs until it is released. @throws Problem schedule-not-found */
    hold: (id: string, reach: Reach): Promise<ScheduleView> =>
      onScheduleList(async () => {
        const schedule = find(scheduleList, id, reach);
        await holdSchedule(schedule, scheduleList.tracking, o);
        return view(schedule);
      }),
    /**
     * Releases a held schedule: it fires from the first nominal time after `afterMs` on, by default after now.
     * @throws Problem schedule-not-found
     */
    release: (id: string, afterMs: number | undefined, principal: Principal): Promise<ScheduleView> =>
      onScheduleList(async () => {
        const schedule = find(scheduleList, id, principal);
        assertNotBefore(afterMs, principal, o.clock.now());
        await releaseSchedule(schedule, afterMs, scheduleList.tracking, o);
        return view(schedule);
      }),
    /** What the schedules have started and will start between two times. @throws Problem not-ready */
    async fires(
      { jobId, ...query }: FiresQuery & { readonly jobId?: string | undefined },
      reach: Reach,
    ): Promise<Fires> {
      const all = await onScheduleList(() => reached(scheduleList, reach));
      const asked = jobId === undefined ? all : all.filter((one) => one.jobId === jobId);
      return findFires(asked, query, { ...o, ...scheduleList, nowMs: o.clock.now() });
    },
    /** Starts a run now, as the schedule would. @throws Problem schedule-not-found, and what `createRun` throws */
    async run(id: string, caller: Omit<Caller, 'trigger'>, idempotencyKey: string | undefined): Promise<Created> {
      const schedule = await onScheduleList(() => find(scheduleList, id, caller.principal));
      const { jobId, args, tenant, labels } = schedule;
      const request = { job_id: jobId, args, tenant, labels: { ...labels, schedule_id: id } };
      const heartbeat = scheduleList.tracking.denialOf(schedule) ? undefined : heartbeatOf(schedule);
      return o.createRun(request, { ...caller, trigger: 'schedule', heartbeat }, idempotencyKey);
    },
  };
}

/** A caller who reaches one tenant or some jobs sees a pause that covers more, but not who made it. */
function pausesFor(principal: Principal, { all, byOperator }: Pauses): readonly PauseInForce[] {
  const mayReach = (tenant: string): boolean => reachesTenant(principal, tenant) && !principal.jobs;
  const made = [...all()].filter(([tenant]) => tenant === '*' || reachesTenant(principal, tenant));
  return [
    ...(byOperator ? [{ tenant: '*', made: undefined, isReached: false }] : []),
    ...made.map(([tenant, pause]) => ({ tenant, made: pause, isReached: mayReach(tenant) })),
  ];
}

/** What starts runs: the clock, and backfills. */
function createStarts(
  scheduleList: ScheduleList,
  serial: Serial,
  o: Parts & { readonly onScheduleList: OnScheduleList },
) {
  const ticks = createTicks(scheduleList, serial, o);
  const backfills = createBackfills({ ...o, scheduleList, find: (id, reach) => find(scheduleList, id, reach) });
  return {
    backfills: backfills.acts,
    /** Looks at the clock once. Resolves when what was due has been dealt with. */
    tick: ticks.tick,
    start(): void {
      ticks.start();
      backfills.start();
    },
    async close(): Promise<void> {
      await Promise.all([backfills.close(), ticks.close()]);
    },
  };
}

/** Checks which schedules are due, twice a second and once for each `tick`. */
function createTicks(scheduleList: ScheduleList, serial: Serial, o: Parts) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ticks = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  async function tick(): Promise<void> {
    await serial.run(() => scheduleList.refresh());
    if (scheduleList.isReady && !signal.aborted) await tickSchedules(scheduleList.tracking.active(), { ...o, signal });
  }

  function tickSafely(): void {
    const ticking = tick()
      .catch((error: unknown) => {
        if (!isStorageError(error)) o.log.error({ err: error }, 'the schedules could not be read; flwd tries again');
      })
      .finally(() => ticks.delete(ticking));
    ticks.add(ticking);
  }

  return {
    tick,
    start() {
      timer ??= setInterval(tickSafely, tickMs);
    },
    async close() {
      stopping.abort();
      clearInterval(timer);
      await Promise.all(ticks);
      await serial.settled();
    },
  };
}

function reached(scheduleList: ScheduleList, reach: Reach): Schedule[] {
  return [...scheduleList.schedules()].filter((schedule) => reaches(reach, schedule)).toSorted(byJobAndId);
}

/** Returns a function that makes the views for one answer. It reads the names of a tenant's secrets only once. */
function createViewer(scheduleList: ScheduleList, o: Parts) {
  const { store, clock } = o;
  const namesByTenant = new Map<string, ReadonlySet<string>>();
  const storedIn = async (tenant: string): Promise<ReadonlySet<string>> => {
    const names = namesByTenant.get(tenant) ?? new Set(await store.secrets.names(tenant));
    namesByTenant.set(tenant, names);
    return names;
  };
  return async (schedule: Schedule): Promise<ScheduleView> => {
    const [lastRun] = await store.schedules.runs({ ...ever, scheduleId: schedule.id, most: 1 });
    const heartbeat = schedule.heartbeat === undefined ? undefined : await store.heartbeats.find(schedule.id);
    const missingSecrets = await missingSecretsOf(schedule, o.catalog, storedIn);
    return withMaker({ ...computedView(schedule, scheduleList, clock.now()), lastRun, heartbeat, missingSecrets }, o);
  };
}

type Computed = Omit<ScheduleView, 'lastRun' | 'heartbeat' | 'missingSecrets'>;

function computedView(schedule: Schedule, scheduleList: ScheduleList, nowMs: number): Computed {
  const { tracking, timesOf } = scheduleList;
  const state = tracking.stateOf(schedule.id);
  const isHeld = tracking.isHeld(schedule);
  const afterMs = Math.max(nowMs, state?.settledAtMs ?? 0, state?.notBeforeMs ?? 0);
  const nextFires = () => (tracking.mayFire(schedule) ? nextTimes(schedule, timesOf, afterMs, shownFires) : []);
  const clockChange = () => clockChangeOf(schedule, nowMs);
  const denied = tracking.denialOf(schedule) ?? null;
  const isPaused = scheduleList.pauses.isPaused(schedule.tenant);
  return {
    schedule,
    state,
    isHeld,
    isPaused,
    isDone: isDone(schedule, state, timesOf),
    denied,
    nextFires,
    clockChange,
  };
}

async function missingSecretsOf(
  { jobId, tenant, args }: Schedule,
  catalog: Parts['catalog'],
  storedIn: (tenant: string) => Promise<ReadonlySet<string>>,
): Promise<string[]> {
  const entry = entryOrNone(jobId, catalog);
  const needed = entry ? [...neededSecrets(entry, args, catalog)] : [];
  if (needed.length === 0) return [];
  const stored = await storedIn(tenant);
  return needed.filter((name) => !stored.has(name)).toSorted();
}

/** A schedule starts nothing once the token that made it has ended (ADR 0067). */
async function withMaker(view: ScheduleView, o: Parts): Promise<ScheduleView> {
  try {
    await limitsOf(view.schedule.boundTo, o);
    return view;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ...view, denied: view.denied ?? error, nextFires: () => [] };
  }
}

function find(scheduleList: ScheduleList, id: string, reach: Reach): Schedule {
  const schedule = scheduleList.find(id);
  if (schedule && reaches(reach, schedule)) return schedule;
  throw new Problem('schedule-not-found', `The schedule '${id}' does not exist`);
}

/** Finds a schedule that was made through the API. */
function findOwn(scheduleList: ScheduleList, id: string, reach: Reach): Schedule {
  const schedule = find(scheduleList, id, reach);
  if (schedule.source === 'api') return schedule;
  const file = `the config.yaml of '${schedule.jobId}'`;
  throw new Problem('source-managed', `The schedule '${id}' is defined in ${file}: change it there.`);
}

/**
 * A limited caller may not set a heartbeat. Otherwise the server would call any address for the caller, even an address
 * in a stored secret that the caller may not name.
 */
function heartbeatForbidden(): Problem {
  return new Problem('permission-denied', 'Agents and limited tokens may not set the `heartbeat` of a schedule.');
}

/**
 * For times that have passed, runs would start at once, in the name of the schedule and without the limits of the
 * caller (ADR 0067).
 */
function assertNotBefore(afterMs: number | undefined, by: Principal, nowMs: number): void {
  if (afterMs === undefined || afterMs >= nowMs || !bindingOf(by)) return;
  throw new Problem(
    'permission-denied',
    'A limited token may release a schedule only from now on, or from a later time on: leave `after` out.',
  );
}

/** A limited caller changes only what it has made. */
function assertOwn({ id, boundTo }: Schedule, by: Principal): void {
  const binding = bindingOf(by);
  if (!binding || (binding.tokenId === boundTo?.tokenId && binding.isAgent === boundTo.isAgent)) return;
  throw new Problem(
    'permission-denied',
    `The schedule '${id}' was made by somebody else, and a limited token may change only its own schedules.`,
  );
}

/** A time that has passed would never start a run, because it does not even count as missed. */
function assertToCome({ at }: ScheduleRequest, nowMs: number): void {
  const atMs = toAtMs(at);
  if (atMs === null || atMs > nowMs) return;
  throw validationError([{ pointer: '/at', message: 'has passed: give a time in the future', keyword: 'range' }]);
}

function assertRoom(scheduleList: ScheduleList, tenant: string): void {
  const own = [...scheduleList.schedules()].filter((one) => one.tenant === tenant && one.source === 'api');
  if (own.length < mostOfTenant) return;
  const message = `the tenant '${tenant}' has ${mostOfTenant} schedules, the most allowed; delete one first`;
  throw validationError([{ pointer: '', message, keyword: 'maxItems' }]);
}

/** What a schedule keeps when it is replaced. */
type OwnTerms = Pick<StoredSchedule, 'id' | 'tenant' | 'createdAtMs' | 'createdBy' | 'heartbeat'>;

function keptTerms(before: Schedule, request: ScheduleRequest): OwnTerms {
  const { id, tenant, createdAtMs, createdBy, heartbeat } = before;
  // Nobody can read the heartbeat's address, so nobody can send it again.
  const isKept = request.heartbeat === undefined && heartbeat !== undefined;
  const kept = { id, tenant, createdAtMs: createdAtMs ?? 0, createdBy: createdBy ?? '' };
  return { ...kept, ...(isKept && { heartbeat }) };
}

function toStored(
  request: ScheduleRequest,
  own: OwnTerms,
  o: RequestContext & { readonly by: Principal },
  updatedAtMs: number,
): StoredSchedule {
  const { terms, job } = readScheduleRequest(request, o);
  if (JSON.stringify(terms.args).length > longestArgsChars) {
    const message = 'the arguments of a schedule may have at most 64 KiB';
    throw validationError([{ pointer: '/args', message, keyword: 'maxLength' }]);
  }
  return {
    ...terms,
    ...own,
    boundTo: bindingOf(o.by),
    name: request.name ?? null,
    jobId: job.id,
    source: 'api',
    held: false,
    updatedAtMs,
  };
}

/** Whether each of the schedule's times has been dealt with, or had passed before the schedule began. */
function isDone(schedule: Schedule, state: ScheduleState | undefined, timesOf: TimesOf): boolean {
  const times = timesOf(schedule);
  if (!('next' in times) || times.isStart) return false;
  return times.next(state ? cursorOf({ state }) : 0) === null;
}

function clockChangeOf({ cron, timezone }: ScheduleTerms, nowMs: number): ClockChange | null {
  return cron === null ? null : nextClockChange({ cron, timezone }, nowMs);
}

function nextTimes(terms: ScheduleTerms, timesOf: TimesOf, afterMs: number, count: number): number[] {
  const times = timesOf(terms);
  const found: number[] = [];
  if ('problem' in times) return found;
  for (let at = times.next(afterMs); at !== null && found.length < count; at = times.next(at)) found.push(at);
  return found;
}

function byJobAndId({ jobId: a, id: one }: Schedule, { jobId: b, id: other }: Schedule): number {
  if (a !== b) return a < b ? -1 : 1;
  return one < other ? -1 : 1;
}
