// The schemas of runs, their steps, logs and notifications, and of plans. Each object starts with the fields that the
// API reference lists first.

import { Type } from 'typebox';
import type { JsonObject } from '../domain/job.ts';
import { logLevels } from '../domain/log-line.ts';
import { notificationStatuses, notifyEvents } from '../domain/notification.ts';
import { tenantPattern } from '../domain/principal.ts';
import { stepStatuses } from '../domain/run.ts';
import {
  anyObject,
  labels,
  literals,
  named,
  nullable,
  request,
  runStatus,
  securityProfile,
  textOrNull,
  timeOrNull,
  timestamp,
} from './schema-parts.ts';

const anyJson = Type.Unknown();
const logLevel = literals(logLevels);

export const runRequest = request('RunRequest', {
  job_id: Type.String({ minLength: 1, maxLength: 512 }),
  args: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object' })),
  tenant: Type.Optional(Type.String({ pattern: tenantPattern.source })),
  async: Type.Optional(Type.Boolean({ default: true })),
  labels: Type.Optional(
    Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$' }), Type.String({ maxLength: 255 }), {
      additionalProperties: false,
      maxProperties: 64,
    }),
  ),
  priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100 })),
  security_profile: Type.Optional(securityProfile),
  source: Type.Optional(
    Type.Object(
      { name: Type.String({ minLength: 1, maxLength: 63 }) },
      { additionalProperties: false, description: 'The name of the source to which the job must belong' },
    ),
  ),
});

const reason = nullable(Type.String());
const hint = Type.String({ description: 'What to change, if flwd knows it' });
const error = nullable(
  Type.Object({
    message: Type.String(),
    step_id: Type.Optional(Type.String()),
    hint: Type.Optional(hint),
    other_failures: Type.Optional(
      Type.Object(
        { instances: Type.Integer(), steps: Type.Integer() },
        {
          description:
            'How many other instances of this step, and how many other steps, failed; absent if nothing else failed',
        },
      ),
    ),
  }),
);

export const runCreated = named('RunCreated', {
  run_id: Type.String(),
  job_id: Type.String(),
  status: runStatus,
  created_at: timestamp,
});

const openApproval = {
  step_id: Type.String(),
  question: nullable(Type.String()),
  since: timestamp,
};

const runFields = Type.Object({
  run_id: Type.String(),
  job_id: Type.String(),
  status: runStatus,
  created_at: timestamp,
  finished_at: nullable(timestamp),
  tenant: Type.String(),
  reason,
  waiting: nullable(Type.String()),
  waiting_approval: Type.Array(Type.Object(openApproval), {
    description: 'The steps that wait for an approval; the run itself is `running`',
  }),
  approval_ms: Type.Integer({
    description: 'How long answered approvals waited for their answer; the rest of the run’s duration is its work',
  }),
  started_at: nullable(timestamp),
  exit_code: nullable(Type.Integer()),
  attempt: Type.Integer(),
  priority: Type.Integer(),
  trigger: Type.Object({
    type: Type.String(),
    trigger_id: Type.Optional(Type.String({ description: 'The trigger that started the run' })),
    run_id: Type.Optional(Type.String({ description: 'The run whose end started this one' })),
    path: Type.Optional(
      Type.String({ description: 'The file that started the run, for a trigger that follows files' }),
    ),
    chain: Type.Optional(Type.Integer({ description: 'How many triggers led to this run' })),
    first_run_id: Type.Optional(Type.String({ description: 'The run that began the chain of triggers' })),
  }),
  created_by: Type.String(),
  labels,
  progress: nullable(Type.Object({ percent: Type.Number(), message: Type.String() })),
  error,
  expected_ms: nullable(
    Type.Integer({
      description:
        'How long the run is expected to work: the median of the last 20 successes; null if the run is not running, or if there are no such successes',
    }),
  ),
  expected_end_at: timeOrNull(
    'When the run will probably end; null if `expected_ms` is null, or while the run waits for an approval',
  ),
});

