// Reads the counters of ended runs.

import { setImmediate as yieldNow } from 'node:timers/promises';
import type { Kysely, SelectQueryBuilder } from 'kysely';
import { type Buckets, quantileOf } from '../../domain/duration-buckets.ts';
import type { Database } from '../database.ts';
import { given } from '../query-parts.ts';
import type { RunTimesRow, Schema } from '../schema.ts';
import { ofAllJobs, type StatsSpan, spanMs } from './count-stats.ts';
import { countOldStats, removeOldStats, type StatsBefore } from './remove-stats.ts';

export type Counts = { readonly success: number; readonly failed: number; readonly cancelled: number };
/** Milliseconds; null if no run was counted. */
export type Quantiles = { readonly p50: number | null; readonly p95: number | null };
export type Times = { readonly duration: Quantiles; readonly waiting: Quantiles };
const nothing: Quantiles = { p50: null, p95: null };
export const noTimes: Times = { duration: nothing, waiting: nothing };

export type StatsFilter = {
  readonly jobId?: string | undefined;
  /** This namespace and those below. */
  readonly namespace?: string | undefined;
  readonly jobIds?: readonly string[] | undefined;
  readonly tenant?: string | undefined;
};
/** Both ends are whole spans. */
export type StatsWindow = { readonly span: StatsSpan; readonly fromMs: number; readonly toMs: number };

export type JobStats = Counts & {
  readonly jobId: string;
  readonly duration: Quantiles;
  /** The median of each day, oldest first; null for a day without a success. */
  readonly medians: readonly (number | null)[];
};

export type StatsStore = {
  /** Spans without runs are left out. Oldest first. */
  readonly counts: (filter: StatsFilter, window: StatsWindow) => Promise<readonly (Counts & { readonly at: number })[]>;
  /** For the whole window, and for each span in it that has runs, oldest first. */
  readonly times: (
    filter: StatsFilter,
    window: StatsWindow,
  ) => Promise<{ readonly whole: Times; readonly spans: readonly (Times & { readonly at: number })[] }>;
  /** The same for the whole window only, which takes a fraction of the time. */
  readonly wholeTimes: (filter: StatsFilter, window: StatsWindow) => Promise<Times>;
  /** By job or tenant. */
  readonly groups: (
    by: 'job_id' | 'tenant',
    filter: StatsFilter,
    window: StatsWindow,
  ) => Promise<readonly (Counts & { readonly of: string })[]>;
  /** Sums the days from `fromMs`. The medians are of the last `medianDays`. By default, all jobs that have runs. */
  readonly jobs: (o: {
    readonly jobIds?: readonly string[] | undefined;
    readonly tenant?: string | undefined;
    readonly fromMs: number;
    readonly todayMs: number;
    readonly medianDays: number;
  }) => Promise<readonly JobStats[]>;
  /** All jobs that have runs, sorted. Without a tenant, of all tenants. */
  readonly jobIds: (tenant: string | undefined) => Promise<readonly string[]>;
  /** Yields for each job how many of its counters it has removed. */
  readonly removeOld: (o: StatsBefore) => AsyncGenerator<number>;
  readonly countOld: (o: StatsBefore) => Promise<number>;
};

/** How many jobs to read before other work runs. */
const slice = 20;
/** How many spans of times to read at once. A span has some hundred rows, which the heap should not hold for long. */
const timesSlice = 6;
/** How many spans to sum up before other work runs. */
const wholeSlice = 30;

export function createStatsStore(database: Database): StatsStore {
  const { read } = database;
  return {
    async counts(filter, window) {
      const rows = await inWindow(read, 'run_stats', filter, window)
        .select((eb) => ['at', ...countColumns.map((column) => eb.fn.sum<number | string>(column).as(column))])
        .groupBy('at')
        .orderBy('at')
        .execute();
      return rows.map(({ at, ...counts }) => ({ at, ...toCounts(counts) }));
    },

    async times(filter, window) {
      const whole = newTally();
      const spans: (Times & { readonly at: number })[] = [];
      for await (const part of partsOf(window, timesSlice)) {
        const rows = await inWindow(read, 'run_times', filter, part)
          .select((eb) => ['at', 'measure', 'bucket', eb.fn.sum<number | string>('count').as('count')])
          .groupBy(['at', 'measure', 'bucket'])
          .orderBy('at')
          .execute();
        tally(rows, whole);
        for (const [at, own] of Map.groupBy(rows, (row) => row.at)) spans.push({ at, ...toTimes(tally(own)) });
      }
      return { whole: toTimes(whole), spans };
    },

    async wholeTimes(filter, window) {
      const whole = newTally();
      for await (const part of partsOf(window, wholeSlice)) {
        const rows = await inWindow(read, 'run_times', filter, part)
          .select((eb) => ['measure', 'bucket', eb.fn.sum<number | string>('count').as('count')])
          .groupBy(['measure', 'bucket'])
          .execute();
        tally(rows, whole);
      }
      return toTimes(whole);
    },

    async groups(by, filter, window) {
      const rows = await inWindow(read, 'run_stats', filter, window, by === 'job_id')
        .select((eb) => [by, ...countColumns.map((column) => eb.fn.sum<number | string>(column).as(column))])
        .groupBy(by)
        .orderBy(by)
        .execute();
      return rows.map((row) => ({ of: row[by], ...toCounts(row) }));
    },

    async jobs({ jobIds, ...o }) {
      const all = jobIds ?? (await jobsWithRuns(read, o.tenant));
      const found: JobStats[] = [];
      for (let n = 0; n < all.length; n += slice) {
        if (n > 0) await yieldNow();
        found.push(...(await statsOfJobs(read, all.slice(n, n + slice), o)));
      }
      return found;
    },

    jobIds: (tenant) => jobsWithRuns(read, tenant),
    removeOld: (o) => removeOldStats(database, o),
    countOld: (o) => countOldStats(database, o),
  };
}

