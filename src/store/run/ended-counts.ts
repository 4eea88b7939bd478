// Counters of ended runs: by the hour and day of their creation, and by label. A run is counted once, when it ends. The
// few runs that have not ended are counted with an index.

import type { Kysely } from 'kysely';
import type { RunStatus, Trigger } from '../../domain/run.ts';
import { prepareQueries, prepareQuery } from '../prepared-query.ts';
import { given, isWithin } from '../query-parts.ts';
import type { RunDayRow, RunHourRow, RunLabelCountRow, Schema } from '../schema.ts';

export const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** `labels` is JSON, as in the row of the run. */
export type EndedRun = {
  readonly tenant: string;
  readonly job_id: string;
  readonly source: string;
  readonly status: RunStatus;
  readonly created_at: number;
  readonly trigger: Trigger['type'];
  readonly labels: string;
};

/** The counters with this label count all runs. */
const noLabel = '';

/**
 * The tables of labels have this label for each sub-run, so that lists without sub-runs can be counted. Users cannot
 * set it.
 */
export const subRunLabel = '@sub-run';

/**
 * The labels `label0`, `label1` and so on become one row each. All are inserted in one statement, because a statement
 * costs more than a row.
 */
type Labels = Readonly<Record<`label${number}`, string>>;
type Labelled = { readonly label: string };
type Counted = { readonly count: number };
type HourKind = Omit<RunHourRow, 'label' | 'count'>;
type DayKind = Omit<RunDayRow, 'label' | 'count'>;
type LabelKind = Omit<RunLabelCountRow, 'label' | 'count'>;

const addToHour = prepareQueries(
  (db, { hour, tenant, source, status, count, ...labels }: HourKind & Counted & Labels) =>
    db
      .insertInto('run_hours')
      .values(Object.values<string>(labels).map((label) => ({ label, hour, tenant, source, status, count })))
      .onConflict((conflict) =>
        conflict
          .columns(['label', 'hour', 'tenant', 'source', 'status'])
          .doUpdateSet((eb) => ({ count: eb('run_hours.count', '+', eb.ref('excluded.count')) })),
      )
      .returning('count'),
);
const removeHour = prepareQuery((db, kind: HourKind & Labelled) =>
  db.deleteFrom('run_hours').where((eb) => eb.and(kind)),
);
const addToDay = prepareQueries((db, { day, tenant, source, status, count, ...labels }: DayKind & Counted & Labels) =>
  db
    .insertInto('run_days')
    .values(Object.values<string>(labels).map((label) => ({ label, day, tenant, source, status, count })))
    .onConflict((conflict) =>
      conflict
        .columns(['label', 'day', 'tenant', 'source', 'status'])
        .doUpdateSet((eb) => ({ count: eb('run_days.count', '+', eb.ref('excluded.count')) })),
    )
    .returning('count'),
);
const removeDay = prepareQuery((db, kind: DayKind & Labelled) => db.deleteFrom('run_days').where((eb) => eb.and(kind)));
const addToLabel = prepareQueries(
  (db, { tenant, job_id, source, status, count, ...labels }: LabelKind & Counted & Labels) =>
    db
      .insertInto('run_label_counts')
      .values(Object.values<string>(labels).map((label) => ({ label, tenant, job_id, source, status, count })))
      .onConflict((conflict) =>
        conflict
          .columns(['label', 'tenant', 'job_id', 'source', 'status'])
          .doUpdateSet((eb) => ({ count: eb('run_label_counts.count', '+', eb.ref('excluded.count')) })),
      )
      .returning('count'),
);
const removeLabel = prepareQuery((db, kind: LabelKind & Labelled) =>
  db.deleteFrom('run_label_counts').where((eb) => eb.and(kind)),
);
const setStatusOfLabels = prepareQuery((db, { id, status }: { id: string; status: RunStatus }) =>
  db.updateTable('run_labels').set({ status }).where('run_id', '=', id),
);

export async function countEndedRun(db: Kysely<Schema>, run: EndedRun & { readonly id: string }): Promise<void> {
  const labels = labelsOf(run);
  const times = { count: 1, ...numbered([noLabel, ...labels]) };
  await addToHour(db, { ...hourOf(run), ...times });
  await addToDay(db, { ...dayOf(run), ...times });
  if (labels.length === 0) return;
  await setStatusOfLabels(db, { id: run.id, status: run.status });
  await addToLabel(db, { ...labelKindOf(run), count: 1, ...numbered(labels) });
}

/** Subtracts runs that are deleted. */
export async function uncountEndedRuns(db: Kysely<Schema>, runs: readonly EndedRun[]): Promise<void> {
  const labelled = runs.flatMap((run) => labelsOf(run).map((label) => ({ label, run })));
  const all = [...runs.map((run) => ({ label: noLabel, run })), ...labelled];
  await uncount(
    db,
    all.map(({ label, run }) => ({ label, ...hourOf(run) })),
    addToHour,
    removeHour,
  );
  await uncount(
    db,
    all.map(({ label, run }) => ({ label, ...dayOf(run) })),
    addToDay,
    removeDay,
  );
  await uncount(
    db,
    labelled.map(({ label, run }) => ({ label, ...labelKindOf(run) })),
    addToLabel,
    removeLabel,
  );
}