const runSummary = named('RunSummary', {
  ...runFields.properties,
  args_text: Type.String({
    description: 'The arguments on one line, cut after 200 characters; secrets are redacted',
  }),
});

const parent = Type.Object({ run_id: Type.String(), step_id: Type.String() });

export const childList = named('ChildRunList', {
  runs: Type.Array(named('ChildRun', { ...runSummary.properties, parent })),
});

const isolation = Type.Object({
  pid_namespace: Type.Boolean(),
  network: literals(['none', 'all'] as const),
  filesystem: literals(['workspace', 'host-read-only', 'host'] as const),
  environment: literals(['clean', 'passthrough', 'server'] as const),
  no_new_privileges: Type.Boolean(),
  uid: Type.Integer(),
  user: Type.Optional(Type.String({ description: 'The name of the user, if the job has `run_as`' })),
  // Runs that an earlier version of flwd stored lack the following members.
  namespaces: Type.Optional(Type.Array(literals(['mount', 'pid', 'user', 'network', 'ipc', 'uts', 'cgroup'] as const))),
  user_namespace: Type.Optional(Type.Boolean()),
  capabilities: Type.Optional(literals(['none', 'server'] as const)),
  seccomp: Type.Optional(nullable(Type.Integer())),
});

export const limitMeans = literals(['cgroup-v2', 'cgroup-v1', 'rlimit', 'polling', 'none'] as const);
const limitBytes = Type.Optional(nullable(Type.Object({ bytes: Type.Integer(), by: limitMeans })));

/** A member that is null means that there is no such limit. */
const limits = Type.Object({
  log_bytes: Type.Integer(),
  cpu: Type.Optional(nullable(Type.Object({ cores: Type.Number(), by: limitMeans }))),
  memory: limitBytes,
  pids: Type.Optional(nullable(Type.Object({ count: Type.Integer(), by: limitMeans }))),
  workspace: limitBytes,
});

const grant = Type.Object({
  kind: literals(['network', 'read', 'write', 'kv_read', 'kv_write'] as const),
  path: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String({ description: 'Only for the kinds `kv_read` and `kv_write`' })),
});

const termination = nullable(
  Type.Object({
    signals: Type.Array(Type.Object({ signal: Type.String(), at: timestamp, processes: Type.Integer() })),
    remaining: Type.Integer(),
    // Runs that an earlier version of flwd stored lack this member.
    proven: Type.Optional(
      Type.Boolean({
        description:
          'false: flwd found no process left, but a process may have escaped, because the run had no pid namespace',
      }),
    ),
    finished_at: timestamp,
  }),
);

const leftBehind = nullable(
  Type.Object(
    {
      count: Type.Integer({ description: 'At most 10,000' }),
      bytes: Type.Integer({ description: 'The size of the files that were counted' }),
      names: Type.Array(Type.String(), {
        maxItems: 20,
        description: 'Paths relative to the workspace; for files outside it, full paths',
      }),
      more: Type.Boolean({ description: 'Whether there are more files than `count`' }),
    },
    {
      description:
        'Files that the run left in its workspace or `/tmp` and that flwd does not keep; null: there are no such files, or the run has not ended',
    },
  ),
);

const step = named('Step', {
  step_id: Type.String(),
  name: Type.String(),
  status: literals(stepStatuses),
  reason,
  attempt: Type.Integer(),
  needs: Type.Array(Type.String()),
  started_at: nullable(timestamp),
  finished_at: nullable(timestamp),
  exit_code: nullable(Type.Integer()),
  outputs: Type.Record(Type.String(), Type.String()),
  kind: literals(['command', 'job', 'approval', 'group'] as const),
  message: textOrNull('Why the step has this status, in words'),
  hint: textOrNull(
    'What to change, if flwd knows it. A step that succeeded has a hint if its script did not find a program and continued',
  ),
  instance_of: textOrNull('The step with `matrix` or `foreach` of which this step is an instance'),
  item: textOrNull('The item of a `foreach`, if it is a number, a boolean or a string of at most 100 characters'),
  not_before: timeOrNull('The earliest time at which the retry starts'),
  child_run_id: textOrNull('The run that this step started'),
  approval: nullable(
    Type.Object({
      decision: literals(['approve', 'deny'] as const),
      by: Type.String(),
      comment: nullable(Type.String()),
    }),
  ),
  termination,
});

