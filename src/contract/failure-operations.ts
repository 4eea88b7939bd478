// The operation that lists groups of failures, and its schema.

import { Type } from 'typebox';
import { failureStates } from '../domain/outcome/failure.ts';
import { routes } from './routes.ts';
import { closed, cursor, json, limit, literals, nullable, oneOf, text, timestamp } from './schema-parts.ts';

const occurrence = (which: string) =>
  Type.Object({ run_id: Type.String(), at: timestamp }, { description: `The ${which} run that failed this way` });

const failureList = Type.Object(
  {
    failures: Type.Array(
      Type.Object({
        job_id: Type.String(),
        tenant: Type.String(),
        fingerprint: Type.String({
          description: 'The same for runs that failed for the same reason, in the same words',
        }),
        reason: Type.String(),
        sample: Type.String({ description: 'The message of the last failure' }),
        state: literals(failureStates),
        count: Type.Integer({ description: 'How many runs failed this way' }),
        first_run: occurrence('first'),
        last_run: occurrence('last'),
      }),
      { description: 'The last failure first' },
    ),
    next_cursor: nullable(Type.String()),
  },
  { $id: 'FailureList' },
);

export const failureOperations = {
  listFailures: {
    ...routes.listFailures,
    tag: 'Runs',
    summary: 'List failures, each with the runs that failed for the same reason in the same words',
    scope: 'runs:read',
    query: Type.Object(
      {
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
      },
      closed,
    ),
    answers: [json(200, failureList, 'Failures')],
    problems: ['validation-error', 'run-not-found'],
  },
} as const;
