// Lists runs, newest first. Finds a page by its key on the index of the filter. The counters say first whether there
// are any runs to look for.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { RunSummary } from '../../domain/run.ts';
import { isBelow, type Position, parseCursor, toCursor } from '../cursor.ts';
import { prepareQueries } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { below, downTo, newestFirst, placesOf, type RunFilter, type Way } from './run-filter.ts';
import { type SummaryRow, summaryColumns, toSummaries } from './run-rows.ts';
import { type FilterValues, toFilter, totalOf, wayOf } from './run-totals.ts';

export type RunListQuery = RunFilter & {
  readonly limit: number;
  /** How many runs to skip. Ignored with a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type RunPage = { readonly runs: RunSummary[]; readonly total: number; readonly nextCursor: string | null };

type Found = { readonly rows: readonly SummaryRow[]; readonly hasMore: boolean; readonly total: number };
type Range = { readonly after: Position | undefined; readonly offset: number; readonly limit: number };

/** How many runs a free-text search reads before it lets other work run: about 2 ms. */
const searchSlice = 1_000;

/** @throws Problem validation-error for a malformed cursor */
export async function listRuns(db: Kysely<Schema>, query: RunListQuery): Promise<RunPage> {
  const { limit, offset = 0, cursor, ...filter } = query;
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const range = { after, offset: after ? 0 : offset, limit };
  const { rows, hasMore, total } = await (filter.q === undefined ? find(db, filter, range) : search(db, filter, range));
  const last = rows.at(-1);
  return {
    runs: await toSummaries(db, rows),
    total,
    nextCursor: hasMore && last ? toCursor({ createdAtMs: last.created_at, id: last.id }) : null,
  };
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
    return selectSummaries(db).where('id', 'in', page.select('place.id').limit(limit).offset(offset));
  });
}

function selectSummaries(db: Kysely<Schema>) {
  return db.selectFrom('runs').select(summaryColumns).orderBy('created_at', 'desc').orderBy('id', 'desc');
}

async function find(db: Kysely<Schema>, { label, ...rest }: RunFilter, range: Range): Promise<Found> {
  const { after, offset, limit } = range;
  const filter: FilterValues = { ...rest, ...label };
  const total = await totalOf(db, filter);
  if (total === 0) return { rows: [], hasMore: false, total };
  const { untilMs, ...others } = filter;
  // Only one upper bound: with two, SQLite would seek to one of them and then skip row by row to the other.
  const isBelowUntil = untilMs === undefined || (after && after.createdAtMs < untilMs);
  const rows = await selectPage[await wayOf(db, filter)](db, {
    ...(isBelowUntil ? others : filter),
    limit: limit + 1,
    offset,
    ...(after && { afterMs: after.createdAtMs, afterId: after.id }),
  });
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit, total };
}

/**
 * Free text has no index. Reads every run that matches the rest of the filter, in slices, so that other work can run.
 */
async function search(db: Kysely<Schema>, filter: RunFilter, { after, offset, limit }: Range): Promise<Found> {
  const { q: _, ...rest } = filter;
  const { label, ...kind } = rest;
  const way = await wayOf(db, { ...kind, ...label });
  const ids: string[] = [];
  let total = 0;
  let toPass = offset;
  let above: Position | undefined;
  for (;;) {
    const end = await newestFirst(below(placesOf(db, rest, way), above))
      .select(['place.id', 'place.created_at as createdAtMs'])
      .offset(searchSlice - 1)
      .limit(1)
      .executeTakeFirst();
    const slice = newestFirst(downTo(below(placesOf(db, filter, way), above), end));
    for (const place of await slice.select(['place.id', 'place.created_at as createdAtMs']).execute()) {
      total += 1;
      if (ids.length > limit || (after && !isBelow(place, after))) continue;
      if (toPass > 0) toPass -= 1;
      else ids.push(place.id);
    }
    if (!end) {
      const shown = ids.slice(0, limit);
      const rows = shown.length > 0 ? await selectSummaries(db).where('id', 'in', shown).execute() : [];
      return { rows, hasMore: ids.length > limit, total };
    }
    above = end;
    await yieldNow();
  }
}