export const attemptList = named('AttemptList', { attempts: Type.Array(step) });

export const rerunRequest = request('RerunRequest', {
  from: Type.Optional(
    Type.Union(
      [
        literals(['start', 'failed'] as const),
        Type.Object({ step: Type.String({ minLength: 1, maxLength: 256 }) }, { additionalProperties: false }),
      ],
      {
        description:
          'Where to begin: `start`, the default; `failed`, with the steps that did not succeed; or `{"step": …}`, with ' +
          'this step',
      },
    ),
  ),
  args: Type.Optional(
    Type.Unsafe<JsonObject>({
      type: 'object',
      description: 'Arguments that replace the earlier run’s arguments of the same names',
    }),
  ),
  revision: Type.Optional(literals(['latest'] as const)),
});

export const approvalRequest = request('ApprovalRequest', {
  step_id: Type.String({ minLength: 1, maxLength: 256 }),
  decision: literals(['approve', 'deny'] as const),
  comment: Type.Optional(Type.String({ maxLength: 4096 })),
});

export const approvalAnswer = named('ApprovalAnswer', {
  run_id: Type.String(),
  step_id: Type.String(),
  decision: literals(['approve', 'deny'] as const),
});

const trace = Type.Object(
  {
    trace_id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    parent_id: nullable(
      Type.String({
        pattern: '^[0-9a-f]{16}$',
        description: 'The span that started the run; null: the trace begins with the run',
      }),
    ),
    sampled: Type.Boolean({ description: 'false: the caller asks every program not to store spans of this trace' }),
    state: textOrNull('The `tracestate` of the caller'),
  },
  { description: 'The trace of the run, in the terms of W3C Trace Context' },
);

export const run = named('Run', {
  ...runFields.properties,
  args: anyObject,
  result: nullable(Type.Object({ value: anyJson })),
  steps: Type.Array(step),
  rerun_of: nullable(Type.String()),
  parent: nullable(parent),
  limits,
  grants: Type.Array(grant),
  termination,
  left_behind: leftBehind,
  source: Type.Object({ name: Type.String(), type: Type.String(), revision: Type.String() }),
  security: Type.Object({ profile: securityProfile, isolation }),
  worker: nullable(Type.String()),
  cancel_requested_at: nullable(timestamp),
  cancel_requested_by: textOrNull(
    'Who requested the cancel. It is `run:` and the id of a run if the parent or a newer run of the job did',
  ),
  request_id: nullable(Type.String()),
  trace,
});

export const runList = named('RunList', {
  runs: Type.Array(runSummary),
  total: Type.Integer(),
  total_exact: Type.Boolean({
    description: 'false: at least `total` runs match; the search stopped after 20,000 runs',
  }),
  next_cursor: textOrNull(
    'The cursor of the next page; null: this is the last page. Pages may have fewer runs than `limit`',
  ),
});

const decision = literals(['approve', 'deny'] as const);

export const approvalList = named('ApprovalList', {
  approvals: Type.Array(
    named('Approval', {
      run_id: Type.String(),
      job_id: Type.String(),
      tenant: Type.String(),
      ...openApproval,
      step_name: Type.String(),
      deadline: timeOrNull('When the step fails because nobody has answered'),
      by: nullable(
        Type.Array(Type.String(), {
          description: 'Who may answer; null: anyone with the scope `runs:approve`',
        }),
      ),
      not_by_starter: Type.Boolean({ description: 'Whether the caller who started the run may not answer' }),
      may_answer: Type.Boolean({ description: 'Whether you may answer' }),
      answer: nullable(Type.Object({ decision, by: Type.String(), comment: nullable(Type.String()), at: timestamp })),
      finished_at: nullable(timestamp),
      created_by: Type.String({ description: 'Who started the run' }),
      trigger: Type.Object({ type: Type.String() }),
      args: anyObject,
      run_created_at: timestamp,
      nominal_at: timeOrNull(
        'In a run of a schedule or a backfill, or in a rerun of it: the time of the schedule that the run is for',
      ),
    }),
  ),
  total: Type.Integer(),
  total_exact: Type.Boolean({
    description: 'false: there are more than 10,000 approvals; flwd searched and counted only the first 10,000',
  }),
});

