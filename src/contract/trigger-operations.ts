// The operations on triggers and their results, and their schemas.

import { Type } from 'typebox';
import { triggerEnds, triggerKinds, triggerResults } from '../domain/trigger/job-trigger.ts';
import { routes } from './routes.ts';
import { denial, json, literals, named, nullable, page, queryOf, text, textOrNull, timestamp } from './schema-parts.ts';

const result = named('TriggerResult', {
  at: timestamp,
  result: literals(triggerResults),
  after_run: textOrNull('The run that has ended'),
  path: textOrNull('The file, for a trigger that follows files'),
  run_id: textOrNull('The run that was started'),
  problem: textOrNull('Why it was refused: the last part of the type of the problem'),
  detail: nullable(Type.String()),
});

const trigger = named('Trigger', {
  id: Type.String(),
  job_id: Type.String({ description: 'The job that it starts' }),
  type: literals(triggerKinds),
  job: textOrNull('For the type `job`: the job whose runs it follows'),
  job_exists: Type.Boolean({ description: 'False when it follows a job that does not exist' }),
  on: Type.Array(literals(triggerEnds), { description: 'For the type `job`: the ends that count' }),
  files: nullable(
    Type.Object({
      folder: Type.String({ description: 'As the config.yaml names it' }),
      match: Type.String(),
      settle_ms: Type.Integer(),
    }),
  ),
  check: nullable(Type.Object({ command: Type.Array(Type.String()), every_ms: Type.Integer() })),
  last_look: nullable(
    Type.Object(
      { at: timestamp, problem: nullable(Type.String()) },
      {
        description:
          'When the folder was read last, or the check ended last, since the start of the server. `problem` says ' +
          'why it could not look or start what it found; null if the caller lacks `runs:read`, or is of another ' +
          'tenant than the default one.',
      },
    ),
  ),
  if: nullable(Type.String()),
  args: Type.Record(Type.String(), Type.String()),
  denied: denial('starts nothing'),
  last_result: nullable(
    Type.Object(result.properties, { description: 'The newest one; null if the caller lacks `runs:read`' }),
  ),
});

export const triggerOperations = {
  listTriggers: {
    ...routes.listTriggers,
    tag: 'Triggers',
    summary: 'List triggers, with the last result of each',
    scope: 'jobs:read',
    query: queryOf({
      job_id: text('Only triggers that start this job'),
      ...page('How many triggers to return at most; all by default'),
    }),
    answers: [
      json(
        200,
        named('TriggerList', {
          triggers: Type.Array(trigger),
          total: Type.Integer(),
          next_cursor: nullable(Type.String()),
        }),
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
        named('TriggerResultList', { results: Type.Array(result) }),
        'Ends of runs, files and checks for which the trigger started a run, or was refused to',
      ),
    ],
    problems: ['trigger-not-found'],
  },
} as const;
