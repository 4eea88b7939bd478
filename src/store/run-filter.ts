// Which runs a list shows, as a query of their places: age and id, which an index holds for each filter.

import {
  type AliasedExpression,
  type Expression,
  expressionBuilder,
  type Kysely,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from 'kysely';
import type { RunStatus } from '../domain/run.ts';
import type { Position } from './cursor.ts';
import type { Schema } from './schema.ts';

export type RunFilter = {
  readonly jobId?: string;
  readonly status?: RunStatus;
  readonly tenant?: string;
  readonly source?: string;
  readonly label?: { readonly key: string; readonly value?: string };
  /** Created at this instant or later. */
  readonly sinceMs?: number;
  /** Created before this instant. */
  readonly untilMs?: number;
  /** Free text in ids, arguments and errors; letters of ASCII in either case. */
  readonly q?: string;
};

type Place = { created_at: number; id: string };
export type Places = SelectQueryBuilder<{ place: Place }, 'place', object>;

export function placesOf(db: Kysely<Schema>, filter: RunFilter): Places {
  const { sinceMs, untilMs, label } = filter;
  let query: Places = db.selectFrom(label ? labelled(db, label, filter) : plain(db, filter));
  if (sinceMs !== undefined) query = query.where('place.created_at', '>=', sinceMs);
  if (untilMs !== undefined) query = query.where('place.created_at', '<', untilMs);
  return query;
}

export function newestFirst(query: Places): Places {
  return query.orderBy('place.created_at', 'desc').orderBy('place.id', 'desc');
}

/** Older than the position. */
export function below(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '<', eb.tuple(position.createdAtMs, position.id)),
  );
}

/** As old as the position, or younger. */
export function downTo(query: Places, position: Position | undefined): Places {
  if (!position) return query;
  return query.where((eb) =>
    eb(eb.refTuple('place.created_at', 'place.id'), '>=', eb.tuple(position.createdAtMs, position.id)),
  );
}

function plain(db: Kysely<Schema>, filter: RunFilter): AliasedExpression<Place, 'place'> {
  let query = db.selectFrom('runs').select(['runs.created_at', 'runs.id']);
  for (const condition of conditionsOf(filter)) query = query.where(condition);
  return query.as('place');
}

/** A label's row bears the age and the tenant of its run, so a list by label alone never looks at the runs. */
function labelled(
  db: Kysely<Schema>,
  { key, value }: NonNullable<RunFilter['label']>,
  filter: RunFilter,
): AliasedExpression<Place, 'place'> {
  let query = db
    .selectFrom('run_labels')
    .select(['run_labels.created_at', 'run_labels.run_id as id'])
    .where('run_labels.key', '=', key);
  if (value !== undefined) query = query.where('run_labels.value', '=', value);
  const { tenant, ...rest } = filter;
  if (tenant !== undefined) query = query.where('run_labels.tenant', '=', tenant);
  const conditions = conditionsOf(rest);
  if (conditions.length > 0) {
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('runs')
          .select('runs.id')
          .whereRef('runs.id', '=', 'run_labels.run_id')
          .where((run) => run.and(conditions)),
      ),
    );
  }
  return query.as('place');
}

function conditionsOf({ jobId, status, tenant, source, q }: RunFilter): Expression<SqlBool>[] {
  const eb = expressionBuilder<Schema, 'runs'>();
  const conditions: Expression<SqlBool>[] = [];
  if (jobId !== undefined) conditions.push(eb('runs.job_id', '=', jobId));
  if (status !== undefined) conditions.push(eb('runs.status', '=', status));
  if (tenant !== undefined) conditions.push(eb('runs.tenant', '=', tenant));
  if (source !== undefined) conditions.push(eb('runs.source', '=', source));
  if (q !== undefined) {
    // Arguments and errors are JSON texts, where a quote or a backslash is written escaped.
    const inJson = JSON.stringify(q).slice(1, -1);
    conditions.push(
      eb.or([
        contains('runs.id', q),
        contains('runs.job_id', q),
        contains('runs.args', inJson),
        contains('runs.error', inJson),
      ]),
    );
  }
  return conditions;
}

export function contains(column: string, text: string): Expression<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}
