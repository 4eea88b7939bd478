// Counters of runs by status, tenant, job and source. Each transaction that changes a run also updates the counters.

import type { Compilable, Kysely } from 'kysely';
import type { RunStatus } from '../../domain/run.ts';
import { prepareQueries, prepareQuery } from '../prepared-query.ts';
import { given, isWithin } from '../query-parts.ts';
import type { RunCountRow, Schema } from '../schema.ts';

type Move = { readonly from: RunStatus; readonly to: RunStatus };
type Kind = { readonly tenant: string; readonly job_id: string; readonly source: string };

const countAdded = prepareQuery((db, kind: Kind & { status: RunStatus }) => shift(db, [{ ...kind, count: 1 }]));
const countMoved = prepareQuery((db, { from, to, ...kind }: Kind & Move) =>
  shift(db, [
    { ...kind, status: from, count: -1 },
    { ...kind, status: to, count: 1 },
  ]),
);

function shift(db: Kysely<Schema>, changes: readonly RunCountRow[]): Compilable {
  return db
    .insertInto('run_counts')
    .values(changes)
    .onConflict((conflict) =>
      conflict
        .columns(['status', 'tenant', 'job_id', 'source'])
        .doUpdateSet((eb) => ({ count: eb('run_counts.count', '+', eb.ref('excluded.count')) })),
    );
}

export async function countAddedRun(
  db: Kysely<Schema>,
  { tenant, job_id, source, status }: Kind & { readonly status: RunStatus },
): Promise<void> {
  await countAdded(db, { tenant, job_id, source, status });
}

export async function countMovedRun(db: Kysely<Schema>, { tenant, job_id, source }: Kind, move: Move): Promise<void> {
  await countMoved(db, { tenant, job_id, source, ...move });
}

/** Subtracts runs that are deleted. A counter that reaches 0 is deleted. */
export async function uncountRuns(db: Kysely<Schema>, runs: readonly (Kind & { status: RunStatus })[]): Promise<void> {
  const kinds = Map.groupBy(runs, ({ status, tenant, job_id, source }) =>
    JSON.stringify([status, tenant, job_id, source]),
  );
  for (const ofKind of kinds.values()) {
    const [kind] = ofKind;
    if (!kind) continue;
    const { status, tenant, job_id, source } = kind;
    const counter = { status, tenant, job_id, source };
    const rest = await db
      .updateTable('run_counts')
      .set((eb) => ({ count: eb('count', '-', ofKind.length) }))
      .where((eb) => eb.and(counter))
      .returning('count')
      .executeTakeFirst();
    if (rest?.count !== 0) continue;
    await db
      .deleteFrom('run_counts')
      .where((eb) => eb.and(counter))
      .execute();
  }
}

type CountFilter = {
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly jobId?: string;
  readonly source?: string;
};

const sumCounts = prepareQueries((db, { jobId, ...kind }: CountFilter) =>
  db
    .selectFrom('run_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .where((eb) => eb.and(given({ ...kind, job_id: jobId }))),
);

export async function sumRunCounts(db: Kysely<Schema>, kind: CountFilter): Promise<number> {
  const [row] = await sumCounts(db, kind);
  return Number(row?.total ?? 0);
}

/** Does the same as `sumRunCounts` for the jobs in a namespace, including namespaces below it. */
export async function sumRunCountsWithin(db: Kysely<Schema>, namespace: string, kind: CountFilter): Promise<number> {
  const { jobId, ...columns } = kind;
  const { total } = await db
    .selectFrom('run_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .where((eb) => eb.and(given({ ...columns, job_id: jobId })))
    .where(isWithin('job_id', namespace))
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}
