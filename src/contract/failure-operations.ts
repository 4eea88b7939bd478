// The operations that list groups of failures, and those that list late runs and successes, with their schemas.

import { Type } from 'typebox';
import { failureStates } from '../domain/outcome/failure.ts';
import { lateKinds } from '../domain/outcome/late.ts';
import { routes } from './routes.ts';
import {
  cursor,
  json,
  limit,
  literals,
  named,
  nullable,
  oneOf,
  queryOf,
  text,
  textOrNull,
  timeOrNull,
  timestamp,
} from './schema-parts.ts';

const occurrence = { run_id: Type.String(), at: timestamp };

const failureList = named('FailureList', {
  failures: Type.Array(
    Type.Object({
      job_id: Type.String(),
      tenant: Type.String(),
      fingerprint: Type.String({
        description:
          'Identifies the failure: the same for all runs of the job that failed for the same reason with the same message',
      }),
      reason: Type.String(),
      sample: Type.String({ description: 'The message of the last run' }),
      state: literals(failureStates),
      count: Type.Integer({ description: 'How many runs failed this way' }),
      first_run: Type.Object(
        {
          ...occurrence,
          revision: textOrNull('The revision of the job at which the failure began; null: flwd did not record it'),
        },
        { description: 'The first run that failed this way' },
      ),
      last_run: Type.Object(occurrence, { description: 'The last run that failed this way' }),
    }),
    { description: 'The failure that happened last comes first' },
  ),
  next_cursor: nullable(Type.String()),
});

const lateList = named('LateList', {
  late: Type.Array(
    Type.Object({
      job_id: Type.String(),
      tenant: Type.String(),
      kind: literals(lateKinds),
      detail: Type.String({
        description: 'A sentence that says how late the run or the job is, or which time was missed',
      }),
      at: { ...timestamp, description: 'When flwd noticed that it is late' },
      run_id: textOrNull('The run that takes too long'),
      schedule_id: textOrNull('The schedule that missed a time'),
      over_at: timeOrNull('When it stopped being late; null: it is still late'),
    }),
    { description: 'Newest first' },
  ),
});

export const failureOperations = {
  listFailures: {
    ...routes.listFailures,
    tag: 'Runs',
    summary: 'List failures: runs of a job that failed for the same reason with the same message are one failure',
    scope: 'runs:read',
    query: queryOf({
      job_id: text('Only failures of this job'),
      run_id: text('Only the failure of this run'),
      state: oneOf(
        [...failureStates, 'unfixed'],
        'Only failures in this state; `open`: the job has not succeeded since the failure; `fixed`: the job has ' +
          'succeeded since; `regressed`: the failure was fixed, and came back; `unfixed`: `open` or `regressed`',
      ),
      tenant: text('Only failures of this tenant'),
      limit: limit(1000, 'How many to return at most; 100 by default'),
      cursor,
    }),
    answers: [json(200, failureList, 'Failures')],
    problems: ['validation-error', 'run-not-found'],
  },
  listLate: {
    ...routes.listLate,
    tag: 'Runs',
    summary:
      'List what is late: runs that take too long, jobs that have not succeeded in time, and missed times of schedules',
    scope: 'runs:read',
    query: queryOf({
      job_id: text('Only entries about this job'),
      state: oneOf(['open', 'all'], '`open`, the default: only what is late now; `all`: also what is no longer late'),
      tenant: text('Only entries of this tenant'),
      limit: limit(1000, 'How many to return at most; 100 by default'),
    }),
    answers: [json(200, lateList, 'Late runs, late jobs and missed times')],
    problems: ['validation-error'],
  },
} as const;
