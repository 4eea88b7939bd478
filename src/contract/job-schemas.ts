// The schemas of jobs. Each object starts with the fields that the API reference lists first.

import { Type } from 'typebox';
import {
  anyObject,
  literals,
  named,
  nullable,
  runStatus,
  securityProfile,
  textOrNull,
  timestamp,
} from './schema-parts.ts';

const jobSummary = named('JobSummary', {
  id: Type.String({ examples: ['backup/daily'] }),
  name: Type.String(),
  namespace: Type.String(),
  version: Type.String(),
  description: nullable(Type.String()),
  source: Type.String(),
  title: nullable(Type.String()),
  tags: Type.Array(Type.String()),
  executor: literals(['proc', 'container'] as const),
  security_profile: securityProfile,
  run_as: textOrNull('The user of the host that the job runs as; null if its config.yaml names no user'),
  composition: literals(['single', 'steps'] as const),
  aliases: Type.Array(Type.String()),
  enabled: Type.Boolean(),
});

const retryPolicy = named('RetryPolicy', {
  limit: Type.Integer(),
  backoff: literals(['fixed', 'exponential'] as const),
  delay: Type.String(),
  max_delay: Type.String(),
  on: nullable(
    Type.Array(Type.Integer(), {
      description: 'flwd retries the step after these exit codes, which always include 75; null: after every failure',
    }),
  ),
});

const jobStep = named('JobStep', {
  step_id: Type.String(),
  name: nullable(Type.String()),
  kind: literals(['script', 'job', 'approval'] as const),
  needs: Type.Array(Type.String()),
  if: nullable(Type.String()),
  matrix: nullable(anyObject),
  foreach: nullable(Type.String()),
  command: nullable(Type.Array(Type.String(), { description: 'For a script: the program and its arguments' })),
  job: textOrNull('For a sub-run: its job'),
  args: nullable(Type.Record(Type.String(), Type.Unknown(), { description: 'For a sub-run: its arguments' })),
  approval: nullable(
    Type.Object({
      text: Type.String(),
      by: nullable(Type.Array(Type.String())),
      not_by_starter: Type.Boolean({ description: 'Whether the caller who started the run may not answer' }),
    }),
  ),
  retry: retryPolicy,
  timeout: nullable(Type.String()),
  continue_on_error: Type.Boolean(),
  always: Type.Boolean(),
});

const agentTerms = Type.Object(
  {
    expose: nullable(
      Type.Boolean({
        description:
          'true: the job gets a tool of its own before other jobs do; false: agents get no tool for the job, and do ' +
          'not find it; null: the job gets a tool if there are few jobs',
      }),
    ),
    read_only: Type.Boolean({ description: 'A run changes nothing' }),
    idempotent: Type.Boolean({ description: 'A second run with the same arguments changes nothing more' }),
    detach: Type.Boolean({ description: 'A run continues if the agent loses its connection' }),
    approval: Type.Boolean({ description: 'A run that an agent starts waits until a person approves it' }),
  },
  { $id: 'AgentTerms', description: 'What agents should know about the job, and whether their runs wait for a person' },
);

export const job = named('Job', {
  ...jobSummary.properties,
  args: anyObject,
  steps: Type.Array(jobStep, {
    description: 'The steps as the author of the job wrote them; empty for a job without steps',
  }),
  concurrency: nullable(
    Type.Object({
      limit: Type.Integer(),
      key: nullable(Type.String()),
      on_conflict: literals(['queue', 'reject', 'cancel_running'] as const),
    }),
  ),
  retry: nullable(retryPolicy),
  on_lost: literals(['fail', 'retry'] as const),
  timeouts: Type.Object({
    run: nullable(Type.String()),
    step: nullable(Type.String()),
    queue: nullable(Type.String()),
  }),
  revision: Type.String(),
  path: Type.String(),
  agents: agentTerms,
});

const invalidJob = named('InvalidJob', {
  id: Type.String(),
  source: Type.String(),
  path: Type.String(),
  errors: Type.Array(
    Type.Object({ file: Type.String(), line: Type.Integer(), column: Type.Integer(), message: Type.String() }),
  ),
});

const lastRun = named('LastRun', {
  run_id: Type.String(),
  status: runStatus,
  created_at: timestamp,
  started_at: nullable(timestamp),
  finished_at: nullable(timestamp),
});

const listedJob = named('ListedJob', {
  ...jobSummary.properties,
  last_runs: Type.Optional(
    Type.Array(lastRun, { description: 'Newest first; present only if the query asks for `last_runs`' }),
  ),
  args: Type.Optional({ ...anyObject, description: 'Present, like `agents`, only with `include=args`' }),
  agents: Type.Optional(agentTerms),
});

const ms = (description: string) => Type.Integer({ description });

export const jobTimes = named('JobTimes', {
  job_id: Type.String(),
  runs: Type.Array(
    Type.Object({
      run_id: Type.String(),
      status: runStatus,
      created_at: timestamp,
      finished_at: timestamp,
      work_ms: ms('The time in which at least one step worked; waiting for a slot or an approval does not count'),
      kept_steps: Type.Boolean({
        description: 'Whether it is a rerun that kept steps of an earlier run, and so worked less than usual',
      }),
      revision: Type.String(),
    }),
    { description: 'Runs that have started and ended, newest first' },
  ),
  steps: Type.Array(
    Type.Object({
      step_id: Type.String(),
      slowest_instance: textOrNull(
        'If the step has several instances: the one with the longest median. The times of the step are those of this instance',
      ),
      instances: Type.Integer(),
      runs: Type.Integer({ description: 'How many of these runs executed the step' }),
      failed: Type.Integer({ description: 'In how many of these runs the step failed' }),
      median_ms: ms('The median duration of the last attempts of the step'),
      p95_ms: ms('The 95th percentile of the same durations'),
    }),
    { description: 'The steps that have run, the slowest first' },
  ),
  more: Type.Boolean({ description: 'Whether there are further runs in this period' }),
});

export const jobList = named('JobList', {
  jobs: Type.Array(listedJob),
  invalid: Type.Array(invalidJob),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
});
