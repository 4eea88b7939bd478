// Schedules. Those of a config.yaml can only be read here; those made by the API can be changed too.

import type { QueryOf } from '../../contract/operations.ts';
import { apiBase } from '../../contract/routes.ts';
import type { ScheduleTerms } from '../../domain/job.ts';
import { assertReached } from '../../domain/principal.ts';
import type { Schedules, ScheduleView } from '../../engine/schedule/schedules.ts';
import { parseTimestampUs, toTimestamp } from '../../lib/clock.ts';
import { toLocalTimestamp } from '../../lib/cron.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Handlers } from '../exchange.ts';
import { pageOf } from './query-values.ts';

const previewedFires = 10;

type Names =
  | 'listSchedules'
  | 'createSchedule'
  | 'previewSchedule'
  | 'getSchedule'
  | 'replaceSchedule'
  | 'deleteSchedule'
  | 'holdSchedule'
  | 'releaseSchedule';

export function createScheduleHandlers(o: {
  readonly schedules: Schedules;
  readonly jobIdOf: (idOrAlias: string) => string;
}): Pick<Handlers, Names> {
  const { schedules } = o;
  return {
    async listSchedules({ request, query }) {
      assertReached(request.principal, query.tenant);
      const { job_id: jobId, ...rest } = query;
      const all = await schedules.list(request.principal);
      const { page, total, nextCursor } = select(
        all,
        jobId === undefined ? rest : { ...rest, job_id: o.jobIdOf(jobId) },
      );
      return { schedules: page.map(toAnswer), total, next_cursor: nextCursor };
    },

    async createSchedule({ request, reply, body }) {
      const made = await schedules.create(body, request.principal);
      return reply.code(201).header('location', `${apiBase}/schedules/${made.schedule.id}`).send(toAnswer(made));
    },

    previewSchedule({ request, query, body }) {
      const { fires, timezone } = schedules.preview(body, query.fires ?? previewedFires, request.principal);
      return { next_fires: toFires(fires, timezone) };
    },

    getSchedule: async ({ request, path }) => toAnswer(await schedules.get(path.schedule_id, request.principal)),

    replaceSchedule: async ({ request, path, body }) =>
      toAnswer(await schedules.replace(path.schedule_id, body, request.principal)),

    async deleteSchedule({ request, reply, path }) {
      await schedules.remove(path.schedule_id, request.principal);
      return reply.code(204).send();
    },

    holdSchedule: async ({ request, path }) => toAnswer(await schedules.hold(path.schedule_id, request.principal)),

    async releaseSchedule({ request, path, body }) {
      const afterUs = body.after === undefined ? undefined : parseTimestampUs(body.after);
      const afterMs = afterUs === undefined ? undefined : Math.floor(afterUs / 1000);
      return toAnswer(await schedules.release(path.schedule_id, afterMs, request.principal));
    },
  };
}

type Query = QueryOf<'listSchedules'>;

function select(all: readonly ScheduleView[], { job_id: jobId, tenant, source, enabled, ...query }: Query) {
  const matching = all.filter(
    ({ schedule }) =>
      (jobId === undefined || schedule.jobId === jobId) &&
      (tenant === undefined || schedule.tenant === tenant) &&
      (source === undefined || schedule.source === source) &&
      (enabled === undefined || schedule.enabled === enabled),
  );
  // No job id contains NUL, and NUL is less than any other character, so places sort like the list.
  return pageOf(matching, query, {
    of: ({ schedule }) => `${schedule.jobId}\0${schedule.id}`,
    pattern: /\0/,
  });
}

function toAnswer({ schedule, state, isHeld, nextFires }: ScheduleView) {
  const { lastFire = null, lastError = null } = state ?? {};
  return {
    id: schedule.id,
    name: schedule.name,
    job_id: schedule.jobId,
    tenant: schedule.tenant,
    source: schedule.source,
    cron: schedule.cron,
    timezone: schedule.timezone,
    args: schedule.args,
    catch_up: schedule.catchUp,
    jitter: formatDuration(schedule.jitterMs),
    enabled: schedule.enabled,
    held: isHeld,
    labels: schedule.labels,
    next_fires: toFires(nextFires(), schedule.timezone),
    last_fire: lastFire && {
      nominal_at: toTimestamp(lastFire.nominalAtMs),
      at: toTimestamp(lastFire.atMs),
      run_id: lastFire.runId,
    },
    last_error: lastError && {
      nominal_at: toTimestamp(lastError.nominalAtMs),
      at: toTimestamp(lastError.atMs),
      type: lastError.type,
      detail: lastError.detail,
    },
    created_at: schedule.createdAtMs === null ? null : toTimestamp(schedule.createdAtMs),
    updated_at: schedule.updatedAtMs === null ? null : toTimestamp(schedule.updatedAtMs),
    created_by: schedule.createdBy,
  };
}

function toFires(times: readonly number[], timezone: ScheduleTerms['timezone']) {
  return times.map((atMs) => ({ nominal_at: toTimestamp(atMs), local: toLocalTimestamp(atMs, timezone) }));
}
