// How long the last successful runs of a job worked. The cost does not depend on how many runs the job has.

import type { Kysely } from 'kysely';
import { unionMs } from '../../domain/job-times.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { whereStartedHere } from './started-here.ts';

export type JobOfTenant = { readonly jobId: string; readonly tenant: string };

const mostSuccesses = 20;
/** A job that seldom succeeds has fewer successes among these. */
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
    .orderBy('id', 'desc')
    .limit(mostSuccesses),
);

/** In milliseconds, the shortest first. Waiting for an answer is not work. */
export async function recentWork(db: Kysely<Schema>, of: JobOfTenant): Promise<readonly number[]> {
  const runs = await selectSuccesses(db, of);
  if (runs.length === 0) return [];
  const asked = await db
    .selectFrom('steps')
    .select(['run_id', 'started_at as startedAtMs', 'finished_at as finishedAtMs'])
    .where(
      'run_id',
      'in',
      runs.map(({ id }) => id),
    )
    .where('kind', '=', 'approval')
    .where(whereStartedHere)
    .execute();
  const askedOf = Map.groupBy(asked, ({ run_id: id }) => id);
  return runs
    .flatMap((run) => {
      const waitedMs = unionMs((askedOf.get(run.id) ?? []).flatMap(whole));
      return whole(run).map(({ startedAtMs, finishedAtMs }) => finishedAtMs - startedAtMs - waitedMs);
    })
    .toSorted((a, b) => a - b);
}

function whole({ startedAtMs, finishedAtMs }: { startedAtMs: number | null; finishedAtMs: number | null }) {
  return startedAtMs === null || finishedAtMs === null ? [] : [{ startedAtMs, finishedAtMs }];
}
