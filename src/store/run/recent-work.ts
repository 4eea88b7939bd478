// Reads how long the last successful runs of a job worked. The cost does not depend on how many runs the job has.

import type { Kysely } from 'kysely';
import { unionMs } from '../../domain/job-times.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { isKeptWork, isStartedHere } from './started-here.ts';

export type JobOfTenant = { readonly jobId: string; readonly tenant: string };

const mostSuccesses = 20;
/** How many runs are searched for successes. If a job seldom succeeds, fewer successes are found. */
const mostRuns = 200;

const selectSuccesses = prepareQuery((db, { jobId, tenant }: JobOfTenant) =>
  db
    .selectFrom((eb) =>
      eb
        .selectFrom('runs')
        .select(['id', 'status', 'created_at', 'started_at', 'finished_at'])
        .where('tenant', '=', tenant)
        .where('job_id', '=', jobId)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(mostRuns)
        .as('newest'),
    )
    .select(['id', 'started_at as startedAtMs', 'finished_at as finishedAtMs'])
    .where('status', '=', 'success')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc'),
);

type Success = { readonly id: string; readonly startedAtMs: number | null; readonly finishedAtMs: number | null };

/**
 * Returns the times in milliseconds, the shortest first. The time in which an approval waited is not included. A rerun
 * that kept steps is left out, because it took less time than a full run.
 */
export async function recentWork(db: Kysely<Schema>, of: JobOfTenant): Promise<readonly number[]> {
  const runs = await selectSuccesses(db, of);
  const work: number[] = [];
  for (let n = 0; n < runs.length && work.length < mostSuccesses; n += mostSuccesses)
    work.push(...(await workOf(db, runs.slice(n, n + mostSuccesses))));
  return work.slice(0, mostSuccesses).toSorted((a, b) => a - b);
}

async function workOf(db: Kysely<Schema>, runs: readonly Success[]): Promise<number[]> {
  const steps = await db
    .selectFrom('steps')
    .select(['run_id', 'kind', 'epoch', 'started_at', 'finished_at'])
    .where(
      'run_id',
      'in',
      runs.map(({ id }) => id),
    )
    .where((eb) => eb.or([eb('kind', '=', 'approval'), eb('epoch', '=', 0)]))
    .where('started_at', 'is not', null)
    .execute();
  const stepsOf = Map.groupBy(steps, ({ run_id: id }) => id);
  return runs.flatMap((run) => {
    const own = stepsOf.get(run.id) ?? [];
    if (own.some(isKeptWork)) return [];
    const waitedMs = unionMs(
      own
        .filter(isStartedHere)
        .flatMap(({ started_at: startedAtMs, finished_at: finishedAtMs }) => whole({ startedAtMs, finishedAtMs })),
    );
    return whole(run).map(({ startedAtMs, finishedAtMs }) => finishedAtMs - startedAtMs - waitedMs);
  });
}

function whole({ startedAtMs, finishedAtMs }: Omit<Success, 'id'>) {
  return startedAtMs === null || finishedAtMs === null ? [] : [{ startedAtMs, finishedAtMs }];
}
