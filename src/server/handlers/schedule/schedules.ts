// Schedules. A schedule of a config.yaml can only be read here. A schedule that was created by the API can be changed
// too.

import type { FastifyRequest } from 'fastify';
import type { Catalog } from '../../../catalog/catalog.ts';
import type { QueryOf } from '../../../contract/operations.ts';
import { apiBase } from '../../../contract/routes.ts';
import { assertReached, holdsScope, type Principal } from '../../../domain/principal.ts';
import { type Problem, validationError } from '../../../domain/problem.ts';
import type { Caller } from '../../../engine/create.ts';
import type { ScheduleView } from '../../../engine/schedule/schedule-view.ts';
import type { PauseView, Schedules } from '../../../engine/schedule/schedules.ts';
import { type Clock, parseTimestampUs } from '../../../lib/clock.ts';
import { createYielder } from '../../../lib/yielder.ts';
import { toTimestampOrNull } from '../../../store/run/run-rows.ts';
import type { Handlers } from '../../exchange.ts';
import { pageOf, toMs } from '../query-values.ts';
import { idempotencyKeyOf, sendCreated } from '../starting-runs.ts';

const previewedFires = 10;
/** Loaded with the first answer. The library that puts patterns into words would make a server start more slowly. */
const answers = () => import('./schedule-answers.ts');

export function createScheduleHandlers(o: {
  readonly schedules: Schedules;
  readonly catalog: Catalog;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly starterOf: (request: FastifyRequest) => Caller;
  readonly runsKeptMs: number | null;
  readonly clock: Clock;
}) {
  const { schedules } = o;
  const toAnswer = async (view: ScheduleView, principal: Principal) =>
    (await answers()).answerOf(view, principal, o.catalog);
  return {
    async listSchedules({ request, query }) {
      assertReached(request.principal, query.tenant);
      const { job_id: jobId, ...rest } = query;
      const all = await schedules.list(request.principal);
      const { page, total, nextCursor } = select(
        all,
        jobId === undefined ? rest : { ...rest, job_id: o.jobIdOf(jobId) },
      );
      const listed: Awaited<ReturnType<typeof toAnswer>>[] = [];
      const maybeYield = createYielder();
      for (const view of page) {
        listed.push(await toAnswer(view, request.principal));
        await maybeYield();
      }
      return { schedules: listed, total, next_cursor: nextCursor, ...(await pausesOf(request.principal, schedules)) };
    },

    async createSchedule({ request, reply, body }) {
      const made = await schedules.create(body, request.principal);
      return reply
        .code(201)
        .header('location', `${apiBase}/schedules/${made.schedule.id}`)
        .send(await toAnswer(made, request.principal));
    },

    async previewSchedule({ request, query, body }) {
      const preview = schedules.preview(body, query.fires ?? previewedFires, request.principal);
      return (await answers()).previewAnswer(preview);
    },

    pauseSchedules: async ({ request, body }) => toPause(await schedules.pause(body.tenant, request.principal)),

    resumeSchedules: async ({ request, body }) => toPause(await schedules.resume(body.tenant, request.principal)),

    getSchedule: async ({ request, path }) =>
      toAnswer(await schedules.get(path.schedule_id, request.principal), request.principal),

    replaceSchedule: async ({ request, path, body }) =>
      toAnswer(await schedules.replace(path.schedule_id, body, request.principal), request.principal),

    async deleteSchedule({ request, reply, path }) {
      await schedules.remove(path.schedule_id, request.principal);
      return reply.code(204).send();
    },

    holdSchedule: async ({ request, path }) =>
      toAnswer(await schedules.hold(path.schedule_id, request.principal), request.principal),

    async listScheduleFires({ request, query }) {
      const { principal } = request;
      assertReached(principal, query.tenant);
      const asked = toFiresQuery(query, o);
      const found = await schedules.fires(asked, { ...principal, tenant: query.tenant ?? principal.tenant });
      return (await answers()).firesAnswer(asked, found);
    },

    async runSchedule({ request, reply, path }) {
      const key = idempotencyKeyOf(request);
      return sendCreated(reply, await schedules.run(path.schedule_id, o.starterOf(request), key));
    },

    async releaseSchedule({ request, path, body }) {
      const afterUs = body.after === undefined ? undefined : parseTimestampUs(body.after);
      const afterMs = afterUs === undefined ? undefined : Math.floor(afterUs / 1000);
      return toAnswer(await schedules.release(path.schedule_id, afterMs, request.principal), request.principal);
    },
  } satisfies Partial<Handlers>;
}

async function pausesOf(principal: Principal, schedules: Schedules) {
  const pauses = await schedules.pauses(principal);
  const mayWrite = holdsScope(principal, 'schedules:write');
  return {
    pauses: pauses.map(({ tenant, made, isReached }) => ({
      tenant,
      by_operator: made === undefined,
      by: (isReached && made?.by) || null,
      since: toTimestampOrNull(made?.atMs ?? null),
      may_resume: isReached && mayWrite,
    })),
    may_pause: mayWrite && !principal.jobs && !pauses.some(({ tenant, made }) => made && tenant === principal.tenant),
  };
}

function toPause({ tenant, isPaused, byOperator }: PauseView) {
  return { tenant, paused: isPaused, by_operator: byOperator };
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
  // No job id contains NUL, and NUL is less than any other character. So places have the same order as the list.
  return pageOf(matching, query, {
    of: ({ schedule }) => `${schedule.jobId}\0${schedule.id}`,
    pattern: /\0/,
  });
}

const dayMs = 86_400_000;
const mostDays = 31;
const mostFires = 2_000;

/** @throws Problem validation-error */
function toFiresQuery(
  { since, until, job_id: jobId, limit = mostFires }: QueryOf<'listScheduleFires'>,
  o: Pick<Parameters<typeof createScheduleHandlers>[0], 'jobIdOf' | 'runsKeptMs' | 'clock'>,
) {
  const sinceMs = toMs(since) ?? o.clock.now();
  const untilMs = toMs(until) ?? sinceMs + dayMs;
  if (untilMs < sinceMs) throw untilError('must not be before `since`');
  if (untilMs - sinceMs > mostDays * dayMs) throw untilError(`must be at most ${mostDays} days after \`since\``);
  return {
    sinceMs,
    untilMs,
    limit,
    runsKeptMs: o.runsKeptMs,
    jobId: jobId === undefined ? undefined : o.jobIdOf(jobId),
  };
}

function untilError(message: string): Problem {
  return validationError([{ pointer: '?until', message, keyword: 'range' }]);
}
