// Lists, creates, changes and previews schedules for the engine's interfaces. Starts their runs when their times come.

import type { ErrorList } from '../../domain/error-list.ts';
import {
  assertReached,
  assertReachesAllJobs,
  bindingOf,
  type Principal,
  type Reach,
  reachesTenant,
  tenantFor,
} from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { listSome } from '../../lib/list-some.ts';
import { createSerial } from '../../lib/serial.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { SchedulePause } from '../../store/schedule/schedules.ts';
import type { Caller } from '../create.ts';
import type { Hub } from '../hub.ts';
import type { Created } from '../once.ts';
import { createBackfills } from './backfills.ts';
import type { Gap } from './missed-words.ts';
import { createChanges } from './schedule-changes.ts';
import { schedulesToStart } from './schedule-check.ts';
import { type FireParts, heartbeatOf } from './schedule-fire.ts';
import { type Fires, type FiresQuery, findFires } from './schedule-fires.ts';
import { holdSchedule, releaseSchedule } from './schedule-hold.ts';
import {
  createScheduleList,
  findSchedule,
  type OnScheduleList,
  reachedSchedules,
  type ScheduleList,
} from './schedule-list.ts';
import type { Pauses } from './schedule-pauses.ts';
import {
  addScheduleErrors,
  type RequestContext,
  readScheduleRequest,
  type ScheduleRequest,
} from './schedule-requests.ts';
import { createTicker } from './schedule-ticker.ts';
import { clockChangeOf, createScheduleViewer, nextTimes, type ScheduleView } from './schedule-view.ts';

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

type Parts = FireParts &
  RequestContext & {
    readonly hub: Pick<Hub, 'onEvents'>;
    readonly defaultTenant: string;
    readonly arePaused: boolean;
    readonly downtime: () => Promise<Gap | null>;
  };

export function createSchedules(o: Parts) {
  const { catalog } = o;
  const scheduleList = createScheduleList(o);
  /** Makes one change of the list at a time. */
  const serial = createSerial();
  const ticker = createTicker(scheduleList, serial, o);
  const find = (id: string, reach: Reach): Schedule => findSchedule(scheduleList, id, reach);
  const backfills = createBackfills({ ...o, onScheduleList, scheduleList, find });
  const viewer = () => createScheduleViewer(scheduleList, o);
  const view = (schedule: Schedule): Promise<ScheduleView> => viewer()(schedule);

  /** Runs `work` after the schedules have been updated from the catalog. */
  function onScheduleList<T>(work: () => T | Promise<T>): Promise<T> {
    return serial.run(async () => {
      await scheduleList.refresh();
      if (!scheduleList.isReady) throw new Problem('not-ready', 'The sources are being read.', { retry_after: 1 });
      return work();
    });
  }

  return {
    /** The zone of schedules without a time zone. */
    timezone: o.timezone,
    /** Sorted by job and id. @throws Problem not-ready */
    async list(reach: Reach): Promise<ScheduleView[]> {
      const views: ScheduleView[] = [];
      const maybeYield = createYielder();
      const next = viewer();
      for (const schedule of await onScheduleList(() => reachedSchedules(scheduleList, reach))) {
        views.push(await next(schedule));
        await maybeYield();
      }
      return views;
    },
    /** @throws Problem not-ready, schedule-not-found */
    get: (id: string, reach: Reach): Promise<ScheduleView> =>
      onScheduleList(() => view(findSchedule(scheduleList, id, reach))),
    /** Checks the request without saving anything. @throws like `create` */
    preview: (request: ScheduleRequest, fires: number, principal: Principal) =>
      previewOf(request, fires, scheduleList, { ...o, by: principal }),
    /** Adds the errors in the body of a schedule to `errors`, which may already contain some. */
    addErrors: (body: unknown, errors: ErrorList, reach: Reach) => addScheduleErrors(body, reach, catalog, errors),
    ...createChanges(scheduleList, { ...o, onScheduleList, view }),
    ...createActs(scheduleList, { ...o, onScheduleList, view }),
    backfills: backfills.acts,
    /** Looks at the clock once. Resolves when what was due has been dealt with. */
    tick: ticker.tick,
    start(): void {
      ticker.start();
      backfills.start();
    },
    async close(): Promise<void> {
      await Promise.all([backfills.close(), ticker.close()]);
    },
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
    /** The schedules that are meant to start a run. Leaves out held schedules. */
    toStart: (): Schedule[] =>
      schedulesToStart([...scheduleList.schedules()], { clock: o.clock, isHeld: scheduleList.tracking.isHeld }),
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
        const schedule = findSchedule(scheduleList, id, reach);
        await holdSchedule(schedule, scheduleList.tracking, o);
        return view(schedule);
      }),
    /**
     * Releases a held schedule: it fires from the first nominal time after `afterMs` on, by default after now.
     * @throws Problem schedule-not-found
     */
    release: (id: string, afterMs: number | undefined, principal: Principal): Promise<ScheduleView> =>
      onScheduleList(async () => {
        const schedule = findSchedule(scheduleList, id, principal);
        assertNotBefore(afterMs, principal, o.clock.now());
        await releaseSchedule(schedule, afterMs, scheduleList.tracking, o);
        return view(schedule);
      }),
    /** What the schedules have started and will start between two times. @throws Problem not-ready */
    async fires(
      { jobId, ...query }: FiresQuery & { readonly jobId?: string | undefined },
      reach: Reach,
    ): Promise<Fires> {
      const all = await onScheduleList(() => reachedSchedules(scheduleList, reach));
      const asked = jobId === undefined ? all : all.filter((one) => one.jobId === jobId);
      return findFires(asked, query, { ...o, ...scheduleList, nowMs: o.clock.now() });
    },
    /** Starts a run now, as the schedule would. @throws Problem schedule-not-found, and what `createRun` throws */
    async run(id: string, caller: Omit<Caller, 'trigger'>, idempotencyKey: string | undefined): Promise<Created> {
      const schedule = await onScheduleList(() => findSchedule(scheduleList, id, caller.principal));
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
