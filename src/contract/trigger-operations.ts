// The operations on triggers and their results, and their schemas.

import { Type } from 'typebox';
import { triggerEnds, triggerKinds, triggerResults } from '../domain/trigger/job-trigger.ts';
import { routes } from './routes.ts';
import { denial, json, literals, named, nullable, page, queryOf, text, textOrNull, timestamp } from './schema-parts.ts';

const result = named('TriggerResult', {
  at: timestamp,
  result: literals(triggerResults),
  after_run: textOrNull('For the type `job`: the run that has ended'),
  path: textOrNull('For the type `files`: the file'),
  run_id: textOrNull('The run that the trigger has started'),
  problem: textOrNull(
    'Why no run was started: the name of the problem, such as `job-invalid`. `trigger-failing` means that the trigger ' +
      'cannot start anything at present; `detail` says why',
  ),
  detail: nullable(Type.String()),
});

const trigger = named('Trigger', {
  id: Type.String(),
  job_id: Type.String({ description: 'The job that the trigger starts' }),
  type: literals(triggerKinds),
  job: textOrNull('For the type `job`: the job whose runs the trigger follows'),
  job_exists: Type.Boolean({ description: 'false: the job that the trigger follows does not exist' }),
  on: Type.Array(literals(triggerEnds), {
    description: 'For the type `job`: with which status a run must end to start a run of the trigger’s job',
  }),
  files: nullable(
    Type.Object({
      folder: Type.String({ description: 'The folder, as written in config.yaml' }),
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
          'When the folder was last read, or when the check last ended, since the server started. `problem` says why ' +
          'flwd could not do that, or could not start a run for what it found. Null if the caller lacks ' +
          '`runs:read`, or has no access to the default tenant',
      },
    ),
  ),
  if: nullable(Type.String()),
  args: Type.Record(Type.String(), Type.String()),
  denied: denial(
    'the trigger starts no runs',
    'its job is from an untrusted source, or flwd.yaml pauses all triggers and webhooks',
  ),
  missing_secrets: Type.Array(Type.String(), {
    description:
      'The secrets that its runs need, but that the default tenant does not have. Empty if the caller lacks `runs:write`',
  }),
  last_result: nullable(
    Type.Object(result.properties, { description: 'The newest result; null if the caller lacks `runs:read`' }),
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
        'Results: the runs that the trigger has started, the starts that were refused and, if the trigger cannot start ' +
          'anything at present, a result with the problem `trigger-failing`',
      ),
    ],
    problems: ['trigger-not-found'],
  },
} as const;
