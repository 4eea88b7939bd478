// Computes the total of a list of runs. It sums counters if they cover the filter, and counts all other runs with an
// index.

import type { Kysely } from 'kysely';
import { isFinished, type RunStatus } from '../../domain/run.ts';
import { prepareQueries } from '../prepared-query.ts';
import type { Schema } from '../schema.ts';
import { hourMs, subRunLabel, sumEndedByLabel, sumEndedByTime, sumEndedWithin, toLabel } from './ended-counts.ts';
import { sumRunCounts, sumRunCountsWithin } from './run-counts.ts';
import { placesOf, type RunFilter, type Way } from './run-filter.ts';

/** A filter without free text, as a flat object for a prepared query. */
export type FilterValues = Pick<RunFilter, 'jobId' | 'status' | 'stepStatus' | 'tenant' | 'source'> &
  Pick<RunFilter, 'sinceMs' | 'untilMs'> & { readonly key?: string; readonly value?: string };

/** In the time that it takes to look up the label of one run, this many rows of labels can be skipped. */
const rowsOfALook = 40;

const underWay: readonly RunStatus[] = ['pending', 'running'];

const counts = { runs: prepareCount('runs'), labels: prepareCount('labels') } satisfies Record<Way, unknown>;

function prepareCount(way: Way) {
  return prepareQueries((db, filter: FilterValues) =>
    placesOf(db, toFilter(filter), way).select((eb) => eb.fn.countAll().as('total')),
  );
}

export function toFilter({ key, value, ...rest }: FilterValues): RunFilter {
  if (key === undefined) return rest;
  return { ...rest, label: value === undefined ? { key } : { key, value } };
}

export async function totalOf(db: Kysely<Schema>, filter: FilterValues): Promise<number> {
  // There are no counters for the status of steps.
  if (filter.stepStatus !== undefined) return countOnIndex(db, filter);
  const { key, value, sinceMs, untilMs, ...kind } = filter;
  const isTimed = sinceMs !== undefined || untilMs !== undefined;
  if (key === undefined && !isTimed) return sumRunCounts(db, kind);
  if (kind.status !== undefined && !isFinished(kind.status)) return countOnIndex(db, filter);
  if (kind.jobId === undefined && isTimed) return totalOfTimes(db, filter);
  if (key === undefined) return countOnIndex(db, filter);
  const label = { key, ...(value !== undefined && { value }) };
  const ended = await sumEndedByLabel(db, { label: toLabel(key, value), ...kind });
  const total = ended + (await countUnderWay(db, { ...kind, ...label }));
  return isTimed && total > 0 ? countOnIndex(db, filter) : total;
}

/**
 * Returns the total of a search; undefined if no counters cover it. Counters can cover a search that leaves out
 * sub-runs or is limited to a namespace.
 */
export async function countsAllOf(db: Kysely<Schema>, filter: RunFilter): Promise<number | undefined> {
  const { isTopLevel, namespace, createdBy, trigger, notLabel, jobIds, q, label, ...kind } = filter;
  const others = [createdBy, trigger, notLabel, jobIds, q, label, kind.stepStatus];
  if (others.some((value) => value !== undefined)) return undefined;
  if (namespace === undefined) {
    return isTopLevel && (await totalOf(db, kind)) - (await totalOf(db, { ...kind, key: subRunLabel }));
  }
  const { sinceMs, untilMs, ...counted } = kind;
  // There are no counters by both job and hour of creation.
  if (sinceMs !== undefined || untilMs !== undefined) return undefined;
  const all = await sumRunCountsWithin(db, namespace, counted);
  return isTopLevel ? all - (await subRunsWithin(db, namespace, counted)) : all;
}

async function subRunsWithin(
  db: Kysely<Schema>,
  namespace: string,
  kind: Pick<RunFilter, 'jobId' | 'status' | 'tenant' | 'source'>,
): Promise<number> {
  const { status } = kind;
  let total = await sumEndedWithin(db, namespace, { label: toLabel(subRunLabel), ...kind });
  for (const of of underWay) {
    if (status !== undefined && status !== of) continue;
    const filter = { ...kind, namespace, status: of, label: { key: subRunLabel } };
    const { found } = await placesOf(db, filter, 'runs')
      .select((eb) => eb.fn.countAll<number | string>().as('found'))
      .executeTakeFirstOrThrow();
    total += Number(found);
  }
  return total;
}

/**
 * Sums the counters of full hours. Runs before and after these hours, and runs that have not ended, are counted with an
 * index.
 */
async function totalOfTimes(db: Kysely<Schema>, { sinceMs, untilMs, ...filter }: FilterValues): Promise<number> {
  const fromMs = sinceMs === undefined ? undefined : Math.ceil(sinceMs / hourMs) * hourMs;
  const toMs = untilMs === undefined ? undefined : Math.floor(untilMs / hourMs) * hourMs;
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    return countOnIndex(db, { ...filter, ...within(sinceMs, untilMs) });
  }
  const { key, value, jobId: _, ...kind } = filter;
  let total = await sumEndedByTime(db, {
    ...kind,
    ...(key !== undefined && { label: toLabel(key, value) }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  });
  total += await countUnderWay(db, { ...filter, ...within(fromMs, toMs) });
  if (sinceMs !== fromMs) total += await countOnIndex(db, { ...filter, ...within(sinceMs, fromMs) });
  if (untilMs !== toMs) total += await countOnIndex(db, { ...filter, ...within(toMs, untilMs) });
  return total;
}

function within(sinceMs: number | undefined, untilMs: number | undefined): Pick<FilterValues, 'sinceMs' | 'untilMs'> {
  return { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
}

async function countUnderWay(db: Kysely<Schema>, filter: FilterValues): Promise<number> {
  if (filter.status !== undefined) return 0;
  let total = 0;
  for (const status of underWay) total += await countOnIndex(db, { ...filter, status });
  return total;
}

async function countOnIndex(db: Kysely<Schema>, filter: FilterValues): Promise<number> {
  const [row] = await counts[await wayOf(db, filter)](db, filter);
  return Number(row?.total);
}

/**
 * Decides which index a list by label uses. Usually it reads the rows of the label, and skips rows that do not match
 * the rest of the filter. If few runs match the rest, it is faster to look up the labels of these runs.
 */
export async function wayOf(db: Kysely<Schema>, filter: FilterValues): Promise<Way> {
  const { key, value, sinceMs: _since, untilMs: _until, ...kind } = filter;
  const { jobId, status, source, tenant } = kind;
  if (key === undefined || (status !== undefined && !isFinished(status))) return 'runs';
  if (jobId !== undefined || (status === undefined && source === undefined)) return 'labels';
  const runs = await sumRunCounts(db, kind);
  const label = toLabel(key, value);
  const rows = await sumEndedByLabel(db, tenant === undefined ? { label } : { label, tenant });
  return runs * rowsOfALook < rows ? 'runs' : 'labels';
}
