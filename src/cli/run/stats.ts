// `flwd stats`: how many runs ended and how, how long they took, and which jobs failed or were slower than usual.

import { percentWords } from '../../client/percent.ts';
import { spanWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type StatsRange, statsRanges } from '../../contract/stats-range.ts';
import { defined } from '../../lib/defined.ts';
import type { Options } from '../command.ts';
import { readChoice, readValue } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output, right } from '../terminal/output.ts';

type Stats = AnswerOf<'getStats'>;
type JobStats = AnswerOf<'getJobStats'>['jobs'][number];

const rangeNames: Readonly<Record<StatsRange, { readonly now: string; readonly before: string }>> = {
  '24h': { now: 'last 24 hours', before: 'day before' },
  '7d': { now: 'last 7 days', before: 'week before' },
  '30d': { now: 'last 30 days', before: '30 days before' },
};
const mostJobs = 10;
/** A median of a day that is this many times the usual median is worth a look. */
const slower = 1.5;

export async function run(options: Options): Promise<void> {
  const output = createOutput(options);
  const range = readChoice(options, 'range', statsRanges) ?? '24h';
  const job = readValue(options, 'job');
  const ofJob = job?.endsWith('/') ? { namespace: job.slice(0, -1) } : { job_id: job };
  const query = { range, by: 'job', ...defined({ ...ofJob, tenant: readValue(options, 'tenant') }) } as const;
  return withSession(options, async ({ client }) => {
    const stats = await client.call('getStats', { query });
    if (output.isJson) return output.json(stats);
    if (stats.totals.runs + stats.before.runs === 0) return output.say(`no runs ended in the ${rangeNames[range].now}`);
    await printFigures(stats, range, output);
    if (output.isForPeople) output.text(`\nruns by ${unitOf(stats)}  ${bars(stats)}\n`);
    const ids = job === undefined || job.endsWith('/') ? {} : { ids: job };
    await printJobs(stats, (await client.call('getJobStats', { query: ids })).jobs, output);
  });
}

async function printFigures({ totals, before }: Stats, range: StatsRange, output: Output): Promise<void> {
  const names = rangeNames[range];
  const row = (name: string, of: (figures: Stats['before'] | Stats['totals']) => string) => [
    name,
    of(totals),
    of(before),
  ];
  await output.table(
    ['FIGURE', right(names.now.toUpperCase()), right(names.before.toUpperCase())],
    [
      row('runs', ({ runs }) => String(runs)),
      row('failed', ({ failed }) => String(failed)),
      row('cancelled', ({ cancelled }) => String(cancelled)),
      row('success rate', ({ success_rate: rate }) => rateWords(rate)),
      row('duration, p50', ({ duration }) => timeWords(duration.p50_ms)),
      row('duration, p95', ({ duration }) => timeWords(duration.p95_ms)),
      row('waiting, p95', ({ waiting }) => timeWords(waiting.p95_ms)),
    ],
  );
}

/** Jobs that failed, most failures first, and jobs that take longer today than usual. */
async function printJobs({ groups = [] }: Stats, jobs: readonly JobStats[], output: Output): Promise<void> {
  const usual = new Map(jobs.map((job) => [job.job_id, job]));
  const worst = groups
    .map((group) => ({ ...group, ...timesOf(usual.get(group.job_id ?? '')) }))
    .filter(({ failed, factor }) => failed > 0 || factor >= slower)
    .toSorted((a, b) => b.failed - a.failed || b.factor - a.factor);
  if (worst.length === 0) return;
  output.text('\n');
  await output.table(
    [flexible('JOB'), ...['RUNS', 'FAILED', 'SUCCESS RATE', 'MEDIAN TODAY', 'USUALLY'].map(right)],
    worst
      .slice(0, mostJobs)
      .map((job) => [
        job.job_id ?? '',
        String(job.runs),
        job.failed > 0 ? { text: String(job.failed), style: 'bad' as const } : '0',
        rateWords(job.success_rate),
        job.factor >= slower ? { text: timeWords(job.todayMs), style: 'bad' as const } : timeWords(job.todayMs),
        timeWords(job.usualMs),
      ]),
  );
  if (worst.length > mostJobs) output.say(`showing the worst ${mostJobs} of ${worst.length} jobs; --json has all`);
}

function timesOf(job: JobStats | undefined) {
  const todayMs = job?.daily_median_ms.at(-1) ?? null;
  const usualMs = job?.duration.p50_ms ?? null;
  return { todayMs, usualMs, factor: todayMs === null || usualMs === null ? 0 : todayMs / Math.max(1, usualMs) };
}

function rateWords(rate: number | null): string {
  return rate === null ? '-' : percentWords(rate);
}

function timeWords(ms: number | null): string {
  return ms === null ? '-' : spanWords(ms);
}

/** How many bars a line can show. A week has 168 hours, which would be too many. */
const mostBars = 30;
const heights = '▁▂▃▄▅▆▇█';

function spansOfBar({ runs }: Stats): number {
  return Math.ceil(runs.length / mostBars);
}

function unitOf(stats: Stats): string {
  const spans = spansOfBar(stats);
  return spans === 1 ? stats.span : `${spans} ${stats.span}s`;
}

function bars(stats: Stats): string {
  const size = spansOfBar(stats);
  const counts = Array.from({ length: Math.ceil(stats.runs.length / size) }, (_, n) =>
    stats.runs
      .slice(n * size, (n + 1) * size)
      .reduce((sum, { success, failed, cancelled }) => sum + success + failed + cancelled, 0),
  );
  const most = Math.max(1, ...counts);
  return counts.map((count) => (count === 0 ? ' ' : heights[Math.ceil((count / most) * heights.length) - 1])).join('');
}
