// Reads how long the last runs of a job and their steps took. It reads at most a page of runs, and a limited number of
// steps.

import type { Kysely } from 'kysely';
import { isWork, type JobTimes, type RunTime, stepTimes, type TimedAttempt, unionMs } from '../../domain/job-times.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { createYielder } from '../../lib/yielder.ts';
import { prepareQuery } from '../prepared-query.ts';
import { given } from '../query-parts.ts';
import type { Schema, StepRow } from '../schema.ts';
import type { RunDetails } from './run-rows.ts';
import { isKeptWork, isStartedHere } from './started-here.ts';

export type JobTimesQuery = {
  readonly jobId: string;
  readonly sinceMs: number;
  readonly limit: number;
  /** Without a tenant, the runs of all tenants count. */
  readonly tenant?: string;
};

/**
 * Once this many steps have been read, no further run is read. So even a job with 100 steps takes only some tens of
 * milliseconds.
 */
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
  const maybeYield = createYielder();
  let read = 0;
  for (const { id, status, created_at, started_at, finished_at, details } of rows.slice(0, limit)) {
    if (attempts.length >= mostAttempts) break;
    await maybeYield();
    read += 1;
    const all = await selectAttempts(db, { id, most: mostAttempts });
    const own = all.filter(isStartedHere).flatMap(toAttempt);
    attempts.push(...own);
    if (started_at === null || finished_at === null) continue;
    const { source }: Pick<RunDetails, 'source'> = JSON.parse(details);
    runs.push({
      run_id: id,
      status,
      created_at: toTimestamp(created_at),
      finished_at: toTimestamp(finished_at),
      work_ms: unionMs(own),
      kept_steps: all.some(isKeptWork),
      revision: source.revision,
    });
  }
  return { runs, steps: stepTimes(attempts), more: read < rows.length };
}

const attemptColumns = [
  'run_id',
  'step_id',
  'attempt',
  'status',
  'started_at',
  'finished_at',
  'kind',
  'instance_of',
  'epoch',
] as const;

const selectAttempts = prepareQuery((db, { id, most }: { readonly id: string; readonly most: number }) =>
  db.selectFrom('steps').select(attemptColumns).where('run_id', '=', id).limit(most),
);

function toAttempt(row: Pick<StepRow, (typeof attemptColumns)[number]>): TimedAttempt[] {
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
}
