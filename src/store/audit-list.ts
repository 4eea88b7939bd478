// Reads the audit log, newest first. One object, or what is no start of a run, is found on an index; everything else by
// walking the table in slices, so that nothing else stalls (ADR 0018).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Expression, expressionBuilder, type Kysely, type SqlBool, sql } from 'kysely';
import { type AuditAction, type AuditDetail, type AuditEntry, type AuditResult, kindOfActor } from '../domain/audit.ts';
import { validationError } from '../domain/problem.ts';
import { toTimestamp } from '../lib/clock.ts';
import { contains } from './run-filter.ts';
import type { AuditRow, Schema } from './schema.ts';

export type AuditFilter = {
  readonly actor?: string;
  readonly action?: AuditAction;
  readonly result?: AuditResult;
  readonly tenant?: string;
  /** The id of what it was done to. */
  readonly object?: string;
  /** At this instant or later. */
  readonly sinceMs?: number;
  /** Before this instant. */
  readonly untilMs?: number;
  /** Free text in actor, object, address, reason and detail; letters of ASCII in either case. */
  readonly q?: string;
};

export type AuditListQuery = AuditFilter & {
  readonly limit: number;
  /** Rows to pass over; not looked at where there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type AuditPage = {
  readonly entries: AuditEntry[];
  readonly total: number;
  readonly nextCursor: string | null;
};

/** Ids in between, both of them. */
type Range = { readonly from: number; readonly to: number };

/** Some 4 ms. */
const sliceRows = 10_000;

/** @throws Problem validation-error when `cursor` is none */
export async function listAudit(db: Kysely<Schema>, query: AuditListQuery): Promise<AuditPage> {
  const { limit, offset = 0, cursor, sinceMs, untilMs, ...filter } = query;
  const above = cursor === undefined ? undefined : parseCursor(cursor);
  const all = await rangeOf(db, sinceMs, untilMs);
  const total = await count(db, filter, all, sinceMs !== undefined || untilMs !== undefined);
  const range = above === undefined ? all : { ...all, to: Math.min(all.to, above - 1) };
  let toPass = above === undefined ? offset : 0;
  const most = above === undefined ? total - offset : total;
  const rows: AuditRow[] = [];
  for await (const found of walk(db, filter, range, toPass + limit + 1)) {
    rows.push(...found.slice(toPass));
    toPass = Math.max(0, toPass - found.length);
    if (rows.length > limit || rows.length >= most) break;
  }
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    entries: shown.map(toEntry),
    total,
    nextCursor: rows.length > limit && last ? String(last.id) : null,
  };
}

type Conditions = Omit<AuditFilter, 'sinceMs' | 'untilMs'>;

async function* walk(
  db: Kysely<Schema>,
  filter: Conditions,
  range: Range,
  limit: number,
): AsyncGenerator<AuditRow[], void> {
  const slice = isIndexed(filter) ? Infinity : sliceRows;
  for (let to = range.to; to >= range.from; to -= slice) {
    const from = Math.max(range.from, to - slice + 1);
    const rows = await matching(db, filter, { from, to }).selectAll().orderBy('id', 'desc').limit(limit).execute();
    if (rows.length > 0) yield rows;
    if (slice === Infinity) return;
    await nextTurn();
  }
}

async function count(db: Kysely<Schema>, filter: Conditions, range: Range, isBounded: boolean): Promise<number> {
  const { actor, action, result, tenant, object, q } = filter;
  const isPlain = object === undefined && q === undefined;
  if (isPlain && !isBounded) {
    let query = db.selectFrom('audit_counts').select((eb) => eb.fn.sum<number | string | null>('count').as('total'));
    if (actor !== undefined) query = query.where('actor', '=', actor);
    if (action !== undefined) query = query.where('action', '=', action);
    if (result !== undefined) query = query.where('result', '=', result);
    if (tenant !== undefined) query = query.where('tenant', '=', tenant);
    return Number((await query.executeTakeFirstOrThrow()).total ?? 0);
  }
  if (isPlain && [actor, action, result, tenant].every((one) => one === undefined)) {
    return Math.max(0, range.to - range.from + 1);
  }
  const slice = isIndexed(filter) ? Infinity : sliceRows;
  let total = 0;
  for (let to = range.to; to >= range.from; to -= slice) {
    const { found } = await matching(db, filter, { from: Math.max(range.from, to - slice + 1), to })
      .select((eb) => eb.fn.countAll().as('found'))
      .executeTakeFirstOrThrow();
    total += Number(found);
    if (slice === Infinity) return total;
    await nextTurn();
  }
  return total;
}

