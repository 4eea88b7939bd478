// The list of runs, newest first. A page is found by key on the index of its filter; of a list without runs, none is looked
// for.

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
  /** Runs to pass over; not looked at where there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type RunPage = { readonly runs: RunSummary[]; readonly total: number; readonly nextCursor: string | null };

/** A page: one run more is looked for, which tells that there is another. */
type Found = { readonly rows: readonly SummaryRow[]; readonly hasMore: boolean; readonly total: number };
type Range = { readonly after: Position | undefined; readonly offset: number; readonly limit: number };

/** Runs looked at in one go for free text: some 2 ms, after which others have their turn. */
const searchSlice = 1_000;

/** @throws Problem validation-error when `cursor` is none */
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
  // One upper end: of two, an index is searched for the first, and all down to the other passed over.
  const isBelowUntil = untilMs === undefined || (after && after.createdAtMs < untilMs);
  const rows = await selectPage[await wayOf(db, filter)](db, {
    ...(isBelowUntil ? others : filter),
    limit: limit + 1,
    offset,
    ...(after && { afterMs: after.createdAtMs, afterId: after.id }),
  });
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit, total };
}

/** Free text has no index: every run that matches the rest is looked at, slice by slice, so that nothing else stalls. */
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
