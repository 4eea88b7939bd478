// Turns the filter of a list of runs into a query. The query returns the place of each matching run: its creation time
// and its id. For each filter there is an index that contains both.

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
   * Only runs with at least one step in this status. The query reads the steps of each run, so it may be combined only
   * with the status `running`, which few runs have.
   */
  readonly stepStatus?: StepStatus;
  readonly tenant?: string;
  readonly source?: string;
  readonly label?: Label;
  /** Only runs that were created at this instant or later. */
  readonly sinceMs?: number;
  /** Only runs that were created before this instant. */
  readonly untilMs?: number;
  readonly createdBy?: string;
  readonly trigger?: Trigger['type'];
  /** Leaves out sub-runs, which are runs that a step of another run has started. */
  readonly isTopLevel?: true;
  /** Leaves out runs with this label. */
  readonly notLabel?: Label;
  /** Only runs of jobs in this namespace, including namespaces below it. */
  readonly namespace?: string;
  /** Only runs of these jobs. `listRuns` searches the runs of each job separately. */
  readonly jobIds?: readonly string[];
  /** Only runs with this text in their id, job id, arguments or error. The case of ASCII letters is ignored. */
  readonly q?: string;
};

/**
 * Returns the part of the filter that an index covers. A query with this part reads only matching places. The rest of
 * the filter must be checked separately.
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

/** Whether the filter has conditions outside its indexed part. */
export function hasRest(filter: RunFilter): boolean {
  return residualsOf(filter).length > 0;
}

type Place = { created_at: number; id: string };
export type Places = SelectQueryBuilder<{ place: Place }, 'place', object>;

/** Which table a list by label reads first. Only `runs` can say whether a run is pending or running. */
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

/** Only places that are older than the position. */
export function below(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '<', eb.tuple(position.createdAtMs, position.id)),
  );
}

/** Only places that are as old as the position, or newer. */
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
 * Finds places by label. The row of a label has copies of the run's indexed columns. So the query reads a run only to
 * check other conditions.
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
 * Returns 1 if the run has the label, otherwise 0. `exists` is not used here, because a planner may turn it into a join
 * and read the tables in the other order.
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

/** Returns the conditions outside the indexed part. They are written so that the planner uses no index for them. */
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
    // If the planner used the index of this column, it could read any number of runs for one slice.
    if (value !== undefined && indexed[member] === undefined)
      found.push(sql<SqlBool>`${sql.ref(column)} || '' = ${value}`);
  }
  if (isTopLevel) found.push(eb('runs.trigger', '!=', 'job'));
  if (notLabel) found.push(eb(countOf(eb, notLabel), '=', 0));
  if (namespace !== undefined) found.push(isWithin('runs.job_id', namespace));
  if (q !== undefined) found.push(hasText(q));
  return found;
}

/** Counts instead of using `exists`, for the same reason as `countOf`. */
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
