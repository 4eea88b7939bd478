// Reads statistics from the counters of ended runs.

import { setImmediate as yieldNow } from 'node:timers/promises';
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import { type Buckets, quantileOf } from '../../domain/duration-buckets.ts';
import type { Database } from '../database.ts';
import { given } from '../query-parts.ts';
import type { RunTimesRow, Schema } from '../schema.ts';
import { ofAllJobs, type StatsSpan, spanMs } from './count-stats.ts';
import { countOldStats, removeOldStats, type StatsBefore } from './remove-stats.ts';

export type Counts = { readonly success: number; readonly failed: number; readonly cancelled: number };
/** Times in milliseconds; null if no run was counted. */
export type Quantiles = { readonly p50: number | null; readonly p95: number | null };
export type Times = { readonly duration: Quantiles; readonly waiting: Quantiles };
const nothing: Quantiles = { p50: null, p95: null };
export const noTimes: Times = { duration: nothing, waiting: nothing };

export type StatsFilter = {
  readonly jobId?: string | undefined;
  /** Only jobs in this namespace, including namespaces below it. */
  readonly namespace?: string | undefined;
  readonly jobIds?: readonly string[] | undefined;
  readonly tenant?: string | undefined;
};
/** `fromMs` must be the start of a span, and `toMs` the end of one. */
export type StatsWindow = { readonly span: StatsSpan; readonly fromMs: number; readonly toMs: number };

export type JobStats = Counts & {
  readonly jobId: string;
  readonly duration: Quantiles;
  /** The median duration of each day, oldest first; null if no run succeeded on that day. */
  readonly medians: readonly (number | null)[];
};

export type StatsStore = ReturnType<typeof createStatsStore>;

/** How many jobs are read before other work runs. */
const slice = 20;
/** How many spans with their durations are read before other work runs. */
const timesSlice = 10;

export function createStatsStore(database: Database) {
  const { read } = database;
  return {
    /** Returns the counts of each span, oldest first. Spans without runs are left out. */
    async counts(filter: StatsFilter, window: StatsWindow): Promise<readonly (Counts & { readonly at: number })[]> {
      const rows = await inWindow(read, 'run_stats', filter, window)
        .select((eb) => ['at', ...countColumns.map((column) => eb.fn.sum<number | string>(column).as(column))])
        .groupBy('at')
        .orderBy('at')
        .execute();
      return rows.map(({ at, ...counts }) => ({ at, ...toCounts(counts) }));
    },

    /** Returns the durations in the whole window, and in each span that has runs, oldest first. */
    async times(
      filter: StatsFilter,
      window: StatsWindow,
    ): Promise<{ readonly whole: Times; readonly spans: readonly (Times & { readonly at: number })[] }> {
      const whole = newTally();
      const spans = new Map<number, Tally>();
      for await (const part of partsOf(window)) {
        for (const { at, measure, durations } of await timesIn(read, filter, part)) {
          const ofSpan = spans.get(at) ?? newTally();
          spans.set(at, ofSpan);
          count(durations, ofSpan[measure], whole[measure]);
        }
      }
      const sorted = [...spans].toSorted(([a], [b]) => a - b);
      return { whole: toTimes(whole), spans: sorted.map(([at, ofSpan]) => ({ at, ...toTimes(ofSpan) })) };
    },

    /** Returns the counts of each job or each tenant. */
    groups: (
      by: 'job_id' | 'tenant',
      filter: StatsFilter,
      window: StatsWindow,
    ): Promise<readonly (Counts & { readonly of: string })[]> =>
      by === 'job_id' ? groupsByJob(read, filter, window) : groupsByTenant(read, filter, window),

    /**
     * Returns the sums of the days from `fromMs` on, and a median for each of the last `medianDays` days. Without
     * `jobIds`, returns all jobs that have runs.
     */
    async jobs(query: {
      readonly jobIds?: readonly string[] | undefined;
      readonly tenant?: string | undefined;
      readonly fromMs: number;
      readonly todayMs: number;
      readonly medianDays: number;
    }): Promise<readonly JobStats[]> {
      const all = query.jobIds ?? (await jobsWithRuns(read, query.tenant));
      const found: JobStats[] = [];
      for (let n = 0; n < all.length; n += slice) {
        if (n > 0) await yieldNow();
        found.push(...(await statsOfJobs(read, all.slice(n, n + slice), query)));
      }
      return found;
    },

    /** Returns all jobs that have runs, sorted. Without a tenant, the runs of all tenants count. */
    jobIds: (tenant: string | undefined): Promise<readonly string[]> => jobsWithRuns(read, tenant),
    /** Removes old counters job by job. Yields how many it has removed. */
    removeOld: (o: StatsBefore): AsyncGenerator<number> => removeOldStats(database, o),
    countOld: (o: StatsBefore): Promise<number> => countOldStats(database, o),
  };
}

