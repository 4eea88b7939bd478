// Previews, creates, lists and cancels backfills.

import type { BodyOf } from '../../../contract/operations.ts';
import { apiBase } from '../../../contract/routes.ts';
import { assertReached, holdsScope } from '../../../domain/principal.ts';
import { Problem } from '../../../domain/problem.ts';
import type { Backfills, BackfillView } from '../../../engine/schedule/backfills.ts';
import { type Clock, toTimestamp } from '../../../lib/clock.ts';
import { toLocalTimestamp } from '../../../lib/cron/cron.ts';
import { parseCursor, toCursor } from '../../../store/cursor.ts';
import { toTimestampOrNull } from '../../../store/run/run-rows.ts';
import type { Handlers } from '../../exchange.ts';
import { toMs } from '../query-values.ts';

const usualLimit = 50;

export function createBackfillHandlers(o: {
  readonly schedules: { readonly backfills: Backfills };
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly runsKeptMs: number | null;
  readonly clock: Clock;
}) {
  const { backfills } = o.schedules;
  return {
    async createBackfill({ request: { principal }, reply, path, body }) {
      if (!holdsScope(principal, 'runs:write'))
        throw new Problem('permission-denied', 'A backfill starts runs, which also needs the scope `runs:write`.');
      const request = { ...spanOf(body), atOnce: body.at_once ?? 1 };
      const made = await backfills.create(path.schedule_id, request, principal);
      return reply.code(201).header('location', `${apiBase}/backfills/${made.backfill.id}`).send(toAnswer(made));
    },

    async previewBackfill({ request: { principal }, path, body }) {
      const { schedule, ...found } = await backfills.preview(path.schedule_id, spanOf(body), principal);
      const keptSinceMs = o.runsKeptMs === null ? 0 : o.clock.now() - o.runsKeptMs;
      return {
        schedule_id: schedule.id,
        job_id: schedule.jobId,
        from: toTimestamp(found.fromMs),
        until: toTimestamp(found.untilMs),
        times: found.times.map((atMs) => ({
          nominal_at: toTimestamp(atMs),
          local: toLocalTimestamp(atMs, schedule.timezone),
        })),
        left_out: found.leftOut,
        runs_known_since: found.fromMs < keptSinceMs ? toTimestamp(keptSinceMs) : null,
      };
    },

    async listBackfills({ request: { principal }, query }) {
      const { job_id: asked, schedule_id: scheduleId, status, tenant, cursor, offset = 0, limit } = query;
      assertReached(principal, tenant);
      const jobId = asked === undefined ? undefined : o.jobIdOf(asked);
      const after = cursor === undefined ? undefined : parseCursor(cursor);
      const paging = { after, offset: after ? 0 : offset, limit: limit ?? usualLimit };
      const page = await backfills.list({ tenant, jobId, scheduleId, status, ...paging }, principal);
      const last = page.backfills.at(-1);
      return {
        backfills: page.backfills.map(toAnswer),
        total: page.total,
        next_cursor: last && page.hasMore ? toCursor(last.backfill) : null,
      };
    },

    getBackfill: async ({ request: { principal }, path }) => toAnswer(await backfills.get(path.backfill_id, principal)),

    cancelBackfill: async ({ request: { principal }, path }) =>
      toAnswer(await backfills.cancel(path.backfill_id, principal)),
  } satisfies Partial<Handlers>;
}

/** Rounds the times of a span up to whole milliseconds, as lists do with `since` and `until`. */
function spanOf({ from, until }: BodyOf<'previewBackfill'>) {
  return { fromMs: toMs(from) ?? 0, untilMs: toMs(until) };
}

function toAnswer({ backfill, isPaused }: BackfillView) {
  return {
    id: backfill.id,
    schedule_id: backfill.scheduleId,
    job_id: backfill.jobId,
    tenant: backfill.tenant,
    from: toTimestamp(backfill.fromMs),
    until: toTimestamp(backfill.untilMs),
    at_once: backfill.atOnce,
    status: backfill.status,
    paused: isPaused,
    in_span: backfill.inSpan,
    left_out: backfill.leftOut,
    started: backfill.started,
    failed_runs: backfill.failedRuns,
    error: backfill.error,
    created_at: toTimestamp(backfill.createdAtMs),
    created_by: backfill.createdBy,
    finished_at: toTimestampOrNull(backfill.finishedAtMs),
  };
}
