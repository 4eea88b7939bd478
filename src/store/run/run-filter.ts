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
import type { RunStatus, StepStatus, Trigger } from '../../domain/run.ts';
import type { Position } from '../cursor.ts';
import { given, isWithin } from '../query-parts.ts';
import type { Schema } from '../schema.ts';

type Label = { readonly key: string; readonly value?: string };

export type RunFilter = {
  readonly jobId?: string;
  readonly status?: RunStatus;
  /**
   * Runs with at least one step in this status. Only running runs may be asked for: they are few, and the query reads
   * the steps of each.
   */
  readonly stepStatus?: StepStatus;
  readonly tenant?: string;
  readonly source?: string;
  readonly label?: Label;
  /** Runs that were created at this instant or later. */
  readonly sinceMs?: number;
  /** Runs that were created before this instant. */
  readonly untilMs?: number;
  readonly createdBy?: string;
  readonly trigger?: Trigger['type'];
  /** Leaves out sub-runs: runs that a step of another run has started. */
  readonly isTopLevel?: true;
  /** Leaves out runs with this label. */
  readonly notLabel?: Label;
  /** Only runs of jobs in this namespace and below. */
  readonly namespace?: string;
  /** Only runs of these jobs; `listRuns` searches each of them. */
  readonly jobIds?: readonly string[];
  /** Text to search for in ids, arguments and errors. Ignores the case of ASCII letters. */
  readonly q?: string;
};

/**
 * The part of the filter that an index answers, so that a query reads only places that match it. A list then keeps the
 * places that match the rest, too.
 */
export function indexedPart(filter: RunFilter): RunFilter {
  const {
    createdBy,
    trigger,
    isTopLevel: _top,
    notLabel: _not,
    namespace: _name,
    jobIds: _ids,
    q: _q,
    ...kind
  } = filter;
  const { jobId, status, label, source } = kind;
  if (jobId !== undefined || status !== undefined || label !== undefined || source !== undefined) return kind;
  if (createdBy !== undefined) return { ...kind, createdBy };
  return trigger === undefined ? kind : { ...kind, trigger };
}

/** Whether there are conditions beyond the indexed part. */
export function hasRest(filter: RunFilter): boolean {
  return residualsOf(filter).length > 0;
}

type Place = { created_at: number; id: string };
export type Places = SelectQueryBuilder<{ place: Place }, 'place', object>;

/** The index that a list by label uses. Only `runs` knows which runs are pending or running. */
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

/** Keeps the places older than the position. */
export function below(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '<', eb.tuple(position.createdAtMs, position.id)),
  );
}

/** Keeps the places as old as the position, or younger. */
export function downTo(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '>=', eb.tuple(position.createdAtMs, position.id)),
  );
}

function plain(db: Kysely<Schema>, filter: RunFilter): AliasedExpression<Place, 'place'> {
  const { label } = filter;
  const { createdBy, trigger } = indexedPart(filter);
  let query = db.selectFrom('runs').select(['runs.created_at', 'runs.id']);
  query = query.where((eb) => eb.and(given({ 'runs.created_by': createdBy, 'runs.trigger': trigger })));
  for (const condition of [...conditionsOf(filter, 'runs'), ...residualsOf(filter)]) query = query.where(condition);
  if (label) query = query.where((eb) => eb(countOf(eb, label), '=', 1));
  return query.as('place');
}

/**
 * The row of a label has copies of the run's other filter columns, so that only conditions without an index have to
 * read the runs.
 */
function labelled(db: Kysely<Schema>, label: Label, filter: RunFilter): AliasedExpression<Place, 'place'> {
  let query = labelsOf(db, label).select(['run_labels.created_at', 'run_labels.run_id as id']);
  for (const condition of conditionsOf(filter, 'run_labels')) query = query.where(condition);
  const residuals = residualsOf(filter);
  if (residuals.length > 0) {
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('runs')
          .select('runs.id')
          .whereRef('runs.id', '=', 'run_labels.run_id')
          .where((of) => of.and(residuals)),
      ),
    );
  }
  return query.as('place');
}

/**
 * Counts how often a run has the label. It does not use `exists`, which a planner may turn into a join and then
 * reverse.
 */
function countOf(eb: ExpressionBuilder<Schema, 'runs'>, label: Label) {
  return labelsOf(eb, label)
    .select((of) => of.fn.countAll<number>().as('labels'))
    .whereRef('run_labels.run_id', '=', eb.ref('runs.id'));
}

function labelsOf(db: Pick<ExpressionBuilder<Schema, never>, 'selectFrom'>, { key, value }: Label) {
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

/** The conditions that are not in the indexed part, written so that the planner uses no index for them. */
function residualsOf(filter: RunFilter): Expression<SqlBool>[] {
  const { isTopLevel, notLabel, namespace, q } = filter;
  const indexed = indexedPart(filter);
  const eb = expressionBuilder<Schema, 'runs'>();
  const found: Expression<SqlBool>[] = [];
  for (const [column, member] of [
    ['runs.created_by', 'createdBy'],
    ['runs.trigger', 'trigger'],
  ] as const) {
    const value = filter[member];
    // A planner that used the column's own index could read any number of runs for one slice.
    if (value !== undefined && indexed[member] === undefined)
      found.push(sql<SqlBool>`${sql.ref(column)} || '' = ${value}`);
  }
  if (isTopLevel) found.push(eb('runs.trigger', '!=', 'job'));
  if (notLabel) found.push(eb(countOf(eb, notLabel), '=', 0));
  if (namespace !== undefined) found.push(isWithin('runs.job_id', namespace));
  if (q !== undefined) found.push(hasText(q));
  return found;
}

/** Uses a count instead of `exists`, for the same reason as with labels. */
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
