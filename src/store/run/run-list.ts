// Lists runs, newest first. Finds a page by its key on the index of the filter. The counters say first whether there
// are any runs to look for.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { RunSummary } from '../../domain/run.ts';
import { type Position, parseCursor, toCursor } from '../cursor.ts';
import { prepareQueries } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import {
  below,
  downTo,
  indexedPart,
  newestFirst,
  type Places,
  placesOf,
  type RunFilter,
  type Way,
} from './run-filter.ts';
import { type SummaryRow, selectSummaries, toSummaries } from './run-rows.ts';
import { countsAllOf, type FilterValues, toFilter, totalOf, wayOf } from './run-totals.ts';

export type RunListQuery = RunFilter & {
  readonly limit: number;
  /** How many runs to skip. Ignored with a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type RunPage = {
  readonly runs: RunSummary[];
  readonly total: number;
  /** false: at least `total` runs match. */
  readonly isTotalExact: boolean;
  readonly nextCursor: string | null;
};

type Total = { readonly total: number; readonly isTotalExact: boolean };
type Found = Total & {
  readonly rows: readonly SummaryRow[];
  /** Where the next page begins. */
  readonly next: Position | undefined;
};
type Range = { readonly after: Position | undefined; readonly offset: number; readonly limit: number };

/** How many runs a search reads before it lets other work run: about 2 ms. */
const searchSlice = 1_000;

/** How many runs a search reads for one page, and for one total: at most about 0.2 s each. */
const mostSearched = 100_000;

/** @throws Problem validation-error for a malformed cursor */
export async function listRuns(db: Kysely<Schema>, query: RunListQuery): Promise<RunPage> {
  const { limit, offset = 0, cursor, ...filter } = query;
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const range = { after, offset: after ? 0 : offset, limit };
  const { rows, next, ...total } = await (isIndexed(filter) ? find(db, filter, range) : search(db, filter, range));
  return { runs: await toSummaries(db, rows), ...total, nextCursor: next ? toCursor(next) : null };
}

/** The members of a filter that `find` has prepared queries for. */
const preparedMembers = ['jobId', 'status', 'stepStatus', 'tenant', 'source', 'label', 'sinceMs', 'untilMs'] as const;

/** Whether an index has all runs that match, in order, and nothing else. */
function isIndexed(filter: RunFilter): boolean {
  const prepared = new Set<string>(preparedMembers);
  return Object.entries(filter).every(([name, value]) => value === undefined || prepared.has(name));
}

type RangeValues = {
  readonly limit: number;
  readonly offset: number;
  readonly afterMs?: number;
  readonly afterId?: string;
};

const selectPage = { runs: preparePage('runs'), labels: preparePage('labels') } satisfies Record<Way, unknown>;

function preparePage(way: Way) {
  return prepareQueries((db, { limit, offset, afterMs, afterId, ...filter }: FilterValues & RangeValues) => {
    const after = afterMs === undefined || afterId === undefined ? undefined : { createdAtMs: afterMs, id: afterId };
    const page = newestFirst(below(placesOf(db, toFilter(filter), way), after));
    return inOrder(selectSummaries(db)).where('id', 'in', page.select('place.id').limit(limit).offset(offset));
  });
}

function inOrder(query: ReturnType<typeof selectSummaries>) {
  return query.orderBy('created_at', 'desc').orderBy('id', 'desc');
}

async function find(db: Kysely<Schema>, { label, ...rest }: RunFilter, range: Range): Promise<Found> {
  const { after, offset, limit } = range;
  const filter: FilterValues = { ...rest, ...label };
  const total = await totalOf(db, filter);
  if (total === 0) return { rows: [], next: undefined, total, isTotalExact: true };
  const { untilMs, ...others } = filter;
  // Only one upper bound: with two, SQLite would seek to one of them and then skip row by row to the other.
  const isBelowUntil = untilMs === undefined || (after && after.createdAtMs < untilMs);
  const rows = await selectPage[await wayOf(db, filter)](db, {
    ...(isBelowUntil ? others : filter),
    limit: limit + 1,
    offset,
    ...(after && { afterMs: after.createdAtMs, afterId: after.id }),
  });
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return { rows: shown, next: last && { createdAtMs: last.created_at, id: last.id }, total, isTotalExact: true };
}

/**
 * Reads the runs that match the part of the filter that has an index, and keeps those that match the rest: in slices,
 * so that other work can run, and not more than `mostSearched`. The next page continues where this one stopped.
 */
async function search(db: Kysely<Schema>, filter: RunFilter, { after, offset, limit }: Range): Promise<Found> {
  const total = await totalOfSearch(db, filter);
  const ids: Position[] = [];
  let toPass = offset;
  const end = await eachSlice(db, filter, after, async (slice) => {
    const rest = limit + 1 + toPass - ids.length;
    const found = await newestFirst(slice)
      .select(['place.id', 'place.created_at as createdAtMs'])
      .limit(rest)
      .execute();
    const passed = Math.min(toPass, found.length);
    toPass -= passed;
    ids.push(...found.slice(passed));
    return ids.length <= limit;
  });
  const shown = ids.slice(0, limit);
  const wanted = shown.map(({ id }) => id);
  const rows = wanted.length > 0 ? await inOrder(selectSummaries(db)).where('id', 'in', wanted).execute() : [];
  return { rows, next: ids.length > limit ? shown.at(-1) : end, ...total };
}

async function totalOfSearch(db: Kysely<Schema>, filter: RunFilter): Promise<Total> {
  const counted = await countsAllOf(db, filter);
  if (counted !== undefined) return { total: counted, isTotalExact: true };
  let total = 0;
  const end = await eachSlice(db, filter, undefined, async (slice) => {
    const { found } = await slice
      .select((eb) => eb.fn.countAll<number | string>().as('found'))
      .executeTakeFirstOrThrow();
    total += Number(found);
    return true;
  });
  return { total, isTotalExact: end === undefined };
}

/**
 * Calls `read` with slice after slice of the runs that match, until it returns false.
 * @returns where it stopped, if there may be more
 */
async function eachSlice(
  db: Kysely<Schema>,
  filter: RunFilter,
  after: Position | undefined,
  read: (slice: Places) => Promise<boolean>,
): Promise<Position | undefined> {
  const indexed = indexedPart(filter);
  const { label, ...kind } = indexed;
  const way = await wayOf(db, { ...kind, ...label });
  let above = after;
  for (let searched = 0; ; searched += searchSlice) {
    if (searched >= mostSearched) return above;
    if (searched > 0) await yieldNow();
    const end = await newestFirst(below(placesOf(db, indexed, way), above))
      .select(['place.id', 'place.created_at as createdAtMs'])
      .offset(searchSlice - 1)
      .limit(1)
      .executeTakeFirst();
    const isWanted = await read(downTo(below(placesOf(db, filter, way), above), end));
    if (!isWanted || !end) return undefined;
    above = end;
  }
}
