// The API as data: one entry for each operation. The routes, the validation, the OpenAPI document and the typed client
// are made from this table. routes.ts has the method and path of each operation.

import { type Static, type TSchema, Type } from 'typebox';
import type { AuditAction, AuditObjectKind } from '../domain/audit.ts';
import type { Scope } from '../domain/principal.ts';
import type { ProblemSlug } from '../domain/problem.ts';
import { listedStatuses, triggerTypes } from '../domain/run.ts';
import type { AnswerHeader } from './answer-headers.ts';
import { artifactOperations } from './artifact-operations.ts';
import { auditOperations } from './audit-operations.ts';
import { backfillOperations } from './backfill-operations.ts';
import { channelOperations } from './channel-operations.ts';
import { codeOperations } from './code-operations.ts';
import { runEventLine, runEventStream } from './event-schemas.ts';
import { failureOperations } from './failure-operations.ts';
import * as jobSchemas from './job-schemas.ts';
import { kvOperations } from './kv-operations.ts';
import { logOperations } from './log-operations.ts';
import { type Route, routes } from './routes.ts';
import * as runSchemas from './run-schemas.ts';
import { scheduleOperations } from './schedule-operations.ts';
import {
  createdHeaders,
  idempotencyKey,
  ifNoneMatch,
  instant,
  json,
  lastEventId,
  limit,
  oneOf,
  page,
  queryOf,
  text,
  unchanged,
} from './schema-parts.ts';
import { secretOperations } from './secret-operations.ts';
import { sourceOperations } from './source-operations.ts';
import { statsOperations } from './stats-operations.ts';
import { systemOperations } from './system-operations.ts';
import type { Tag } from './tags.ts';
import { tokenOperations } from './token-operations.ts';
import { triggerOperations } from './trigger-operations.ts';
import { webhookOperations } from './webhook-operations.ts';

/** An answer to a request that succeeded. */
export type Answer = {
  readonly status: number;
  readonly description: string;
  /**
   * The schema of each media type; empty if there is no body. Bytes and streams have a schema made by `Type.Unsafe`.
   */
  readonly content: Readonly<Record<string, TSchema>>;
  /** The headers of this answer, besides those that every answer has. */
  readonly headers?: readonly AnswerHeader[];
};

/** How the audit log records the operation. */
export type OperationAudit = {
  readonly action: AuditAction;
  readonly object: AuditObjectKind;
  /** The members of the body and the query that the log records. Never list a member that may hold a secret. */
  readonly keeps?: readonly string[];
  /** A parameter of the query. If it is true, the request changes nothing, so the log does not record it. */
  readonly unless?: string;
};

export type Operation = Route & {
  readonly tag: Tag;
  readonly summary: string;
  readonly scope: Scope | 'public';
  /** The operation concerns every tenant. The caller must have the tenant `*`. */
  readonly isInstanceWide?: true;
  readonly query?: TSchema;
  readonly body?: TSchema;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: readonly Answer[];
  readonly problems: readonly ProblemSlug[];
  /** Required unless the method is GET. null means that the operation changes nothing. */
  readonly audit?: OperationAudit | null;
};

