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
        description: 'The same for runs that failed for the same reason with the same message',
      }),
      reason: Type.String(),
      sample: Type.String({ description: 'The message of the last failure' }),
      state: literals(failureStates),
      count: Type.Integer({ description: 'How many runs failed this way' }),
      first_run: Type.Object(
        {
          ...occurrence,
          revision: textOrNull("The revision of the job's files; null: flwd did not record it at that time"),
        },
        { description: 'The first run that failed this way' },
      ),
      last_run: Type.Object(occurrence, { description: 'The last run that failed this way' }),
    }),
    { description: 'The last failure first' },
  ),
  next_cursor: nullable(Type.String()),
});

const lateList = named('LateList', {
  late: Type.Array(
    Type.Object({
      job_id: Type.String(),
      tenant: Type.String(),
      kind: literals(lateKinds),
      detail: Type.String({ description: 'The reason, in a sentence' }),
      at: { ...timestamp, description: 'When flwd noticed it' },
      run_id: textOrNull('The run that takes too long'),
      schedule_id: textOrNull('The schedule that missed a time'),
      over_at: timeOrNull('When the run ended or the job succeeded; null: not yet'),
    }),
    { description: 'The newest first' },
  ),
});

export const failureOperations = {
  listFailures: {
    ...routes.listFailures,
    tag: 'Runs',
    summary: 'List failures, each with the runs that failed for the same reason with the same message',
    scope: 'runs:read',
    query: queryOf({
      job_id: text('Only failures of this job'),
      run_id: text('Only the failure of this run'),
      state: oneOf(
        [...failureStates, 'unfixed'],
        'Only failures in this state; `fixed`: the job has succeeded since; `regressed`: it was fixed, and came back; ' +
          '`unfixed`: `open` or `regressed`',
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
    summary: 'List runs that take too long, successes that did not come, and missed times of schedules',
    scope: 'runs:read',
    query: queryOf({
      job_id: text('Only those of this job'),
      state: oneOf(['open', 'all'], '`open`: only what is not over; this is the default'),
      tenant: text('Only those of this tenant'),
      limit: limit(1000, 'How many to return at most; 100 by default'),
    }),
    answers: [json(200, lateList, 'Late runs and successes, and missed times')],
    problems: ['validation-error'],
  },
} as const;