/** Yields the window in parts, and lets other work run between them. */
async function* partsOf({ span, fromMs, toMs }: StatsWindow): AsyncGenerator<StatsWindow> {
  const sliceMs = timesSlice * spanMs[span];
  for (let at = fromMs; at < toMs; at += sliceMs) {
    if (at > fromMs) await yieldNow();
    yield { span, fromMs: at, toMs: Math.min(toMs, at + sliceMs) };
  }
}

const countColumns = ['success', 'failed', 'cancelled'] as const;

// SQLite returns all rows as one text. An object for each row would take longer than it takes to read the rows.
const durations = sql<string>`string_agg(bucket || ',' || count, ',')`;
const countsInOne = sql<string | null>`sum(success) || ',' || sum(failed) || ',' || sum(cancelled)`;

/**
 * Selects the counters in the window. If the filter names no job and no namespace, these are the counters of all jobs
 * together.
 */
function inWindow(
  db: Kysely<Schema>,
  table: 'run_stats' | 'run_times',
  filter: StatsFilter,
  { span, fromMs, toMs }: StatsWindow,
) {
  const rows: SelectQueryBuilder<Schema, 'run_stats' | 'run_times', object> = db.selectFrom(table);
  const ofJob = countersOf(filter);
  return rows
    .where((eb) => eb.and(given({ span, job_id: ofJob, tenant: filter.tenant })))
    .where('at', '>=', fromMs)
    .where('at', '<', toMs)
    .$if(ofJob === undefined, (query) => query.where('job_id', 'in', jobsOf(db, filter)));
}

/**
 * Returns the job whose counters are needed, or `ofAllJobs` for the counters of all jobs together. Returns undefined if
 * the counters of several jobs are needed.
 */
function countersOf({ jobId, namespace, jobIds }: StatsFilter): string | undefined {
  const ofAll = jobIds === undefined ? ofAllJobs : undefined;
  return namespace === undefined ? (jobId ?? ofAll) : undefined;
}

/**
 * Returns the durations of each span and measure. For several jobs, SQLite first adds up their counts, because reading
 * the counts of each job would take too long.
 */
function timesIn(db: Kysely<Schema>, filter: StatsFilter, part: StatsWindow) {
  const rows = inWindow(db, 'run_times', filter, part);
  if (countersOf(filter) !== undefined) {
    // This is the order of the key, so SQLite need not sort.
    const texts = rows.select(['at', 'measure', durations.as('durations')]).groupBy(['job_id', 'at', 'measure']);
    return texts.execute();
  }
  const sums = rows
    .select((eb) => ['at', 'measure', 'bucket', eb.fn.sum<number | string>('count').as('count')])
    .groupBy(['at', 'measure', 'bucket']);
  return db
    .selectFrom(sums.as('sums'))
    .select(['at', 'measure', durations.as('durations')])
    .groupBy(['at', 'measure'])
    .execute();
}

/** Selects the jobs by name, because the index of the counters begins with the job. */
function jobsOf(db: Kysely<Schema>, { jobId, namespace, jobIds }: StatsFilter) {
  return db
    .selectFrom('run_counts')
    .select('job_id')
    .distinct()
    .where((eb) => eb.and(given({ job_id: jobId })))
    .$if(jobIds !== undefined, (query) => query.where('job_id', 'in', jobIds ?? []))
    .$if(namespace !== undefined, (query) =>
      query.where('job_id', '>=', `${namespace}/`).where('job_id', '<', `${namespace}0`),
    );
}

