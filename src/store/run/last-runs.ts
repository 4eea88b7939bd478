// Reads the last runs of several jobs. It searches an index once for each job, so the number of other jobs' runs does
// not matter.

import type { Compilable, Kysely } from 'kysely';
import type { LastRun } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { createYielder } from '../../lib/yielder.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { RunRow, Schema } from '../schema.ts';
import { type RunDetails, toTimestampOrNull } from './run-rows.ts';

type OfJob = { readonly jobId: string; readonly most: number };
export type RevisionsQuery = OfJob & { readonly tenant?: string };
export type LastRunsQuery = Omit<RevisionsQuery, 'jobId'> & { readonly jobIds: readonly string[] };
type Row = Pick<RunRow, 'id' | 'status' | 'created_at' | 'started_at' | 'finished_at'>;

const ofAll = prepareQuery((db, of: OfJob): Compilable<Row> => lastOf(db, of));
const ofTenant = prepareQuery(
  (db, { tenant, ...of }: OfJob & { readonly tenant: string }): Compilable<Row> =>
    lastOf(db, of).where('tenant', '=', tenant),
);

export function lastOf(db: Kysely<Schema>, { jobId, most }: OfJob) {
  return db
    .selectFrom('runs')
    .select(['id', 'status', 'created_at', 'started_at', 'finished_at'])
    .where('job_id', '=', jobId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(most);
}

/** Returns the last runs of each job, newest first. Without a tenant, the runs of all tenants count. */
export async function lastRuns(
  db: Kysely<Schema>,
  { jobIds, most, tenant }: LastRunsQuery,
): Promise<ReadonlyMap<string, readonly LastRun[]>> {
  const found = new Map<string, readonly LastRun[]>();
  const maybeYield = createYielder();
  for (const jobId of jobIds) {
    const rows = await (tenant === undefined ? ofAll(db, { jobId, most }) : ofTenant(db, { jobId, most, tenant }));
    found.set(jobId, rows.map(toLastRun));
    await maybeYield();
  }
  return found;
}

function toLastRun({
  id,
  status,
  created_at: createdAt,
  started_at: startedAt,
  finished_at: finishedAt,
}: Row): LastRun {
  return {
    run_id: id,
    status,
    created_at: toTimestamp(createdAt),
    started_at: toTimestampOrNull(startedAt),
    finished_at: toTimestampOrNull(finishedAt),
  };
}

/** A revision of a job's files, and the newest run that used it. */
export type UsedRevision = { readonly revision: string; readonly runId: string; readonly createdAtMs: number };

/**
 * Returns the revisions that the last runs of the job used, newest first. Without a tenant, the runs of all tenants
 * count.
 */
export async function usedRevisions(
  db: Kysely<Schema>,
  { jobId, most, tenant }: RevisionsQuery,
): Promise<readonly UsedRevision[]> {
  const newest =
    tenant === undefined ? lastOf(db, { jobId, most }) : lastOf(db, { jobId, most }).where('tenant', '=', tenant);
  const rows = await newest.clearSelect().select(['id', 'created_at', 'details']).execute();
  const found = new Map<string, UsedRevision>();
  for (const { id, created_at: createdAtMs, details } of rows) {
    const { source }: Pick<RunDetails, 'source'> = JSON.parse(details);
    const { revision } = source;
    if (!found.has(revision)) found.set(revision, { revision, runId: id, createdAtMs });
  }
  return [...found.values()];
}