export const operations = {
  listJobs: {
    ...routes.listJobs,
    tag: 'Jobs',
    summary: 'List the jobs of all sources',
    scope: 'jobs:read',
    query: queryOf({
      source: text('Only jobs of this source'),
      namespace: text('Only jobs in exactly this namespace'),
      prefix: text('Only jobs in this namespace or below it'),
      tag: text('Only jobs with this tag'),
      q: text('Only jobs with this text in the id, title, description or tags'),
      ids: Type.Optional(
        Type.String({
          description: 'Only jobs with these ids, separated by commas',
          minLength: 1,
          maxLength: 16_384,
        }),
      ),
      last_runs: limit(
        10,
        'Also return this many of the last runs of each job, newest first; needs the scope `runs:read`',
      ),
      include: Type.Optional(
        Type.Literal('args', {
          description: '`args`: also return, for each job, the schema of its arguments and what it says to agents',
        }),
      ),
      agents: oneOf(
        ['exposed', 'visible'],
        '`exposed`: only jobs with `agents.expose: true`; `visible`: only jobs without `agents.expose: false`',
      ),
      ...page('How many jobs to return at most; by default all, or 100 with `last_runs` or `include`'),
    }),
    headers: ifNoneMatch,
    answers: [json(200, jobSchemas.jobList, 'Jobs, sorted by id', ['ETag']), unchanged()],
    problems: ['validation-error'],
  },
  getJob: {
    ...routes.getJob,
    tag: 'Jobs',
    summary: 'Get a job, with the schema of its arguments',
    scope: 'jobs:read',
    headers: ifNoneMatch,
    answers: [json(200, jobSchemas.job, 'The job', ['ETag']), unchanged()],
    problems: ['job-not-found', 'job-invalid'],
  },
  ...codeOperations,
  getJobTimes: {
    ...routes.getJobTimes,
    tag: 'Runs',
    summary: 'Get how long the last runs of a job took, and how long their steps took',
    scope: 'runs:read',
    query: queryOf({
      job_id: Type.String({
        description: 'The id of the job, which may no longer exist',
        minLength: 1,
        maxLength: 512,
      }),
      since: instant('Only runs created at this time or later'),
      limit: limit(500, 'How many runs to return at most; 300 by default'),
    }),
    answers: [json(200, jobSchemas.jobTimes, 'The runs, and how long their steps took')],
    problems: ['validation-error'],
  },
  createRun: {
    ...routes.createRun,
    tag: 'Runs',
    summary: 'Create and execute a run of a job',
    scope: 'runs:write',
    body: runSchemas.runRequest,
    headers: idempotencyKey,
    answers: [
      json(
        201,
        Type.Union([runSchemas.runCreated, runSchemas.run]),
        'Created; with `async: false`, the answer is the finished run',
        createdHeaders,
      ),
      json(
        202,
        runSchemas.run,
        'With `async: false`: the run did not finish within `server.sync_wait`',
        createdHeaders,
      ),
    ],
    problems: ['validation-error', 'permission-denied', 'not-supported-yet', ...runSchemas.startProblems],
    audit: { action: 'run.create', object: 'run', keeps: ['job_id'] },
  },
  listRuns: {
    ...routes.listRuns,
    tag: 'Runs',
    summary: 'List runs, newest first',
    scope: 'runs:read',
    query: queryOf({
      job_id: text('Only runs of this job'),
      status: oneOf(
        listedStatuses,
        'Only runs with this status; `waiting_approval`: runs with a step that waits for an approval',
      ),
      tenant: text('Only runs of this tenant'),
      label: text('Only runs with this label: `key` or `key=value`'),
      source: text('Only runs of jobs of this source'),
      since: instant('Only runs created at this time or later'),
      until: instant('Only runs created before this time'),
      prefix: text('Only runs of jobs in this namespace or below it'),
      created_by: text('Only runs that this principal started, by its exact name'),
      trigger: oneOf(triggerTypes, 'Only runs that were started in this way; `job`: by a step of another run'),
      not_label: text('Leave out runs with this label: `key` or `key=value`'),
      top_level: Type.Optional(Type.Boolean({ description: 'Leave out runs that a step of another run started' })),
      q: text('Only runs with this text in the id, the job’s id, the arguments or the error'),
      ...page('How many runs to return at most; 100 by default'),
    }),
    answers: [json(200, runSchemas.runList, 'Runs')],
    problems: ['validation-error'],
  },
  getRun: {
    ...routes.getRun,
    tag: 'Runs',
    summary: 'Get a run, with its result',
    scope: 'runs:read',
    headers: ifNoneMatch,
    answers: [json(200, runSchemas.run, 'The run', ['ETag']), unchanged()],
    problems: ['run-not-found'],
  },
  ...failureOperations,
  ...logOperations,
  getRunEvents: {
    ...routes.getRunEvents,
    tag: 'Events',
    summary: 'Stream or list the events of a run',
    scope: 'runs:read',
    query: queryOf({
      types: text('Only events with these names, separated by commas'),
      last_event_id: text('Same as the header `Last-Event-ID`'),
    }),
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description: 'Server-sent events; with `Accept: application/x-ndjson`, the events so far',
        content: { 'text/event-stream': runEventStream, 'application/x-ndjson': runEventLine },
      },
    ],
    problems: ['validation-error', 'run-not-found', 'events-expired'],
  },
  getRunEventLines: {
    ...routes.getRunEventLines,
    tag: 'Events',
    summary: 'List the events of a run so far, as JSON lines',
    scope: 'runs:read',
    query: queryOf({ types: text('Only events with these names, separated by commas') }),
    answers: [
      {
        status: 200,
        description: 'One event on each line',
        content: { 'application/x-ndjson': runEventLine },
      },
    ],
    problems: ['validation-error', 'run-not-found'],
  },
  listRunNotices: {
    ...routes.listRunNotices,
    tag: 'Runs',
    summary: 'List the notifications about the end of a run, and whether they were delivered',
    scope: 'runs:read',
    answers: [json(200, runSchemas.notificationList, 'Notifications, in the order of `notify` in the job')],
    problems: ['run-not-found'],
  },
  cancelRun: {
    ...routes.cancelRun,
    tag: 'Runs',
    summary: 'Cancel a run: the answer says `cancelled` when no process of the run is left',
    scope: 'runs:write',
    query: queryOf({
      force: Type.Optional(Type.Boolean({ description: 'Kill the processes at once, without a grace period' })),
    }),
    answers: [
      json(200, runSchemas.runStatusAnswer, 'Cancelled'),
      json(202, runSchemas.runStatusAnswer, 'The processes have not all ended when the grace period is over'),
    ],
    problems: ['validation-error', 'run-not-found', 'run-already-finished'],
    audit: { action: 'run.cancel', object: 'run', keeps: ['force'] },
  },
  rerunRun: {
    ...routes.rerunRun,
    tag: 'Runs',
    summary: 'Run a job again: from the start, from the steps that did not succeed, or from one step',
    scope: 'runs:write',
    body: runSchemas.rerunRequest,
    headers: idempotencyKey,
    answers: [json(201, runSchemas.runCreated, 'Created', createdHeaders)],
    problems: [
      'validation-error',
      'run-not-found',
      'run-not-finished',
      'workspace-expired',
      'revision-expired',
      ...runSchemas.startProblems,
      'not-ready',
    ],
    audit: { action: 'run.create', object: 'run' },
  },
  approveRun: {
    ...routes.approveRun,
    tag: 'Runs',
    summary: 'Approve or deny a step that waits for approval',
    scope: 'runs:approve',
    body: runSchemas.approvalRequest,
    answers: [json(200, runSchemas.approvalAnswer, 'Decided')],
    problems: ['validation-error', 'run-not-found', 'approval-not-pending', 'permission-denied'],
    audit: { action: 'run.approve', object: 'run', keeps: ['step_id', 'decision', 'comment'] },
  },
  listApprovals: {
    ...routes.listApprovals,
    tag: 'Runs',
    summary: 'List the approvals that steps wait for, or the approvals that have ended',
    scope: 'runs:read',
    query: queryOf({
      state: oneOf(
        ['waiting', 'answered'] as const,
        '`waiting`, the default: approvals that steps wait for, longest first; `answered`: approvals that have ended, even without an answer, newest first',
      ),
      job_id: text('Only approvals of runs of this job'),
      tenant: text('Only approvals of runs of this tenant'),
      limit: limit(1000, 'How many approvals to return at most; 100 by default'),
    }),
    answers: [json(200, runSchemas.approvalList, 'Approvals')],
    problems: ['validation-error'],
  },
  listRunAttempts: {
    ...routes.listRunAttempts,
    tag: 'Runs',
    summary: 'List every attempt of the steps of a run, sorted by step and attempt',
    scope: 'runs:read',
    query: queryOf({ step_id: text('Only attempts of this step') }),
    answers: [json(200, runSchemas.attemptList, 'Attempts')],
    problems: ['validation-error', 'run-not-found'],
  },
  listRunChildren: {
    ...routes.listRunChildren,
    tag: 'Runs',
    summary: 'List the sub-runs that the steps of a run have started, oldest first',
    scope: 'runs:read',
    answers: [json(200, runSchemas.childList, 'Sub-runs; each names the step and the run that started it')],
    problems: ['run-not-found'],
  },
  createPlan: {
    ...routes.createPlan,
    tag: 'Runs',
    summary: 'Plan a run: check the request and describe the run that would start, without starting it',
    scope: 'jobs:read',
    body: runSchemas.runRequest,
    answers: [json(200, runSchemas.plan, 'The plan')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: null,
  },
  ...sourceOperations,
  ...scheduleOperations,
  ...backfillOperations,
  ...webhookOperations,
  ...channelOperations,
  ...triggerOperations,
  ...secretOperations,
  ...kvOperations,
  ...artifactOperations,
  ...tokenOperations,
  ...auditOperations,
  ...statsOperations,
  ...systemOperations,
  streamRunEvents: {
    ...routes.streamRunEvents,
    tag: 'Events',
    summary: 'Stream the events of all runs',
    scope: 'runs:read',
    query: queryOf({
      run_id: text('Only events of this run; the stream ends after `run.finished`'),
      job_id: text('Only events of runs of this job'),
      types: text('Only events with these names, separated by commas'),
      last_event_id: text('Same as the header `Last-Event-ID`'),
    }),
    headers: lastEventId,
    answers: [{ status: 200, description: 'Server-sent events', content: { 'text/event-stream': runEventStream } }],
    problems: ['validation-error', 'run-not-found', 'events-expired'],
  },
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operations;

type PartOf<Id extends OperationId, Key extends 'query' | 'body'> =
  (typeof operations)[Id] extends Record<Key, infer S extends TSchema> ? Static<S> : undefined;
export type QueryOf<Id extends OperationId> = PartOf<Id, 'query'>;
export type BodyOf<Id extends OperationId> = PartOf<Id, 'body'>;

type Names<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
/** The parameters of an operation's path, e.g. `{ run_id: string }`. */
export type PathOf<Id extends OperationId> = { readonly [Name in Names<(typeof operations)[Id]['path']>]: string };

type FirstContent<A> = A extends readonly [{ content: infer C }, ...unknown[]]
  ? C extends { 'application/json': infer S extends TSchema }
    ? Static<S>
    : never
  : never;
/** The JSON of the first answer that the operation lists; `never` for bytes and streams. */
export type AnswerOf<Id extends OperationId> = FirstContent<(typeof operations)[Id]['answers']>;