/** Subtracts from the counters. A counter that reaches 0 is deleted. */
async function uncount<Kind extends Labelled>(
  db: Kysely<Schema>,
  kinds: readonly Kind[],
  add: (db: Kysely<Schema>, values: Omit<Kind, 'label'> & Counted & Labels) => Promise<readonly Counted[]>,
  remove: (db: Kysely<Schema>, kind: Kind) => Promise<unknown>,
): Promise<void> {
  for (const { kind, times } of alike(kinds)) {
    const { label: label0, ...of } = kind;
    const [rest] = await add(db, { ...of, count: -times, label0 });
    if (rest?.count === 0) await remove(db, kind);
  }
}

function hourOf({ created_at, tenant, source, status }: EndedRun): HourKind {
  return { hour: created_at - (created_at % hourMs), tenant, source, status };
}

function dayOf({ created_at, tenant, source, status }: EndedRun): DayKind {
  return { day: created_at - (created_at % dayMs), tenant, source, status };
}

function labelKindOf({ tenant, job_id, source, status }: EndedRun): LabelKind {
  return { tenant, job_id, source, status };
}

/** Returns the labels by which a run is listed and counted, as pairs of key and value. */
export function countedLabels(
  labels: Readonly<Record<string, string>>,
  trigger: Trigger['type'],
): (readonly [string, string])[] {
  return [...Object.entries(labels), ...(trigger === 'job' ? [[subRunLabel, ''] as const] : [])];
}

function labelsOf({ labels, trigger }: EndedRun): string[] {
  return countedLabels(JSON.parse(labels), trigger).flatMap(([key, value]) => [key, toLabel(key, value)]);
}

function numbered(labels: readonly string[]): Labels {
  return Object.fromEntries(labels.map((label, n) => [`label${n}`, label]));
}

/** Returns the text by which a label is counted. It is unambiguous, because a key cannot contain an equals sign. */
export function toLabel(key: string, value?: string): string {
  return value === undefined ? key : `${key}=${value}`;
}

function alike<Kind extends object>(all: readonly Kind[]): { kind: Kind; times: number }[] {
  const kinds = Map.groupBy(all, (kind) => JSON.stringify(kind));
  return [...kinds.values()].flatMap(([kind, ...others]) => (kind ? [{ kind, times: 1 + others.length }] : []));
}

type TimeFilter = {
  readonly label?: string;
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly source?: string;
  /** Only runs that were created from `fromMs` to before `toMs`. Both must be full hours. */
  readonly fromMs?: number;
  readonly toMs?: number;
};

type Span =
  | { readonly table: 'run_hours'; readonly start: 'hour' }
  | { readonly table: 'run_days'; readonly start: 'day' };

const sumHours = prepareSum({ table: 'run_hours', start: 'hour' });
const sumDays = prepareSum({ table: 'run_days', start: 'day' });

function prepareSum({ table, start }: Span) {
  return prepareQueries((db, { label, status, tenant, source, fromMs, toMs }: Labelled & TimeFilter) => {
    const at = db.dynamic.ref<'hour' | 'day'>(start);
    let query = db
      .selectFrom(table)
      .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
      .where((eb) => eb.and(given({ label, status, tenant, source })));
    if (fromMs !== undefined) query = query.where(at, '>=', fromMs);
    if (toMs !== undefined) query = query.where(at, '<', toMs);
    return query;
  });
}

/** Sums the counters of full days, and those of the hours before and after them. */
export async function sumEndedByTime(db: Kysely<Schema>, { fromMs, toMs, ...filter }: TimeFilter): Promise<number> {
  const kind = { label: noLabel, ...filter };
  const fromDayMs = fromMs === undefined ? undefined : Math.ceil(fromMs / dayMs) * dayMs;
  const toDayMs = toMs === undefined ? undefined : Math.floor(toMs / dayMs) * dayMs;
  if (fromDayMs !== undefined && toDayMs !== undefined && fromDayMs >= toDayMs) {
    return totalIn(await sumHours(db, { ...kind, ...between(fromMs, toMs) }));
  }
  let total = totalIn(await sumDays(db, { ...kind, ...between(fromDayMs, toDayMs) }));
  if (fromMs !== fromDayMs) total += totalIn(await sumHours(db, { ...kind, ...between(fromMs, fromDayMs) }));
  if (toMs !== toDayMs) total += totalIn(await sumHours(db, { ...kind, ...between(toDayMs, toMs) }));
  return total;
}

function between(fromMs: number | undefined, toMs: number | undefined): Pick<TimeFilter, 'fromMs' | 'toMs'> {
  return { ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) };
}

function totalIn([row]: readonly { readonly total: number | string | null }[]): number {
  return Number(row?.total ?? 0);
}

type LabelFilter = Labelled & {
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly jobId?: string;
  readonly source?: string;
};

const sumLabels = prepareQueries((db, { jobId, ...kind }: LabelFilter) =>
  db
    .selectFrom('run_label_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .where((eb) => eb.and(given({ ...kind, job_id: jobId }))),
);

export async function sumEndedByLabel(db: Kysely<Schema>, filter: LabelFilter): Promise<number> {
  return totalIn(await sumLabels(db, filter));
}

/** Does the same as `sumEndedByLabel` for the jobs in a namespace, including namespaces below it. */
export async function sumEndedWithin(db: Kysely<Schema>, namespace: string, filter: LabelFilter): Promise<number> {
  const { jobId, ...columns } = filter;
  const sum = db
    .selectFrom('run_label_counts')
    .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
    .where((eb) => eb.and(given({ ...columns, job_id: jobId })))
    .where(isWithin('job_id', namespace));
  return totalIn(await sum.execute());
}