/** Parts of so many spans. Other work runs between them. */
async function* partsOf({ span, fromMs, toMs }: StatsWindow, spans: number): AsyncGenerator<StatsWindow> {
  const sliceMs = spans * spanMs[span];
  for (let at = fromMs; at < toMs; at += sliceMs) {
    if (at > fromMs) await yieldNow();
    yield { span, fromMs: at, toMs: Math.min(toMs, at + sliceMs) };
  }
}

const countColumns = ['success', 'failed', 'cancelled'] as const;

/** `ofEachJob`: reads the counters of single jobs, even if the filter names no job and no namespace. */
function inWindow(
  db: Kysely<Schema>,
  table: 'run_stats' | 'run_times',
  { jobId, namespace, jobIds, tenant }: StatsFilter,
  { span, fromMs, toMs }: StatsWindow,
  ofEachJob = false,
) {
  const rows: SelectQueryBuilder<Schema, 'run_stats' | 'run_times', object> = db.selectFrom(table);
  const ofJob = jobId ?? (namespace === undefined && jobIds === undefined && !ofEachJob ? ofAllJobs : undefined);
  return rows
    .where((eb) => eb.and(given({ span, job_id: ofJob, tenant })))
    .where('at', '>=', fromMs)
    .where('at', '<', toMs)
    .$if(ofJob === undefined, (query) =>
      // The index begins with the job.
      query.where('job_id', 'in', (eb) => {
        const all = eb.selectFrom('run_counts').select('job_id').distinct();
        const known = jobIds === undefined ? all : all.where('job_id', 'in', jobIds);
        if (namespace === undefined) return known;
        return known.where('job_id', '>=', `${namespace}/`).where('job_id', '<', `${namespace}0`);
      }),
    );
}

async function jobsWithRuns(db: Kysely<Schema>, tenant: string | undefined): Promise<string[]> {
  const rows = await db
    .selectFrom('run_counts')
    .select('job_id')
    .distinct()
    .where((eb) => eb.and(given({ tenant })))
    .orderBy('job_id')
    .execute();
  return rows.map(({ job_id: id }) => id);
}

async function statsOfJobs(
  db: Kysely<Schema>,
  jobIds: readonly string[],
  o: Omit<Parameters<StatsStore['jobs']>[0], 'jobIds'>,
): Promise<JobStats[]> {
  const { tenant, fromMs, todayMs, medianDays } = o;
  const of = { span: 'day' as const, ...given({ tenant }) };
  const counts = await db
    .selectFrom('run_stats')
    .select((eb) => ['job_id', ...countColumns.map((column) => eb.fn.sum<number | string>(column).as(column))])
    .where((eb) => eb.and(of))
    .where('job_id', 'in', jobIds)
    .where('at', '>=', fromMs)
    .groupBy('job_id')
    .execute();
  // Summed here, because SQLite would sort them first.
  const times = await db
    .selectFrom('run_times')
    .select(['job_id', 'at', 'bucket', 'count'])
    .where((eb) => eb.and({ ...of, measure: 'took' }))
    .where('job_id', 'in', jobIds)
    .where('at', '>=', fromMs)
    .execute();
  const countsOf = new Map(counts.map((row) => [row.job_id, toCounts(row)]));
  const timesOf = Map.groupBy(times, ({ job_id: id }) => id);
  const days = Array.from({ length: medianDays }, (_, n) => todayMs - (medianDays - 1 - n) * spanMs.day);
  return jobIds.map((jobId) => {
    const own = timesOf.get(jobId) ?? [];
    const byDay = Map.groupBy(own, ({ at }) => at);
    return {
      jobId,
      ...(countsOf.get(jobId) ?? { success: 0, failed: 0, cancelled: 0 }),
      duration: quantiles(toBuckets(own)),
      medians: days.map((at) => quantileOf(toBuckets(byDay.get(at) ?? []), 0.5)),
    };
  });
}

type Counted = Pick<RunTimesRow, 'bucket'> & { readonly count: number | string };

type Tally = Readonly<Record<RunTimesRow['measure'], Map<number, number>>>;

function newTally(): Tally {
  return { took: new Map(), waited: new Map() };
}

function tally(rows: readonly (Counted & Pick<RunTimesRow, 'measure'>)[], into = newTally()): Tally {
  for (const row of rows) count(row, into[row.measure]);
  return into;
}

function toTimes({ took, waited }: Tally): Times {
  return { duration: quantiles(took), waiting: quantiles(waited) };
}

function toBuckets(rows: readonly Counted[]): Buckets {
  const buckets = new Map<number, number>();
  for (const row of rows) count(row, buckets);
  return buckets;
}

function count({ bucket, count: more }: Counted, buckets: Map<number, number>): void {
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + Number(more));
}

function quantiles(buckets: Buckets): Quantiles {
  return { p50: quantileOf(buckets, 0.5), p95: quantileOf(buckets, 0.95) };
}

/** PostgreSQL returns sums as texts. */
function toCounts(row: Readonly<Record<(typeof countColumns)[number], number | string>>): Counts {
  return { success: Number(row.success), failed: Number(row.failed), cancelled: Number(row.cancelled) };
}
