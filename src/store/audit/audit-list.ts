// Reads the audit log, newest first. Searches by object use an index. Searches by action use one, too, unless the
// action is `run.create`. Any other search reads the table in slices, so that other work can run in between (ADR 0018).

import { setImmediate as yieldNow } from 'node:timers/promises';
import { type Expression, expressionBuilder, type Kysely, type SqlBool, sql } from 'kysely';
import {
  type AuditAction,
  type AuditDetail,
  type AuditEntry,
  type AuditResult,
  kindOfActor,
} from '../../domain/audit.ts';
import { validationError } from '../../domain/problem.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { countRows, given } from '../query-parts.ts';
import { contains } from '../run/run-filter.ts';
import type { AuditRow, Schema } from '../schema.ts';

export type AuditFilter = {
  readonly actor?: string;
  readonly action?: AuditAction;
  readonly result?: AuditResult;
  readonly tenant?: string;
  /** The id of the object. */
  readonly object?: string;
  /** Only entries from this instant or later. */
  readonly sinceMs?: number;
  /** Only entries from before this instant. */
  readonly untilMs?: number;
  /** Text to search for in actor, object, address, reason and detail. Ignores the case of ASCII letters. */
  readonly q?: string;
};

export type AuditListQuery = AuditFilter & {
  readonly limit: number;
  /** How many entries to skip. It is ignored if there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type AuditEntries = { readonly entries: AuditEntry[]; readonly nextCursor: string | null };

export type AuditPage = AuditEntries & { readonly total: number };

/** A range of ids that includes both of its ends. */
type Range = { readonly from: number; readonly to: number };

/** How many rows to read before other work runs. Reading them takes about 4 ms. */
const sliceRows = 10_000;

/** @throws Problem validation-error for a malformed cursor */
export async function listAudit(db: Kysely<Schema>, query: AuditListQuery): Promise<AuditPage> {
  const { offset = 0, cursor, sinceMs, untilMs } = query;
  const range = await rangeOf(db, sinceMs, untilMs);
  const total = await count(db, query, range, sinceMs !== undefined || untilMs !== undefined);
  const page = await readPage(db, query, range, cursor === undefined ? total - offset : total);
  return { ...page, total };
}

/**
 * Like listAudit, but without the total. Counting the total may mean reading the whole log for each page.
 * @throws Problem validation-error for a malformed cursor
 */
export async function readAudit(db: Kysely<Schema>, query: AuditListQuery): Promise<AuditEntries> {
  return readPage(db, query, await rangeOf(db, query.sinceMs, query.untilMs), Infinity);
}

/** @param most at most this many entries match after the offset */
async function readPage(db: Kysely<Schema>, query: AuditListQuery, all: Range, most: number): Promise<AuditEntries> {
  const { limit, offset = 0, cursor } = query;
  const range = cursor === undefined ? all : { ...all, to: Math.min(all.to, parseCursor(cursor) - 1) };
  const rows: AuditRow[] = [];
  for await (const found of walk(db, query, range, cursor === undefined ? offset : 0, limit + 1)) {
    rows.push(...found);
    if (rows.length > limit || rows.length >= most) break;
  }
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { entries: shown.map(toEntry), nextCursor: rows.length > limit && last ? String(last.id) : null };
}

type Conditions = Omit<AuditFilter, 'sinceMs' | 'untilMs'>;

/**
 * Yields the entries of the range that match, newest first. The entries that the offset skips may be nearly the whole
 * log, so they are counted and not read.
 */
async function* walk(
  db: Kysely<Schema>,
  filter: Conditions,
  range: Range,
  offset: number,
  limit: number,
): AsyncGenerator<AuditRow[], void> {
  const slice = isIndexed(filter) ? Infinity : sliceRows;
  let toPass = offset;
  for (let to = range.to; to >= range.from; to -= slice) {
    const part = { from: Math.max(range.from, to - slice + 1), to };
    const passed = toPass > 0 ? Math.min(toPass, await countRows(matching(db, filter, part))) : 0;
    const rows = await matching(db, filter, part)
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit)
      .offset(passed)
      .execute();
    toPass -= passed;
    if (rows.length > 0) yield rows;
    if (slice === Infinity) return;
    await yieldNow();
  }
}

async function count(db: Kysely<Schema>, filter: Conditions, range: Range, isBounded: boolean): Promise<number> {
  const { actor, action, result, tenant, object, q } = filter;
  const isPlain = object === undefined && q === undefined;
  if (isPlain && !isBounded) {
    const counted = await db
      .selectFrom('audit_counts')
      .select((eb) => eb.fn.sum<number | string | null>('count').as('total'))
      .where((eb) => eb.and(given({ actor, action, result, tenant })))
      .executeTakeFirstOrThrow();
    return Number(counted.total ?? 0);
  }
  if (isPlain && [actor, action, result, tenant].every((one) => one === undefined)) {
    return Math.max(0, range.to - range.from + 1);
  }
  const slice = isIndexed(filter) ? Infinity : sliceRows;
  let total = 0;
  for (let to = range.to; to >= range.from; to -= slice) {
    total += await countRows(matching(db, filter, { from: Math.max(range.from, to - slice + 1), to }));
    if (slice === Infinity) return total;
    await yieldNow();
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
  const conditions: Expression<SqlBool>[] = [eb.and(given({ actor, action, result, tenant, object_id: object }))];
  // SQLite uses the partial index only if the query repeats the condition of the index.
  if (action !== undefined && action !== 'run.create') conditions.push(sql<SqlBool>`action <> 'run.create'`);
  if (q !== undefined) {
    const inJson = JSON.stringify(q).slice(1, -1);
    const columns = ['actor', 'object_id', 'origin', 'request_id', 'reason'];
    conditions.push(eb.or([...columns.map((column) => contains(column, q)), contains('detail', inJson)]));
  }
  return conditions;
}

/**
 * Returns the ids of the entries in a time range. No entry is older than the one before it, so a binary search finds
 * the ids.
 */
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
