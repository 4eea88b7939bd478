// How long the last runs of a job took, with their steps. The cost is bounded: a page of runs, and a number of steps.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { isWork, type JobTimes, type RunTime, stepTimes, type TimedAttempt, workMs } from '../../domain/job-times.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { given } from '../query-parts.ts';
import type { Schema } from '../schema.ts';
import type { RunDetails } from './run-rows.ts';

export type JobTimesQuery = {
  readonly jobId: string;
  readonly sinceMs: number;
  readonly limit: number;
  /** Without it, runs of all tenants. */
  readonly tenant?: string;
};

/** How many runs to read the steps of before other work is done. */
const slice = 25;
/** A job of 100 steps stays within some tens of milliseconds. */
const mostAttempts = 20_000;

export async function jobTimes(db: Kysely<Schema>, query: JobTimesQuery): Promise<JobTimes> {
  const { jobId, sinceMs, limit, tenant } = query;
  const rows = await db
    .selectFrom('runs')
    .select(['id', 'status', 'created_at', 'started_at', 'finished_at', 'details'])
    .where('job_id', '=', jobId)
    .where('created_at', '>=', sinceMs)
    .where((eb) => eb.and(given({ tenant })))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const runs: RunTime[] = [];
  const attempts: TimedAttempt[] = [];
  let isCut = rows.length > limit;
  for (let from = 0; from < Math.min(rows.length, limit); from += slice) {
    if (from > 0) await yieldNow();
    const part = rows.slice(from, Math.min(from + slice, limit));
    const own = await attemptsOf(
      db,
      part.map(({ id }) => id),
    );
    const byRun = Map.groupBy(own, ({ runId }) => runId);
    for (const { id, status, created_at: createdAt, started_at: startedAt, finished_at: finishedAt, details } of part) {
      if (startedAt === null || finishedAt === null) continue;
      const { source }: Pick<RunDetails, 'source'> = JSON.parse(details);
      runs.push({
        run_id: id,
        status,
        created_at: toTimestamp(createdAt),
        finished_at: toTimestamp(finishedAt),
        work_ms: workMs(byRun.get(id) ?? []),
        revision: source.revision,
      });
    }
    attempts.push(...own);
    if (attempts.length >= mostAttempts && from + slice < rows.length) {
      isCut = true;
      break;
    }
  }
  return { runs, steps: stepTimes(attempts), more: isCut };
}

async function attemptsOf(db: Kysely<Schema>, runIds: readonly string[]): Promise<TimedAttempt[]> {
  const rows = await db
    .selectFrom('steps')
    .select(['run_id', 'step_id', 'attempt', 'status', 'started_at', 'finished_at', 'kind', 'instance_of'])
    .where('run_id', 'in', runIds)
    .execute();
  return rows.flatMap((row) => {
    const { started_at: startedAtMs, finished_at: finishedAtMs } = row;
    if (startedAtMs === null || finishedAtMs === null || !isWork(row)) return [];
    return [
      {
        runId: row.run_id,
        stepId: row.step_id,
        instanceOf: row.instance_of,
        kind: row.kind,
        status: row.status,
        attempt: row.attempt,
        startedAtMs,
        finishedAtMs,
      },
    ];
  });
}
