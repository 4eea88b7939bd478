// Lists the runs that the steps of a run have started, in the order of their start.

import type { Kysely } from 'kysely';
import type { ChildRun } from '../../domain/run.ts';
import { prepareQuery } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { listedArgs, type RunDetails, summaryColumns, toSummaries } from './run-rows.ts';

/** Found through the steps, which name them: runs have no index by their parent. */
const selectChildren = prepareQuery((db, { id }: { id: string }) =>
  db
    .selectFrom('steps')
    .innerJoin('runs', 'runs.id', 'steps.child_run_id')
    .select(summaryColumns.map((column) => `runs.${column}` as const))
    .select(['runs.details', listedArgs])
    .where('steps.run_id', '=', id)
    .orderBy('runs.created_at')
    .orderBy('runs.id'),
);

export async function childRuns(db: Kysely<Schema>, id: string): Promise<ChildRun[]> {
  const rows = await selectChildren(db, { id });
  const summaries = await toSummaries(db, rows);
  return summaries.flatMap((summary, at) => {
    const { parent }: RunDetails = JSON.parse(rows[at]?.details ?? '{}');
    return parent ? [{ ...summary, parent }] : [];
  });
}
