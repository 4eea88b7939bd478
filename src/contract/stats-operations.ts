// The operations on statistics, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { instant, json, named, nullable, oneOf, queryOf, runStatus, text, timestamp } from './schema-parts.ts';
import { statsRanges } from './stats-range.ts';

const count = Type.Integer({ minimum: 0 });
const quantile = nullable(Type.Integer({ description: 'In milliseconds, at most 5 % off; null: no run was counted' }));
const quantiles = Type.Object({ p50_ms: quantile, p95_ms: quantile });
const counts = { success: count, failed: count, cancelled: count };
const times = {
  duration: Type.Object(quantiles.properties, {
    description:
      'How long successful runs worked: from start to end, without the time in which an approval waited for its answer',
  }),
  waiting: Type.Object(quantiles.properties, { description: 'The time from the creation of the runs to their start' }),
};
const ends = {
  runs: Type.Integer({ minimum: 0, description: 'How many runs ended' }),
  ...counts,
  success_rate: nullable(
    Type.Number({
      description:
        'The share of successes among the runs that succeeded or failed, from 0 to 1; null: there were no such runs',
    }),
  ),
};
const figures = { ...ends, ...times };
const window = { since: timestamp, until: timestamp };

const stats = named('Stats', {
  ...window,
  span: Type.Enum(['hour', 'day'], { description: 'Whether `runs` has an item for each hour or for each day (UTC)' }),
  totals: Type.Object(figures),
  before: Type.Object(
    { ...window, ...figures },
    {
      description:
        'The same figures for the period before, which is as long. Its last hour or day counts only up to the point that the current hour or day has reached',
    },
  ),
  runs: Type.Array(Type.Object({ at: timestamp, ...counts }), {
    description: 'How runs ended in each hour or day, oldest first',
  }),
  times_span: Type.Enum(['hour', 'day'], {
    description: 'Whether `times` has an item for each hour or for each day (UTC)',
  }),
  times: Type.Array(Type.Object({ at: timestamp, ...times }), {
    description: 'How long runs took and waited in each hour or day, oldest first',
  }),
  groups: Type.Optional(
    Type.Array(Type.Object({ job_id: Type.Optional(Type.String()), tenant: Type.Optional(Type.String()), ...ends }), {
      description:
        'With `by`: how the runs of each job or tenant ended. The job or tenant with the most runs comes first',
    }),
  ),
});

const jobStats = named('JobStats', {
  ...window,
  jobs: Type.Array(
    Type.Object({
      job_id: Type.String(),
      ...ends,
      duration: times.duration,
      daily_median_ms: Type.Array(nullable(Type.Integer()), {
        description:
          'The median duration on each of the last 14 days (UTC), today last; null: no run succeeded on that day',
      }),
      last_runs: Type.Array(
        Type.Object({
          run_id: Type.String(),
          status: runStatus,
          created_at: timestamp,
          duration_ms: nullable(
            Type.Integer({ description: 'The time from its start to its end; null before the end' }),
          ),
        }),
        { description: 'The last ten runs, newest first' },
      ),
    }),
  ),
});

export const statsOperations = {
  getStats: {
    ...routes.getStats,
    tag: 'Statistics',
    summary: 'Get how many runs ended in a period and how, how long they took, and how long they waited',
    scope: 'runs:read',
    query: queryOf({
      range: oneOf(
        statsRanges,
        'The period up to now: `24h`, the default, and `7d` in full hours, `30d` in full days (UTC)',
      ),
      since: instant(
        'Instead of `range`: the period begins with the hour or day of this time; at most 400 days before `until`',
      ),
      until: instant('The period ends with the hour or day of this time; by default, now'),
      job_id: text('Only runs of this job, sub-runs included'),
      namespace: text('Only runs of jobs in this namespace or below it, sub-runs included'),
      tenant: text('Only runs of this tenant'),
      by: oneOf(['job', 'tenant'] as const, 'Also return `groups`: how the runs of each job or tenant ended'),
    }),
    answers: [json(200, stats, 'The figures. Sub-runs are counted only with `job_id`, `namespace` or `by=job`')],
    problems: ['validation-error'],
  },
  getJobStats: {
    ...routes.getJobStats,
    tag: 'Statistics',
    summary: 'Get the figures of each job over the last 30 days, and its last ten runs',
    scope: 'runs:read',
    query: queryOf({
      ids: Type.Optional(
        Type.String({
          description: 'Only jobs with these ids, separated by commas; by default all jobs that have runs',
          minLength: 1,
          maxLength: 16_384,
        }),
      ),
    }),
    answers: [json(200, jobStats, 'The jobs, sorted by id; a sub-run counts for its own job')],
    problems: [],
  },
} as const;