/**
 * A subquery sums each job. In SQLite it takes two thirds of the time of `group by`, which compares the job names of
 * all rows.
 */
async function groupsByJob(db: Kysely<Schema>, filter: StatsFilter, { span, fromMs, toMs }: StatsWindow) {
  const rows = await db
    .selectFrom(jobsOf(db, filter).as('jobs'))
    .select('jobs.job_id as of')
    .select((of) =>
      of
        .selectFrom('run_stats')
        .select(countsInOne.as('counts'))
        .whereRef('run_stats.job_id', '=', 'jobs.job_id')
        .where((eb) => eb.and(given({ span, tenant: filter.tenant })))
        .where('at', '>=', fromMs)
        .where('at', '<', toMs)
        .as('counts'),
    )
    .orderBy('of')
    .execute();
  return rows.flatMap(({ of, counts }) => {
    if (counts === null) return [];
    const [success = 0, failed = 0, cancelled = 0] = toNumbers(counts);
    return [{ of, success, failed, cancelled }];
  });
}

async function groupsByTenant(db: Kysely<Schema>, filter: StatsFilter, window: StatsWindow) {
  const rows = await inWindow(db, 'run_stats', filter, window)
    .select((eb) => ['tenant as of', ...countColumns.map((column) => eb.fn.sum<number | string>(column).as(column))])
    .groupBy('tenant')
    .orderBy('tenant')
    .execute();
  return rows.map(({ of, ...counts }) => ({ of, ...toCounts(counts) }));
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
  const times = await db
    .selectFrom('run_times')
    .select(['job_id', 'at', durations.as('durations')])
    .where((eb) => eb.and({ ...of, measure: 'took' }))
    .where('job_id', 'in', jobIds)
    .where('at', '>=', fromMs)
    .groupBy(['job_id', 'at'])
    .execute();
  const countsOf = new Map(counts.map((row) => [row.job_id, toCounts(row)]));
  const timesOf = Map.groupBy(times, ({ job_id: id }) => id);
  const days = Array.from({ length: medianDays }, (_, n) => todayMs - (medianDays - 1 - n) * spanMs.day);
  return jobIds.map((jobId) => {
    const whole: Buckets = [];
    const medianAt = new Map<number, number | null>();
    for (const { at, durations } of timesOf.get(jobId) ?? []) {
      const ofDay: Buckets = [];
      count(durations, ofDay, whole);
      medianAt.set(at, quantileOf(ofDay, 0.5));
    }
    return {
      jobId,
      ...(countsOf.get(jobId) ?? { success: 0, failed: 0, cancelled: 0 }),
      duration: quantiles(whole),
      medians: days.map((at) => medianAt.get(at) ?? null),
    };
  });
}

type Tally = Readonly<Record<RunTimesRow['measure'], Buckets>>;

function newTally(): Tally {
  return { took: [], waited: [] };
}

function toTimes({ took, waited }: Tally): Times {
  return { duration: quantiles(took), waiting: quantiles(waited) };
}

function count(durations: string, ...into: readonly Buckets[]): void {
  const numbers = toNumbers(durations);
  for (let n = 0; n < numbers.length; n += 2) {
    const [bucket = 0, more = 0] = [numbers[n], numbers[n + 1]];
    for (const buckets of into) buckets[bucket] = (buckets[bucket] ?? 0) + more;
  }
}

function quantiles(buckets: Buckets): Quantiles {
  return { p50: quantileOf(buckets, 0.5), p95: quantileOf(buckets, 0.95) };
}

function toNumbers(list: string): number[] {
  return JSON.parse(`[${list}]`);
}

/** PostgreSQL returns sums as text. */
function toCounts(row: Readonly<Record<(typeof countColumns)[number], number | string>>): Counts {
  return { success: Number(row.success), failed: Number(row.failed), cancelled: Number(row.cancelled) };
}
