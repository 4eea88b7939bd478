// Lists runs, newest first. It first asks the counters whether any run matches. Then it uses the index for the filter
// to find the page.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { RunSummary } from '../../domain/run.ts';
import { createYielder } from '../../lib/yielder.ts';
import { type Position, parseCursor, toCursor } from '../cursor.ts';
import { prepareQueries } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { below, downTo, hasRest, indexedPart, newestFirst, placesOf, type RunFilter, type Way } from './run-filter.ts';
import { type SummaryRow, selectSummaries, toSummaries } from './run-rows.ts';
import { countsAllOf, type FilterValues, toFilter, totalOf, wayOf } from './run-totals.ts';

export type RunListQuery = RunFilter & {
  readonly limit: number;
  /** How many runs to skip. It is ignored if there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type RunPage = {
  readonly runs: RunSummary[];
  readonly total: number;
  /** False if `total` is a lower bound. */
  readonly isTotalExact: boolean;
  readonly nextCursor: string | null;
};

type Total = { readonly total: number; readonly isTotalExact: boolean };
type Found = Total & {
  readonly rows: readonly SummaryRow[];
  /** The position after which the next page begins. */
  readonly next: Position | undefined;
};
type Range = { readonly after: Position | undefined; readonly offset: number; readonly limit: number };

/** How many runs a search reads before it lets other work run, if it must read the runs themselves. */
const searchSlice = 250;

/** How many runs a search reads before it lets other work run, if the index contains everything that it compares. */
const indexSlice = 5_000;

/** The most runs that one search reads. */
const mostSearched = 20_000;

/** @throws Problem validation-error for a malformed cursor */
export async function listRuns(db: Kysely<Schema>, query: RunListQuery): Promise<RunPage> {
  const { limit, offset = 0, cursor, ...filter } = query;
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const range = { after, offset: after ? 0 : offset, limit };
  const { jobIds, ...rest } = filter;
  const { rows, next, ...total } = await (jobIds !== undefined
    ? searchJobs(db, { ...rest, jobIds }, range)
    : isIndexed(filter)
      ? find(db, filter, range)
      : search(db, filter, range));
  return { runs: await toSummaries(db, rows), ...total, nextCursor: next ? toCursor(next) : null };
}

const position = ['place.id', 'place.created_at as createdAtMs'] as const;

/** The members of a filter for which `find` has prepared queries. */
const preparedMembers = ['jobId', 'status', 'stepStatus', 'tenant', 'source', 'label', 'sinceMs', 'untilMs'] as const;

/** Whether an index finds exactly the runs that match, in order. */
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

async function summariesOf(db: Kysely<Schema>, places: readonly Position[]): Promise<readonly SummaryRow[]> {
  const ids = places.map(({ id }) => id);
  return ids.length === 0 ? [] : inOrder(selectSummaries(db)).where('id', 'in', ids).execute();
}

async function find(db: Kysely<Schema>, { label, ...rest }: RunFilter, range: Range): Promise<Found> {
  const { after, offset, limit } = range;
  const filter: FilterValues = { ...rest, ...label };
  const total = await totalOf(db, filter);
  if (total === 0) return { rows: [], next: undefined, total, isTotalExact: true };
  const { untilMs, ...others } = filter;
  // The query has only one upper bound. With two, SQLite would start at one of them and then skip row by row to the
  // other.
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
 * Reads the runs that match the indexed part of the filter, and keeps those that match the rest. The next page
 * continues where this one stopped.
 */
async function search(db: Kysely<Schema>, filter: RunFilter, { after, offset, limit }: Range): Promise<Found> {
  const counted = await countsAllOf(db, filter);
  const wanted = offset + limit + 1;
  // The first page also needs the total, so its search continues after the page is full.
  const { found, end } = await searchFrom(db, filter, after, after || counted !== undefined ? wanted : Infinity);
  const shown = found.slice(offset, offset + limit);
  const rows = await summariesOf(db, shown);
  const next = found.length >= wanted ? shown.at(-1) : end;
  if (counted !== undefined) return { rows, next, total: counted, isTotalExact: true };
  const all = after ? await searchFrom(db, filter, undefined, Infinity) : { found, end };
  return { rows, next, total: all.found.length, isTotalExact: all.end === undefined };
}

/**
 * Searches the runs of each job separately, and merges the results. So neither the page nor its cursor reveals anything
 * about runs of other jobs.
 */
async function searchJobs(
  db: Kysely<Schema>,
  { jobIds, ...filter }: RunFilter & { readonly jobIds: readonly string[] },
  { after, offset, limit }: Range,
): Promise<Found> {
  const wanted = offset + limit + 1;
  const { label, ...kind } = filter;
  const counts = isIndexed(filter);
  const maybeYield = createYielder();
  const found: Position[] = [];
  const ends: Position[] = [];
  let total = 0;
  for (const jobId of jobIds) {
    const own = { ...filter, jobId };
    const all = counts ? undefined : await searchFrom(db, own, undefined, Infinity);
    const page = counts ? await newestOf(db, own, after, wanted) : await searchFrom(db, own, after, wanted);
    total += all ? all.found.length : await totalOf(db, { ...kind, ...label, jobId });
    found.push(...page.found);
    if (page.end && page.found.length < wanted) ends.push(page.end);
    await maybeYield();
  }
  const sorted = found.toSorted(byAge);
  // The search of a job may have stopped early. After the first place where a search stopped, runs may be missing, so
  // the page ends there.
  const [stop] = ends.toSorted(byAge);
  const known = stop ? sorted.filter((one) => byAge(one, stop) <= 0) : sorted;
  const shown = known.slice(offset, offset + limit);
  const rows = await summariesOf(db, shown);
  const next = known.length >= wanted ? shown.at(-1) : stop;
  return { rows, next, total, isTotalExact: counts || ends.length === 0 };
}

/** A comparison for sorting that puts the newest first. */
function byAge(a: Position, b: Position): number {
  if (a.createdAtMs !== b.createdAtMs) return b.createdAtMs - a.createdAtMs;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}

async function newestOf(
  db: Kysely<Schema>,
  filter: RunFilter,
  after: Position | undefined,
  most: number,
): Promise<Searched> {
  const { label, ...kind } = filter;
  const way = await wayOf(db, { ...kind, ...label });
  const places = newestFirst(below(placesOf(db, filter, way), after));
  return { found: await places.select(position).limit(most).execute(), end: undefined };
}

type Searched = {
  readonly found: readonly Position[];
  /** Where the search stopped; undefined if it has read all runs. */
  readonly end: Position | undefined;
};

/** Searches until it has `wanted` runs or has read `mostSearched`. It reads in slices, so that other work can run. */
async function searchFrom(
  db: Kysely<Schema>,
  filter: RunFilter,
  after: Position | undefined,
  wanted: number,
): Promise<Searched> {
  const indexed = indexedPart(filter);
  const { label, ...kind } = indexed;
  const way = await wayOf(db, { ...kind, ...label });
  const size = hasRest(filter) ? searchSlice : indexSlice;
  const found: Position[] = [];
  let above = after;
  for (let searched = 0; found.length < wanted; searched += size) {
    if (searched >= mostSearched) return { found, end: above };
    if (searched > 0) await yieldNow();
    const end = await newestFirst(below(placesOf(db, indexed, way), above))
      .select(position)
      .offset(size - 1)
      .limit(1)
      .executeTakeFirst();
    const slice = newestFirst(downTo(below(placesOf(db, filter, way), above), end)).select(position);
    for (const one of await slice.execute()) found.push(one);
    if (!end) return { found, end };
    above = end;
  }
  return { found, end: above };
}