function matching(db: Kysely<Schema>, filter: Conditions, { from, to }: Range) {
  return db
    .selectFrom('audit')
    .where('id', '>=', from)
    .where('id', '<=', to)
    .where((eb) => eb.and(conditionsOf(filter)));
}

function isIndexed({ object, action }: Conditions): boolean {
  return object !== undefined || (action !== undefined && action !== 'run.create');
}

function conditionsOf({ actor, action, result, tenant, object, q }: Conditions): Expression<SqlBool>[] {
  const eb = expressionBuilder<Schema, 'audit'>();
  const conditions: Expression<SqlBool>[] = [];
  if (actor !== undefined) conditions.push(eb('actor', '=', actor));
  if (action !== undefined) conditions.push(eb('action', '=', action));
  // What the index leaves out is said again, or SQLite would not use it.
  if (action !== undefined && action !== 'run.create') conditions.push(sql<SqlBool>`action <> 'run.create'`);
  if (result !== undefined) conditions.push(eb('result', '=', result));
  if (tenant !== undefined) conditions.push(eb('tenant', '=', tenant));
  if (object !== undefined) conditions.push(eb('object_id', '=', object));
  if (q !== undefined) {
    const inJson = JSON.stringify(q).slice(1, -1);
    const columns = ['actor', 'object_id', 'origin', 'request_id', 'reason'];
    conditions.push(eb.or([...columns.map((column) => contains(column, q)), contains('detail', inJson)]));
  }
  return conditions;
}

/** The rows of a time. Instants never go back along the ids, so that it is found by halving. */
async function rangeOf(db: Kysely<Schema>, sinceMs: number | undefined, untilMs: number | undefined): Promise<Range> {
  const first = await edge(db, 'asc');
  const last = await edge(db, 'desc');
  const all = { from: first ?? 1, to: last ?? 0 };
  const firstNotBefore = async (atMs: number): Promise<number> => {
    let { from, to } = { from: all.from, to: all.to + 1 };
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const row = await db.selectFrom('audit').select('at').where('id', '=', middle).executeTakeFirst();
      if (row && row.at >= atMs) to = middle;
      else from = middle + 1;
    }
    return from;
  };
  return {
    from: sinceMs === undefined ? all.from : await firstNotBefore(sinceMs),
    to: untilMs === undefined ? all.to : (await firstNotBefore(untilMs)) - 1,
  };
}

async function edge(db: Kysely<Schema>, direction: 'asc' | 'desc'): Promise<number | undefined> {
  return (await db.selectFrom('audit').select('id').orderBy('id', direction).limit(1).executeTakeFirst())?.id;
}

function parseCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw validationError([{ pointer: '?cursor', message: 'is not a cursor of this list', keyword: 'cursor' }]);
}

function toEntry(row: AuditRow): AuditEntry {
  const { id, actor, tenant, action, result, object_kind: kind, object_id, origin, request_id, reason, hash } = row;
  const detail: AuditDetail | null = row.detail === null ? null : JSON.parse(row.detail);
  return {
    id,
    at: toTimestamp(row.at),
    actor: { kind: kindOfActor(actor), name: actor },
    tenant,
    action,
    object: kind === null ? null : { kind, id: object_id },
    from: origin,
    request_id,
    result,
    reason,
    detail,
    hash,
  };
}
