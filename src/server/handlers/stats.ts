// Statistics of ended runs, from counters. An answer is cached until the database changes (ADR 0025). An answer about
// many jobs is cached for some seconds.

import { LRUCache } from 'lru-cache';
import type { AnswerOf, QueryOf } from '../../contract/operations.ts';
import { assertReached, type Principal, type Reach } from '../../domain/principal.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import { createSharedRead } from '../../lib/shared-read.ts';
import type { RunReading, StatsReading } from '../../store/reading.ts';
import { spanMs } from '../../store/stats/count-stats.ts';
import { type Counts, type JobStats, noTimes, type Quantiles, type Times } from '../../store/stats/stats.ts';
import { sendJson } from '../answers/stored-answer.ts';
import type { Handlers } from '../exchange.ts';
import { type StatsTime, spansOf, timeOf, widened } from './stats-window.ts';

type Parts = {
  readonly stats: StatsReading;
  readonly runs: Pick<RunReading, 'last' | 'generation'>;
  readonly clock: Clock;
};
type Stats = AnswerOf<'getStats'>;
type JobsStats = AnswerOf<'getJobStats'>;

const cachedChars = 4 * 1024 * 1024;
/** How many different queries can be in progress at the same time. Equal queries share one read. */
const mostReads = 1_000;
const daysOfJobs = 30;
const medianDays = 14;
const lastRuns = 10;
/** From this number of jobs on, an answer is cached for some time, which grows with the number of jobs. */
const manyJobs = 100;
const keptMsPerJob = 2;

export function createStatsHandlers(o: Parts): Pick<Handlers, 'getStats' | 'getJobStats'> {
  const kept = createKeptAnswers(o.runs.generation);
  return {
    async getStats({ request, reply, query }) {
      assertReached(request.principal, query.tenant);
      const { principal } = request;
      // Statistics by the day change even if no run has changed, because the answer depends on how much of today has
      // passed.
      const hour = Math.floor(o.clock.now() / spanMs.hour);
      return sendJson(reply, await kept(keyFor(principal, query, hour), () => statsOf(o, query, principal)));
    },

    async getJobStats({ request, reply, query }) {
      const { principal } = request;
      const todayMs = dayOf(o.clock.now());
      const key = keyFor(principal, query, todayMs);
      const keptMs = ({ jobs }: JobsStats) =>
        query.ids === undefined && jobs.length >= manyJobs ? jobs.length * keptMsPerJob : 0;
      return sendJson(reply, await kept(key, () => jobStatsOf(o, query, todayMs, principal), keptMs));
    },
  };
}

/**
 * Returns null if the answer may not be cached, because the jobs that this caller may see can change without a change
 * of the database.
 */
function keyFor({ tenant, jobs }: Principal, query: object, atMs: number): string | null {
  return jobs ? null : JSON.stringify([tenant, query, atMs]);
}

type Answer = { readonly generation: string | number; readonly untilMs: number; readonly text: string };

/** Callers who ask the same question at the same time share one read. */
function createKeptAnswers(generationOf: RunReading['generation']) {
  const answers = new LRUCache<string, Answer>({ maxSize: cachedChars });
  const reads = new LRUCache<string, () => Promise<string>>({ max: mostReads });

  async function read<T>(key: string, answer: () => Promise<T>, keptMs: (answer: T) => number): Promise<string> {
    // The generation is read first. If a change is committed before the answer is read, the entry gets the old
    // generation, and so counts as outdated.
    const generation = await generationOf();
    const known = answers.get(key);
    if (known && (known.generation === generation || performance.now() < known.untilMs)) return known.text;
    const found = await answer();
    const text = JSON.stringify(found);
    const untilMs = performance.now() + keptMs(found);
    answers.set(key, { generation, untilMs, text }, { size: key.length + text.length });
    return text;
  }

  return async <T>(
    key: string | null,
    answer: () => Promise<T>,
    keptMs: (answer: T) => number = () => 0,
  ): Promise<string> => {
    if (key === null) return JSON.stringify(await answer());
    const shared = reads.get(key) ?? createSharedRead(() => read(key, answer, keptMs));
    reads.set(key, shared);
    return shared();
  };
}

