// The operations on triggers and their results, and their schemas.

import { Type } from 'typebox';
import { triggerEnds, triggerResults } from '../domain/trigger/job-trigger.ts';
import { routes } from './routes.ts';
import { closed, denial, json, literals, nullable, page, text, timestamp } from './schema-parts.ts';

const result = Type.Object(
  {
    at: timestamp,
    result: literals(triggerResults),
    after_run: Type.String({ description: 'The run that has ended' }),
    run_id: nullable(Type.String({ description: 'The run that was started' })),
    problem: nullable(Type.String({ description: 'Why it was refused: the last part of the type of the problem' })),
    detail: nullable(Type.String()),
  },
  { $id: 'TriggerResult' },
);

const trigger = Type.Object(
  {
    id: Type.String(),
    job_id: Type.String({ description: 'The job that it starts' }),
    job: Type.String({ description: 'The job whose runs it follows' }),
    job_exists: Type.Boolean({ description: 'Whether there is a job to follow' }),
    on: Type.Array(literals(triggerEnds)),
    if: nullable(Type.String()),
    args: Type.Record(Type.String(), Type.String()),
    denied: denial('starts nothing'),
    last_result: nullable(
      Type.Object(result.properties, { description: 'The newest one; null if the caller lacks `runs:read`' }),
    ),
  },
  { $id: 'Trigger' },
);

export const triggerOperations = {
  listTriggers: {
    ...routes.listTriggers,
    tag: 'Triggers',
    summary: 'List triggers, with the last result of each',
    scope: 'jobs:read',
    query: Type.Object(
      {
        job_id: text('Only triggers that start this job'),
        ...page('How many triggers to return at most; all by default'),
      },
      closed,
    ),
    answers: [
      json(
        200,
        Type.Object(
          { triggers: Type.Array(trigger), total: Type.Integer(), next_cursor: nullable(Type.String()) },
          { $id: 'TriggerList' },
        ),
        'Triggers, sorted by the job that they start',
      ),
    ],
    problems: ['validation-error'],
  },
  listTriggerResults: {
    ...routes.listTriggerResults,
    tag: 'Triggers',
    summary: 'List the last 100 results of a trigger in the caller’s tenant, newest first',
    scope: 'runs:read',
    answers: [
      json(
        200,
        Type.Object({ results: Type.Array(result) }, { $id: 'TriggerResultList' }),
        'Ends of runs for which the trigger started a run, or was refused to',
      ),
    ],
    problems: ['trigger-not-found'],
  },
} as const;
