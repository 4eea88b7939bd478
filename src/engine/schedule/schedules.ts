// The schedules as the engine's faces see them: list, make, change, preview; and the ticker that starts their runs.

import type { Catalog } from '../../catalog/catalog.ts';
import type { ErrorList } from '../../domain/error-list.ts';
import { type Principal, type Reach, reaches, tenantFor } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import { parseCron } from '../../lib/cron.ts';
import { createId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { StoredSchedule } from '../../store/schedules.ts';
import { createFiring } from './schedule-fire.ts';
import { addScheduleErrors, readScheduleRequest, type ScheduleRequest } from './schedule-requests.ts';
import { createRoster } from './schedule-roster.ts';
import { createTicker } from './schedule-ticker.ts';

export type ScheduleView = {
  readonly schedule: Schedule;
  readonly state: ScheduleState | undefined;
  /** Nominal times to come; none while it is disabled. */
  readonly nextFires: () => readonly number[];
};

export type Schedules = {
  /** By job and id. @throws Problem not-ready */
  readonly list: (reach: Reach) => Promise<ScheduleView[]>;
  /** @throws Problem not-ready, schedule-not-found */
  readonly get: (id: string, reach: Reach) => Promise<ScheduleView>;
  /** Checks everything, saves nothing. @throws as `create` */
  readonly preview: (request: ScheduleRequest, fires: number, principal: Principal) => readonly number[];
  /** @throws Problem not-ready, permission-denied, job-not-found, job-invalid, validation-error */
  readonly create: (request: ScheduleRequest, principal: Principal) => Promise<ScheduleView>;
  /** @throws Problem schedule-not-found, source-managed, and as `create` */
  readonly replace: (id: string, request: ScheduleRequest, principal: Principal) => Promise<ScheduleView>;
  /** @throws Problem schedule-not-found, source-managed */
  readonly remove: (id: string, reach: Reach) => Promise<void>;
  /** What is wrong with a body that has other errors. */
  readonly addErrors: (body: unknown, errors: ErrorList) => void;
  /** Looks at the clock once; resolves when what was due has been dealt with. */
  readonly tick: () => Promise<void>;
  readonly start: () => void;
  readonly close: () => Promise<void>;
};

const tickMs = 500;
const mostOfTenant = 1_000;
const longestArgsChars = 65_536;
const shownFires = 3;

export function createSchedules(
  o: {
    readonly store: Store;
    readonly catalog: Catalog;
    readonly clock: Clock;
    readonly log: Logger;
    readonly defaultTenant: string;
  } & Pick<Parameters<typeof createFiring>[0], 'createRun'>,
): Schedules {
  const { catalog, clock, log } = o;
  const stopping = new AbortController();
  const roster = createRoster(o);
  const ticker = createTicker({ ...o, firing: createFiring(o), signal: stopping.signal });
  let timer: NodeJS.Timeout | undefined;
  const ticks = new Set<Promise<void>>();
  /** What changes the roster does so one after the other. */
  let tail: Promise<unknown> = Promise.resolve();

  function serially<T>(work: () => Promise<T>): Promise<T> {
    const mine = tail.then(work);
    tail = mine.catch(() => undefined);
    return mine;
  }

  async function tick(): Promise<void> {
    await serially(roster.refresh);
    if (roster.isReady && !stopping.signal.aborted) await ticker.look(roster.active());
  }

  function tickSafely(): void {
    const ticking = tick()
      .catch((error: unknown) => log.error({ err: error }, 'the schedules could not be read; tried again'))
      .finally(() => ticks.delete(ticking));
    ticks.add(ticking);
  }

  function view(schedule: Schedule): ScheduleView {
    const state = roster.stateOf(schedule.id);
    const afterMs = Math.max(clock.now(), state?.settledAtMs ?? 0);
    return { schedule, state, nextFires: () => (schedule.enabled ? nextTimes(schedule, afterMs, shownFires) : []) };
  }

  /** Works on what the catalogue says now. */
  function onRoster<T>(work: () => T | Promise<T>): Promise<T> {
    return serially(async () => {
      await roster.refresh();
      if (!roster.isReady) throw new Problem('not-ready', 'The sources are being read.', { retry_after: 1 });
      return work();
    });
  }

  function find(id: string, reach: Reach): Schedule {
    const schedule = roster.find(id);
    if (schedule && reaches(reach, schedule.tenant)) return schedule;
    throw new Problem('schedule-not-found', `The schedule '${id}' does not exist`);
  }

  function findOwn(id: string, reach: Reach): Schedule {
    const schedule = find(id, reach);
    if (schedule.source === 'api') return schedule;
    throw new Problem('source-managed', `The schedule '${id}' stands in the config.yaml of '${schedule.jobId}'.`);
  }

  /** All of them are kept in memory. */
  function assertRoom(tenant: string): void {
    const own = [...roster.schedules()].filter((one) => one.tenant === tenant && one.source === 'api');
    if (own.length < mostOfTenant) return;
    const message = `the tenant '${tenant}' has ${mostOfTenant} schedules, as many as may be; delete one first`;
    throw validationError([{ pointer: '', message, keyword: 'maxItems' }]);
  }

  function toStored(
    request: ScheduleRequest,
    own: Pick<StoredSchedule, 'id' | 'tenant' | 'createdAtMs' | 'createdBy'>,
  ) {
    const { terms, job } = readScheduleRequest(request, catalog);
    if (JSON.stringify(terms.args).length > longestArgsChars) {
      throw validationError([
        { pointer: '/args', message: 'a schedule keeps 64 KiB of arguments at most', keyword: 'maxLength' },
      ]);
    }
    const { name = null } = request;
    const updatedAtMs = clock.now();
    return { ...terms, ...own, name, jobId: job.id, source: 'api', updatedAtMs } satisfies StoredSchedule;
  }

  return {
    list: (reach) =>
      onRoster(() => {
        const reached = [...roster.schedules()].filter(({ tenant }) => reaches(reach, tenant));
        return reached.toSorted(byJobAndId).map(view);
      }),
    get: (id, reach) => onRoster(() => view(find(id, reach))),
    preview(request, fires, principal) {
      tenantFor(principal, request.tenant, o.defaultTenant);
      const { terms } = readScheduleRequest(request, catalog);
      return nextTimes(terms, clock.now(), fires);
    },
    create: (request, principal) =>
      onRoster(async () => {
        const createdAtMs = clock.now();
        const tenant = tenantFor(principal, request.tenant, o.defaultTenant);
        assertRoom(tenant);
        const own = { id: createId('schedule', createdAtMs), tenant, createdAtMs, createdBy: principal.name };
        const schedule = toStored(request, own);
        await roster.put(schedule);
        return view(schedule);
      }),
    replace: (id, request, principal) =>
      onRoster(async () => {
        const { createdAtMs, createdBy, tenant: before } = findOwn(id, principal);
        // Whoever edits it does not move it by leaving the tenant out.
        const tenant = tenantFor(principal, request.tenant, before);
        const own = { id, tenant, createdAtMs: createdAtMs ?? 0, createdBy: createdBy ?? '' };
        const schedule = toStored(request, own);
        await roster.put(schedule);
        return view(schedule);
      }),
    remove: (id, reach) => onRoster(() => roster.remove(findOwn(id, reach).id)),
    addErrors: (body, errors) => addScheduleErrors(body, catalog, errors),
    tick,
    start() {
      timer ??= setInterval(tickSafely, tickMs);
    },
    async close() {
      stopping.abort();
      clearInterval(timer);
      await Promise.all(ticks);
      await tail;
    },
  };
}

function nextTimes({ cron, timezone }: Pick<Schedule, 'cron' | 'timezone'>, afterMs: number, count: number): number[] {
  const times = parseCron(cron, timezone);
  const found: number[] = [];
  let at = 'next' in times ? times.next(afterMs) : null;
  while (at !== null && found.length < count) {
    found.push(at);
    at = 'next' in times ? times.next(at) : null;
  }
  return found;
}

function byJobAndId({ jobId: a, id: one }: Schedule, { jobId: b, id: other }: Schedule): number {
  if (a !== b) return a < b ? -1 : 1;
  return one < other ? -1 : 1;
}