async function statsOf({ stats, clock }: Parts, query: QueryOf<'getStats'>, reach: Reach): Promise<Stats> {
  const { window, before, share, timesSpan } = timeOf(query, clock.now());
  const { job_id: jobId, namespace, tenant, by } = query;
  const of = stats({ jobId, namespace, tenant }, reach);
  const counts = await of.counts(window);
  const countsBefore = await of.counts(before);
  const timesWindow = widened(window, timesSpan);
  const times = await of.times(timesWindow);
  const timesBefore = await of.times(widened(before, timesSpan));
  const lastBeforeMs = before.toMs - spanMs[before.span];
  const partial = countsBefore.map((span) => (span.at === lastBeforeMs ? scaled(span, share) : span));
  const countsAt = new Map(counts.map((span) => [span.at, span]));
  const timesAt = new Map(times.spans.map((span) => [span.at, span]));
  return {
    ...asTimes(window),
    span: window.span,
    totals: figures(sum(counts), times.whole),
    before: { ...asTimes(before), ...figures(sum(partial), timesBefore.whole) },
    runs: spansOf(window).map((at) => ({ at: toTimestamp(at), ...counted(countsAt.get(at)) })),
    times_span: timesSpan,
    times: spansOf(timesWindow).map((at) => ({ at: toTimestamp(at), ...timed(timesAt.get(at)) })),
    ...(by && { groups: await groupsOf(of, by, window) }),
  };
}

async function groupsOf(
  of: ReturnType<StatsReading>,
  by: 'job' | 'tenant',
  window: StatsTime['window'],
): Promise<NonNullable<Stats['groups']>> {
  const groups = await of.groups(by === 'job' ? 'job_id' : 'tenant', window);
  return groups
    .map(({ of: name, ...group }) => ({
      ...(by === 'job' ? { job_id: name } : { tenant: name }),
      ...ends(group),
    }))
    .toSorted((a, b) => b.runs - a.runs);
}

async function jobStatsOf(
  o: Parts,
  { ids }: QueryOf<'getJobStats'>,
  todayMs: number,
  reach: Reach,
): Promise<JobsStats> {
  const fromMs = todayMs - (daysOfJobs - 1) * spanMs.day;
  const jobIds = ids === undefined ? undefined : [...new Set(ids.split(','))].toSorted();
  const jobs = await o.stats({}, reach).jobs({ jobIds, fromMs, todayMs, medianDays });
  const last = await o.runs.last(
    jobs.map(({ jobId }) => jobId),
    lastRuns,
    reach,
  );
  const found = jobs.map((job) => toJob(job, last.get(job.jobId) ?? []));
  return {
    ...asTimes({ fromMs, toMs: todayMs + spanMs.day }),
    // The store may still have jobs whose runs have all been removed. They are left out.
    jobs: jobIds ? found : found.filter(({ runs, last_runs: own }) => runs > 0 || own.length > 0),
  };
}

type Job = JobsStats['jobs'][number];
type LastRuns = Awaited<ReturnType<RunReading['last']>>;

function toJob({ jobId, medians, ...job }: JobStats, last: NonNullable<ReturnType<LastRuns['get']>>): Job {
  return {
    job_id: jobId,
    ...ends(job),
    duration: asMs(job.duration),
    daily_median_ms: [...medians],
    last_runs: last.map(({ run_id, status, created_at, started_at, finished_at }) => {
      const tookMs =
        started_at === null || finished_at === null ? null : Date.parse(finished_at) - Date.parse(started_at);
      return { run_id, status, created_at, duration_ms: tookMs };
    }),
  };
}

function figures(counts: Counts, times: Times) {
  return { ...ends(counts), ...timed(times) };
}

function ends(counts: Counts) {
  const { success, failed, cancelled } = counts;
  return { runs: success + failed + cancelled, success, failed, cancelled, success_rate: rateOf(counts) };
}

/** The share of successes, rounded down. So it is 1 only if no run failed. */
function rateOf({ success, failed }: Counts): number | null {
  return success + failed === 0 ? null : Math.floor((success / (success + failed)) * 10_000) / 10_000;
}

function sum(all: readonly Counts[]): Counts {
  return all.reduce(
    (total, { success, failed, cancelled }) => ({
      success: total.success + success,
      failed: total.failed + failed,
      cancelled: total.cancelled + cancelled,
    }),
    counted(undefined),
  );
}

function scaled(counts: Counts, share: number): Counts {
  return {
    success: Math.round(counts.success * share),
    failed: Math.round(counts.failed * share),
    cancelled: Math.round(counts.cancelled * share),
  };
}

function counted({ success, failed, cancelled }: Counts = { success: 0, failed: 0, cancelled: 0 }): Counts {
  return { success, failed, cancelled };
}

function timed({ duration, waiting }: Times = noTimes) {
  return { duration: asMs(duration), waiting: asMs(waiting) };
}

function asMs({ p50, p95 }: Quantiles) {
  return { p50_ms: p50, p95_ms: p95 };
}

function asTimes({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) {
  return { since: toTimestamp(fromMs), until: toTimestamp(toMs) };
}

function dayOf(atMs: number): number {
  return atMs - (atMs % spanMs.day);
}
