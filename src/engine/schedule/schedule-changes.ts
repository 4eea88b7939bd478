// Creates, replaces and removes the schedules that callers make through the API.

import { toAtMs } from '../../catalog/job/schedule-rules.ts';
import { bindingOf, type Principal, type Reach, tenantFor } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import { createId } from '../../lib/ids.ts';
import type { StoredSchedule } from '../../store/schedule/schedules.ts';
import { findSchedule, longDone, type OnScheduleList, type ScheduleList } from './schedule-list.ts';
import { type RequestContext, readScheduleRequest, type ScheduleRequest } from './schedule-requests.ts';
import { nextTimes, type ScheduleView } from './schedule-view.ts';

/** The most schedules of a tenant, because all schedules are kept in memory. */
const mostOfTenant = 1_000;
const longestArgsChars = 65_536;

type Parts = RequestContext & {
  readonly clock: Clock;
  readonly defaultTenant: string;
  readonly onScheduleList: OnScheduleList;
  readonly view: (schedule: Schedule) => Promise<ScheduleView>;
};

export function createChanges(scheduleList: ScheduleList, { onScheduleList, view, ...o }: Parts) {
  const { clock } = o;

  async function save(request: ScheduleRequest, own: OwnTerms, by: Principal): Promise<ScheduleView> {
    const schedule = toStored(request, own, { ...o, by }, clock.now());
    // A schedule whose times cannot be computed is refused here, before it is stored.
    nextTimes(schedule, scheduleList.timesOf, clock.now(), 1);
    await scheduleList.put(schedule);
    return view(schedule);
  }

  return {
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
        const before = findMade(scheduleList, id, principal);
        assertOwn(before, principal);
        // If the time of a schedule has passed and stays the same, its other terms may still change.
        if (toAtMs(request.at) !== before.atMs) assertToCome(request, clock.now());
        // A request without a tenant leaves the schedule in its tenant.
        const tenant = tenantFor(principal, request.tenant, before.tenant);
        return save(request, { ...keptTerms(before, request), tenant }, principal);
      }),
    /** @throws Problem schedule-not-found, source-managed */
    remove: (id: string, reach: Reach): Promise<void> =>
      onScheduleList(() => scheduleList.remove(findMade(scheduleList, id, reach).id)),
  };
}

/** Finds a schedule that was made through the API. */
function findMade(scheduleList: ScheduleList, id: string, reach: Reach): Schedule {
  const schedule = findSchedule(scheduleList, id, reach);
  if (schedule.source === 'api') return schedule;
  const file = `the config.yaml of '${schedule.jobId}'`;
  throw new Problem('source-managed', `The schedule '${id}' is defined in ${file}: change it there.`);
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
  if (bindingOf(o.by) && (request.heartbeat ?? null) !== null) throw heartbeatForbidden();
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

/**
 * A limited caller may not set a heartbeat. Otherwise the server would call any address for the caller, even an address
 * in a stored secret that the caller may not name.
 */
function heartbeatForbidden(): Problem {
  return new Problem('permission-denied', 'Agents and limited tokens may not set the `heartbeat` of a schedule.');
}