export const runStatusAnswer = named('RunStatusAnswer', { run_id: Type.String(), status: runStatus });

const notification = named('Notice', {
  id: Type.String({ description: 'Sent to the webhook as `webhook-id`' }),
  status: literals(notificationStatuses),
  event: literals(notifyEvents),
  channel: textOrNull('The channel of flwd.yaml; null if the job names the webhook’s URL itself'),
  origin: textOrNull('The origin of the webhook’s URL, without the rest, which may be secret; null for a channel'),
  attempts: Type.Integer(),
  last_error: nullable(Type.String()),
  created_at: timestamp,
  next_attempt_at: nullable(timestamp),
  finished_at: nullable(timestamp),
});

export const notificationList = named('NoticeList', { notices: Type.Array(notification) });

export const plan = named('Plan', {
  job_id: Type.String(),
  args: anyObject,
  executor: Type.String(),
  steps: Type.Array(Type.Object({ step_id: Type.String(), needs: Type.Array(Type.String()) })),
  security: Type.Object({ profile: securityProfile, isolation }),
  limits,
  grants: Type.Array(grant),
  unusable_grants: Type.Array(grant, {
    description: 'Granted paths that the job’s user still cannot use, because of their owner or mode on the host',
  }),
  hidden_paths: Type.Array(Type.Object({ arg: Type.String(), path: Type.String() }), {
    description: 'Paths in arguments with `format: path` that the sandbox would not show to the job',
  }),
  network_reach: textOrNull('What the run can reach over the network, in words'),
  secrets: Type.Array(Type.String({ description: 'Names of the secret arguments that the run would get' })),
  stored_secrets: Type.Array(Type.String({ description: 'Names of the stored secrets that the run would get' })),
  missing_step_secrets: Type.Array(
    Type.Object({ step_id: Type.String(), job_id: Type.String(), detail: Type.String() }),
    {
      description:
        'Steps that would fail because the job that they run lacks a stored secret; `job_id` is the job that has the step',
    },
  ),
  missing_channels: Type.Array(
    Type.String({ description: 'Channels that the job notifies and that flwd.yaml does not define' }),
  ),
  timeouts: Type.Object({
    run: nullable(Type.String()),
    step: nullable(Type.String()),
    queue: nullable(Type.String()),
  }),
  revision: Type.String(),
  waiting: nullable(Type.String()),
  denied: nullable(Type.Object({ type: Type.String(), detail: Type.String() })),
});

export const logLine = named('LogLine', {
  timestamp,
  level: logLevel,
  message: Type.String(),
  step_id: Type.String(),
  seq: Type.Integer(),
  stream: literals(['stdout', 'stderr'] as const),
  attempt: Type.Integer(),
  recovered: Type.Optional(
    Type.Literal(true, {
      description: 'Printed while no server was running; `timestamp` says when the server read the line',
    }),
  ),
  fields: Type.Optional(anyObject),
});

export const logPage = named('LogPage', {
  logs: Type.Array(logLine),
  next_cursor: nullable(Type.String()),
  logs_expired: Type.Optional(Type.Boolean({ description: 'true: the run had a log, but retention has removed it' })),
});

/** The problems with which an operation may refuse to create a run. All operations that create runs list them. */
export const startProblems = [
  'job-not-found',
  'job-invalid',
  'secret-unavailable',
  'isolation-unavailable',
  'profile-not-allowed',
  'grant-not-allowed',
  'source-untrusted',
  'queue-full',
  'concurrency-conflict',
  'idempotency-conflict',
  'idempotency-in-flight',
  'execution-error',
] as const;
