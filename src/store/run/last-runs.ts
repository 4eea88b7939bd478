// The last runs of each of some jobs: one look at an index for each, however many runs there are of the others.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Compilable, Kysely } from 'kysely';
import type { LastRun } from '../../domain/run.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { RunRow, Schema } from '../schema.ts';
import { toTimestampOrNull } from './run-rows.ts';

type OfJob = { readonly jobId: string; readonly most: number };
type Row = Pick<RunRow, 'id' | 'status' | 'created_at' | 'finished_at'>;

/** Jobs looked at in one go: some 3 ms with a million runs, after which others have their turn. */
const slice = 10;

const ofAll = prepareQuery((db, of: OfJob): Compilable<Row> => lastOf(db, of));
const ofTenant = prepareQuery(
  (db, { tenant, ...of }: OfJob & { readonly tenant: string }): Compilable<Row> =>
    lastOf(db, of).where('tenant', '=', tenant),
);

export function lastOf(db: Kysely<Schema>, { jobId, most }: OfJob) {
  return db
    .selectFrom('runs')
    .select(['id', 'status', 'created_at', 'finished_at'])
    .where('job_id', '=', jobId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(most);
}

/** Newest first; of a tenant's where one is given. */
export async function lastRuns(
  db: Kysely<Schema>,
  { jobIds, most, tenant }: { readonly jobIds: readonly string[]; readonly most: number; readonly tenant?: string },
): Promise<ReadonlyMap<string, readonly LastRun[]>> {
  const found = new Map<string, readonly LastRun[]>();
  for (const [index, jobId] of jobIds.entries()) {
    if (index > 0 && index % slice === 0) await yieldNow();
    const rows = await (tenant === undefined ? ofAll(db, { jobId, most }) : ofTenant(db, { jobId, most, tenant }));
    found.set(jobId, rows.map(toLastRun));
  }
  return found;
}

function toLastRun({ id, status, created_at: createdAt, finished_at: finishedAt }: Row): LastRun {
  return { run_id: id, status, created_at: toTimestamp(createdAt), finished_at: toTimestampOrNull(finishedAt) };
}
