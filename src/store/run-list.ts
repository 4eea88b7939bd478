// The list of runs, newest first. A page is found by key on the index of its filter; the total comes from the counters
// where they cover the filter.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { RunSummary } from '../domain/run.ts';
import { isBelow, type Position, parseCursor, toCursor } from './cursor.ts';
import { sumRunCounts } from './run-counts.ts';
import { below, downTo, newestFirst, placesOf, type RunFilter } from './run-filter.ts';
import { summaryColumns, toSummary } from './run-rows.ts';
import type { Schema } from './schema.ts';

export type RunListQuery = RunFilter & {
  readonly limit: number;
  /** Runs to pass over; not looked at where there is a cursor. */
  readonly offset?: number;
  readonly cursor?: string;
};

export type RunPage = { readonly runs: RunSummary[]; readonly total: number; readonly nextCursor: string | null };

/** The ids of a page and one more, which tells that there is another page. */
type Found = { readonly ids: readonly string[]; readonly total: number };
type Range = { readonly after: Position | undefined; readonly offset: number; readonly limit: number };

/** Runs looked at in one go for free text: some 2 ms, after which others have their turn. */
const searchSlice = 1_000;

/** @throws Problem validation-error when `cursor` is none */
export async function listRuns(db: Kysely<Schema>, query: RunListQuery): Promise<RunPage> {
  const { limit, offset = 0, cursor, ...filter } = query;
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const range = { after, offset: after ? 0 : offset, limit: limit + 1 };
  const { ids, total } = await (filter.q === undefined ? find(db, filter, range) : search(db, filter, range));
  const rows = await db
    .selectFrom('runs')
    .select(summaryColumns)
    .where('id', 'in', ids.slice(0, limit))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  const last = rows.at(-1);
  return {
    runs: rows.map(toSummary),
    total,
    nextCursor: ids.length > limit && last ? toCursor({ createdAtMs: last.created_at, id: last.id }) : null,
  };
}

async function find(db: Kysely<Schema>, filter: RunFilter, { after, offset, limit }: Range): Promise<Found> {
  const found = await newestFirst(below(placesOf(db, filter), after))
    .select('place.id')
    .limit(limit)
    .offset(offset)
    .execute();
  return { ids: found.map(({ id }) => id), total: await count(db, filter) };
}

async function count(db: Kysely<Schema>, filter: RunFilter): Promise<number> {
  const { label, sinceMs, untilMs } = filter;
  if (label === undefined && sinceMs === undefined && untilMs === undefined) return sumRunCounts(db, filter);
  const { total } = await placesOf(db, filter)
    .select((eb) => eb.fn.countAll().as('total'))
    .executeTakeFirstOrThrow();
  return Number(total);
}

/** Free text has no index: every run that matches the rest is looked at, slice by slice, so that nothing else stalls. */
async function search(db: Kysely<Schema>, filter: RunFilter, { after, offset, limit }: Range): Promise<Found> {
  const { q: _, ...rest } = filter;
  const ids: string[] = [];
  let total = 0;
  let toPass = offset;
  let above: Position | undefined;
  for (;;) {
    const end = await newestFirst(below(placesOf(db, rest), above))
      .select(['place.id', 'place.created_at as createdAtMs'])
      .offset(searchSlice - 1)
      .limit(1)
      .executeTakeFirst();
    const slice = newestFirst(downTo(below(placesOf(db, filter), above), end));
    for (const place of await slice.select(['place.id', 'place.created_at as createdAtMs']).execute()) {
      total += 1;
      if (ids.length === limit || (after && !isBelow(place, after))) continue;
      if (toPass > 0) toPass -= 1;
      else ids.push(place.id);
    }
    if (!end) return { ids, total };
    above = end;
    await nextTurn();
  }
}
