// How many runs have ended, by the hour they were created in and by label. A run counts here from its end on, once and for
// all: what has not ended is little, and counted on an index.

import type { Kysely } from 'kysely';
import type { RunStatus } from '../domain/run.ts';
import { prepareQueries, prepareQuery } from './prepared-query.ts';
import type { RunHourRow, RunLabelCountRow, Schema } from './schema.ts';

export const hourMs = 3_600_000;

/** `labels` is JSON, as in the run's row. */
export type EndedRun = {
  readonly tenant: string;
  readonly job_id: string;
  readonly source: string;
  readonly status: RunStatus;
  readonly created_at: number;
  readonly labels: string;
};

const noLabels = '{}';

const addToHour = prepareQuery((db, row: RunHourRow) =>
  db
    .insertInto('run_hours')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['hour', 'tenant', 'source', 'status'])
        .doUpdateSet((eb) => ({ count: eb('run_hours.count', '+', eb.ref('excluded.count')) })),
    )
    .returning('count'),
);
const removeHour = prepareQuery((db, { hour, tenant, source, status }: Omit<RunHourRow, 'count'>) =>
  db
    .deleteFrom('run_hours')
    .where('hour', '=', hour)
    .where('tenant', '=', tenant)
    .where('source', '=', source)
    .where('status', '=', status),
);
const addToLabel = prepareQuery((db, row: RunLabelCountRow) =>
  db
    .insertInto('run_label_counts')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['label', 'tenant', 'job_id', 'source', 'status'])
        .doUpdateSet((eb) => ({ count: eb('run_label_counts.count', '+', eb.ref('excluded.count')) })),
    )
    .returning('count'),
);
const removeLabel = prepareQuery((db, { label, tenant, job_id, source, status }: Omit<RunLabelCountRow, 'count'>) =>
  db
    .deleteFrom('run_label_counts')
    .where('label', '=', label)
    .where('tenant', '=', tenant)
    .where('job_id', '=', job_id)
    .where('source', '=', source)
    .where('status', '=', status),
);
const setStatusOfLabels = prepareQuery((db, { id, status }: { id: string; status: RunStatus }) =>
  db.updateTable('run_labels').set({ status }).where('run_id', '=', id),
);

export async function countEndedRun(db: Kysely<Schema>, run: EndedRun & { readonly id: string }): Promise<void> {
  await addToHour(db, hourOf(run, 1));
  if (run.labels === noLabels) return;
  await setStatusOfLabels(db, { id: run.id, status: run.status });
  for (const row of labelsOf(run, 1)) await addToLabel(db, row);
}

/** Of runs that were deleted. What no run is counted in has no row. */
export async function uncountEndedRuns(db: Kysely<Schema>, runs: readonly EndedRun[]): Promise<void> {
  for (const row of summed(runs.map((run) => hourOf(run, -1)))) {
    const [rest] = await addToHour(db, row);
    const { count: _, ...kind } = row;
    if (rest?.count === 0) await removeHour(db, kind);
  }
  for (const row of summed(runs.flatMap((run) => labelsOf(run, -1)))) {
    const [rest] = await addToLabel(db, row);
    const { count: _, ...kind } = row;
    if (rest?.count === 0) await removeLabel(db, kind);
  }
}

function hourOf({ created_at, tenant, source, status }: EndedRun, count: number): RunHourRow {
  return { hour: created_at - (created_at % hourMs), tenant, source, status, count };
}

function labelsOf({ labels, tenant, job_id, source, status }: EndedRun, count: number): RunLabelCountRow[] {
  return Object.entries<string>(JSON.parse(labels)).flatMap(([key, value]) =>
    [key, toLabel(key, value)].map((label) => ({ label, tenant, job_id, source, status, count })),
  );
}

/** A key has no equals sign. */
export function toLabel(key: string, value?: string): string {
  return value === undefined ? key : `${key}=${value}`;
}

function summed<Row extends { readonly count: number }>(rows: readonly Row[]): Row[] {
  const kinds = Map.groupBy(rows, ({ count: _, ...kind }) => JSON.stringify(kind));
  return [...kinds.values()].flatMap(([first, ...others]) =>
    first ? [{ ...first, count: others.reduce((sum, { count }) => sum + count, first.count) }] : [],
  );
}

type HourFilter = {
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly source?: string;
  /** Both whole hours. */
  readonly fromMs?: number;
  readonly toMs?: number;
};

const sumHours = prepareQueries((db, { status, tenant, source, fromMs, toMs }: HourFilter) => {
  let query = db.selectFrom('run_hours').select((eb) => eb.fn.sum<number | string | null>('count').as('total'));
  if (fromMs !== undefined) query = query.where('hour', '>=', fromMs);
  if (toMs !== undefined) query = query.where('hour', '<', toMs);
  if (status !== undefined) query = query.where('status', '=', status);
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  if (source !== undefined) query = query.where('source', '=', source);
  return query;
});

export async function sumEndedByHour(db: Kysely<Schema>, filter: HourFilter): Promise<number> {
  const [row] = await sumHours(db, filter);
  return Number(row?.total ?? 0);
}

type LabelFilter = {
  readonly label: string;
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly jobId?: string;
  readonly source?: string;
};

const sumLabels = prepareQueries((db, { label, status, tenant, jobId, source }: LabelFilter) => {
  let query = db
    .selectFrom('run_label_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .where('label', '=', label);
  if (status !== undefined) query = query.where('status', '=', status);
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  if (jobId !== undefined) query = query.where('job_id', '=', jobId);
  if (source !== undefined) query = query.where('source', '=', source);
  return query;
});

export async function sumEndedByLabel(db: Kysely<Schema>, filter: LabelFilter): Promise<number> {
  const [row] = await sumLabels(db, filter);
  return Number(row?.total ?? 0);
}
