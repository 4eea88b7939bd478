// The operations on statistics, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { instant, json, named, nullable, oneOf, queryOf, runStatus, text, timestamp } from './schema-parts.ts';
import { statsRanges } from './stats-range.ts';

const count = Type.Integer({ minimum: 0 });
const quantile = nullable(Type.Integer({ description: 'Milliseconds, within 5 %; null: no run was counted' }));
const quantiles = Type.Object({ p50_ms: quantile, p95_ms: quantile });
const counts = { success: count, failed: count, cancelled: count };
const times = {
  duration: Type.Object(quantiles.properties, {
    description: 'How long runs that succeeded took, without waiting for a start or for an approval',
  }),
  waiting: Type.Object(quantiles.properties, { description: 'How long runs waited for their start' }),
};
const ends = {
  runs: Type.Integer({ minimum: 0, description: 'Runs that ended' }),
  ...counts,
  success_rate: nullable(
    Type.Number({
      description:
        'From 0 to 1: the share of successes among the runs that succeeded or failed; null: there were no such runs',
    }),
  ),
};
const figures = { ...ends, ...times };
const window = { since: timestamp, until: timestamp };

const stats = named('Stats', {
  ...window,
  span: Type.Enum(['hour', 'day'], { description: 'What an item of `runs` stands for; days are in UTC' }),
  totals: Type.Object(figures),
  before: Type.Object(
    { ...window, ...figures },
    {
      description:
        'The same for the period before, of the same length. Its last hour or day counts only up to the point that the current one has reached',
    },
  ),
  runs: Type.Array(Type.Object({ at: timestamp, ...counts }), { description: 'Every span, oldest first' }),
  times_span: Type.Enum(['hour', 'day'], { description: 'What an item of `times` stands for' }),
  times: Type.Array(Type.Object({ at: timestamp, ...times }), { description: 'Every span, oldest first' }),
  groups: Type.Optional(
    Type.Array(Type.Object({ job_id: Type.Optional(Type.String()), tenant: Type.Optional(Type.String()), ...ends }), {
      description: 'With `by`: how the runs of each job or tenant ended',
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
        description: 'The median duration of each of the last 14 days (UTC), today last; null: no run succeeded',
      }),
      last_runs: Type.Array(
        Type.Object({
          run_id: Type.String(),
          status: runStatus,
          created_at: timestamp,
          duration_ms: nullable(Type.Integer({ description: 'From its start to its end; null before the end' })),
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
    summary: 'Count the runs that ended in a period, and say how long they took and waited',
    scope: 'runs:read',
    query: queryOf({
      range: oneOf(statsRanges, 'The period up to now: full hours or, with `30d`, full days (UTC); `24h` by default'),
      since: instant('From the hour or day of this time on, instead of `range`; at most 400 days before `until`'),
      until: instant('Up to the hour or day of this time; now by default'),
      job_id: text('Only runs of this job, sub-runs included'),
      namespace: text('Only runs of jobs in this namespace or below it, sub-runs included'),
      tenant: text('Only runs of this tenant'),
      by: oneOf(['job', 'tenant'] as const, 'Also return `groups`: how the runs of each job or tenant ended'),
    }),
    answers: [json(200, stats, 'Without `job_id`, `namespace` or `by=job`, sub-runs are not counted')],
    problems: ['validation-error'],
  },
  getJobStats: {
    ...routes.getJobStats,
    tag: 'Statistics',
    summary: 'Get the figures of each job over the last 30 days, and its last runs',
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
    answers: [json(200, jobStats, 'The jobs, sorted by id; sub-runs count for their job')],
    problems: [],
  },
} as const;
