// Turns the filter of a list of runs into a query for their places. A place is creation time and id, and each filter
// has an index that contains both.

import {
  type AliasedExpression,
  type Expression,
  type ExpressionBuilder,
  expressionBuilder,
  type Kysely,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from 'kysely';
import type { RunStatus, StepStatus } from '../../domain/run.ts';
import type { Position } from '../cursor.ts';
import { given } from '../query-parts.ts';
import type { Schema } from '../schema.ts';

export type RunFilter = {
  readonly jobId?: string;
  readonly status?: RunStatus;
  /** At least one step has this status. Only for running runs: they are few, and the query reads the steps of each. */
  readonly stepStatus?: StepStatus;
  readonly tenant?: string;
  readonly source?: string;
  readonly label?: { readonly key: string; readonly value?: string };
  /** Created at this instant or later. */
  readonly sinceMs?: number;
  /** Created before this instant. */
  readonly untilMs?: number;
  /** Free text in ids, arguments and errors. Ignores the case of ASCII letters. */
  readonly q?: string;
};

type Place = { created_at: number; id: string };
export type Places = SelectQueryBuilder<{ place: Place }, 'place', object>;

/** Which index a list by label uses. Only `runs` knows which runs are pending or running. */
export type Way = 'runs' | 'labels';

export function placesOf(db: Kysely<Schema>, filter: RunFilter, way: Way): Places {
  const { sinceMs, untilMs, label } = filter;
  let query: Places = db.selectFrom(label && way === 'labels' ? labelled(db, label, filter) : plain(db, filter));
  if (sinceMs !== undefined) query = query.where('place.created_at', '>=', sinceMs);
  if (untilMs !== undefined) query = query.where('place.created_at', '<', untilMs);
  return query;
}

export function newestFirst(query: Places): Places {
  return query.orderBy('place.created_at', 'desc').orderBy('place.id', 'desc');
}

/** The places older than the position. */
export function below(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '<', eb.tuple(position.createdAtMs, position.id)),
  );
}

/** The places as old as the position, or younger. */
export function downTo(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '>=', eb.tuple(position.createdAtMs, position.id)),
  );
}

function plain(db: Kysely<Schema>, filter: RunFilter): AliasedExpression<Place, 'place'> {
  const { label, q, ...kind } = filter;
  let query = db.selectFrom('runs').select(['runs.created_at', 'runs.id']);
  for (const condition of conditionsOf(kind, 'runs')) query = query.where(condition);
  if (label) {
    // A count instead of `exists`, which a planner may turn into a join and then reverse.
    query = query.where(
      (eb) =>
        labelsOf(eb, label)
          .select((of) => of.fn.countAll<number>().as('labels'))
          .whereRef('run_labels.run_id', '=', eb.ref('runs.id')),
      '=',
      1,
    );
  }
  if (q !== undefined) query = query.where(hasText(q));
  return query.as('place');
}

/** The row of a label has copies of the run's other filter columns, so only a free-text search has to read the runs. */
function labelled(
  db: Kysely<Schema>,
  label: NonNullable<RunFilter['label']>,
  { q, ...kind }: RunFilter,
): AliasedExpression<Place, 'place'> {
  let query = labelsOf(db, label).select(['run_labels.created_at', 'run_labels.run_id as id']);
  for (const condition of conditionsOf(kind, 'run_labels')) query = query.where(condition);
  if (q !== undefined) {
    query = query.where((eb) =>
      eb.exists(
        eb.selectFrom('runs').select('runs.id').whereRef('runs.id', '=', 'run_labels.run_id').where(hasText(q)),
      ),
    );
  }
  return query.as('place');
}

function labelsOf(
  db: Pick<ExpressionBuilder<Schema, never>, 'selectFrom'>,
  { key, value }: NonNullable<RunFilter['label']>,
) {
  const query = db.selectFrom('run_labels').where('run_labels.key', '=', key);
  return value === undefined ? query : query.where('run_labels.value', '=', value);
}

function conditionsOf(
  { jobId, status, stepStatus, tenant, source }: RunFilter,
  table: 'runs' | 'run_labels',
): Expression<SqlBool>[] {
  const eb = expressionBuilder<Schema, 'runs' | 'run_labels'>();
  const columns = { job_id: jobId, status, tenant, source };
  const equal = Object.fromEntries(Object.entries(columns).map(([name, value]) => [`${table}.${name}`, value]));
  return [eb.and(given(equal)), ...(stepStatus === undefined ? [] : [hasStep(stepStatus)])];
}

/** A count instead of `exists`, for the same reason as with labels. */
function hasStep(status: StepStatus): Expression<SqlBool> {
  const eb = expressionBuilder<Schema, 'runs'>();
  const steps = eb
    .selectFrom('steps')
    .select((of) => of.fn.countAll<number>().as('steps'))
    .whereRef('steps.run_id', '=', 'runs.id')
    .where('steps.status', '=', status);
  return eb(steps, '>', 0);
}

function hasText(q: string): Expression<SqlBool> {
  // Arguments and errors are stored as JSON, which escapes quotes and backslashes.
  const inJson = JSON.stringify(q).slice(1, -1);
  return expressionBuilder<Schema, 'runs'>().or([
    contains('runs.id', q),
    contains('runs.job_id', q),
    contains('runs.args', inJson),
    contains('runs.error', inJson),
  ]);
}

export function contains(column: string, text: string): Expression<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
  const eb = expressionBuilder<Schema>();
  return sql<SqlBool>`${eb(sql.ref<string>(column), 'like', pattern)} escape '\\'`;
}
