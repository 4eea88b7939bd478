// The API as data: every operation once. Routes, validation, OpenAPI and the typed client are made from this table; where each
// one is stands in routes.ts.

import { type Static, type TSchema, Type } from 'typebox';
import type { AuditAction, AuditObjectKind } from '../domain/audit.ts';
import { logLevels } from '../domain/log-line.ts';
import type { Scope } from '../domain/principal.ts';
import type { ProblemSlug } from '../domain/problem.ts';
import { listedStatuses } from '../domain/run.ts';
import { artifactOperations } from './artifact-operations.ts';
import { auditOperations } from './audit-operations.ts';
import * as jobSchemas from './job-schemas.ts';
import { closed, cursor, instant, json, limit, oneOf, page, text } from './operation-parts.ts';
import { type Route, routes } from './routes.ts';
import * as runSchemas from './run-schemas.ts';
import { scheduleOperations } from './schedule-operations.ts';
import { secretOperations } from './secret-operations.ts';
import { systemOperations } from './system-operations.ts';
import type { Tag } from './tags.ts';
import { tokenOperations } from './token-operations.ts';
import { workerOperations } from './worker-operations.ts';

/** How an operation answers when it succeeds. */
export type Answer = {
  readonly status: number;
  readonly description: string;
  /** Media type → schema; no entry, no body. `Type.Unsafe` stands for bytes and streams. */
  readonly content: Readonly<Record<string, TSchema>>;
};

/** What the audit log says of an operation that was done, or refused. */
export type OperationAudit = {
  readonly action: AuditAction;
  readonly object: AuditObjectKind;
  /** Members of body and query that it keeps. Never one that may hold a secret. */
  readonly keeps?: readonly string[];
};

export type Operation = Route & {
  readonly tag: Tag;
  readonly summary: string;
  readonly scope: Scope | 'public';
  /** Concerns every tenant, and so asks for tenant `*` besides. */
  readonly isInstanceWide?: true;
  readonly query?: TSchema;
  readonly body?: TSchema;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: readonly Answer[];
  readonly problems: readonly ProblemSlug[];
  /** Of every operation that is not GET; null: it changes nothing. */
  readonly audit?: OperationAudit | null;
};

const stream = Type.Unsafe<string>({ type: 'string', description: 'Server-sent events' });

const ifNoneMatch = { 'If-None-Match': 'An ETag; 304 when nothing changed' };
const idempotencyKey = {
  'Idempotency-Key': '1–255 printable characters; the same key and body within 24 h give the stored answer',
};
const lastEventId = { 'Last-Event-ID': 'Resumes exactly after this id' };

export const operations = {
  listJobs: {
    ...routes.listJobs,
    tag: 'Jobs',
    summary: 'List the jobs of all sources',
    scope: 'jobs:read',
    query: Type.Object(
      {
        source: text('Jobs of this source'),
        namespace: text('Jobs of exactly this namespace'),
        prefix: text('Jobs of this namespace and all below it'),
        tag: text('Jobs with this tag'),
        q: text('Free text in id, title, description and tags'),
        ids: Type.Optional(
          Type.String({ description: 'Jobs of these ids, comma-separated', minLength: 1, maxLength: 16_384 }),
        ),
        last_runs: limit(10, 'So many of the last runs of each job besides, newest first; none without `runs:read`'),
        ...page('Rows at most; all of them without it, 100 with `last_runs`'),
      },
      closed,
    ),
    headers: ifNoneMatch,
    answers: [json(200, jobSchemas.jobList, 'Jobs by id')],
    problems: ['validation-error'],
  },
  getJob: {
    ...routes.getJob,
    tag: 'Jobs',
    summary: 'One job, with the schema of its arguments',
    scope: 'jobs:read',
    headers: ifNoneMatch,
    answers: [json(200, jobSchemas.job, 'The job')],
    problems: ['job-not-found', 'job-invalid'],
  },
  createRun: {
    ...routes.createRun,
    tag: 'Runs',
    summary: 'Create and execute a run of a job',
    scope: 'runs:write',
    body: runSchemas.runRequest,
    headers: idempotencyKey,
    answers: [
      json(201, Type.Union([runSchemas.runCreated, runSchemas.run]), 'Created; with `async: false` the finished run'),
      json(202, runSchemas.run, '`async: false`, and not finished within `server.sync_wait`'),
    ],
    problems: [
      'validation-error',
      'permission-denied',
      'job-not-found',
      'job-invalid',
      'not-supported-yet',
      'secret-unavailable',
      'isolation-unavailable',
      'profile-not-allowed',
      'grant-not-allowed',
      'queue-full',
      'concurrency-conflict',
      'idempotency-conflict',
      'idempotency-in-flight',
      'execution-error',
    ],
    audit: { action: 'run.create', object: 'run', keeps: ['job_id'] },
  },
  listRuns: {
    ...routes.listRuns,
    tag: 'Runs',
    summary: 'List runs, newest first',
    scope: 'runs:read',
    query: Type.Object(
      {
        job_id: text('Runs of this job'),
        status: oneOf(listedStatuses, 'Runs of this status; `waiting_approval`: with an open approval'),
        tenant: text('Runs of this tenant'),
        label: text('`key` or `key=value`'),
        source: text('Runs of jobs of this source'),
        since: instant('Created at this time or later'),
        until: instant('Created before this time'),
        q: text('Free text in ids, arguments and errors'),
        ...page('Rows at most; 100 without it'),
      },
      closed,
    ),
    answers: [json(200, runSchemas.runList, 'Runs')],
    problems: ['validation-error'],
  },
  getRun: {
    ...routes.getRun,
    tag: 'Runs',
    summary: 'One run, with its result',
    scope: 'runs:read',
    headers: ifNoneMatch,
    answers: [json(200, runSchemas.run, 'The run')],
    problems: ['run-not-found'],
  },
  getRunLogs: {
    ...routes.getRunLogs,
    tag: 'Runs',
    summary: 'The log of a run: a page, the whole text, or a live stream',
    scope: 'runs:read',
    query: Type.Object(
      {
        follow: Type.Optional(Type.Boolean({ description: 'Stream: what exists first, then what comes' })),
        since: instant('Lines strictly after this time'),
        limit: limit(10_000, 'Lines at most; 1000 without it'),
        cursor,
        before: limit(Number.MAX_SAFE_INTEGER, 'Lines before the one with this `seq`; with `tail` the nearest'),
        tail: limit(10_000, 'The last lines'),
        level: oneOf(logLevels, 'Lines of this level or worse'),
        step_id: text('Lines of this step and its instances'),
        attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Lines of this attempt' })),
        q: text('Lines that contain this text'),
        last_event_id: text('As the header `Last-Event-ID`'),
      },
      closed,
    ),
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description: 'Lines, oldest first',
        content: {
          'application/json': runSchemas.logPage,
          'text/plain': Type.String(),
          'application/x-ndjson': runSchemas.logLine,
          'text/event-stream': stream,
        },
      },
    ],
    problems: ['validation-error', 'run-not-found', 'log-damaged'],
  },
  getRunEvents: {
    ...routes.getRunEvents,
    tag: 'Events',
    summary: 'The events of one run',
    scope: 'runs:read',
    query: Type.Object(
      { types: text('Event names, comma-separated'), last_event_id: text('As the header `Last-Event-ID`') },
      closed,
    ),
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description: 'Server-sent events, or with `Accept: application/x-ndjson` what there is',
        content: { 'text/event-stream': stream, 'application/x-ndjson': Type.Unknown() },
      },
    ],
    problems: ['validation-error', 'run-not-found', 'events-expired'],
  },
  listRunNotices: {
    ...routes.listRunNotices,
    tag: 'Runs',
    summary: 'Who was told of the end of a run, and how that went',
    scope: 'runs:read',
    answers: [json(200, runSchemas.notificationList, 'Notifications, in the order of the job’s `notify`')],
    problems: ['run-not-found'],
  },
  cancelRun: {
    ...routes.cancelRun,
    tag: 'Runs',
    summary: 'Cancel a run; its processes are gone before the answer says so',
    scope: 'runs:write',
    query: Type.Object(
      {
        force: Type.Optional(
          Type.Boolean({ description: 'Kill at once, without the time that the job has to end in order' }),
        ),
      },
      closed,
    ),
    answers: [
      json(200, runSchemas.runStatusAnswer, 'Cancelled'),
      json(202, runSchemas.runStatusAnswer, 'Still terminating after the grace period'),
    ],
    problems: ['validation-error', 'run-not-found', 'run-already-finished'],
    audit: { action: 'run.cancel', object: 'run', keeps: ['force'] },
  },
  rerunRun: {
    ...routes.rerunRun,
    tag: 'Runs',
    summary: 'Run again: from the start, from what failed, or from a step',
    scope: 'runs:write',
    body: runSchemas.rerunRequest,
    headers: idempotencyKey,
    answers: [json(201, runSchemas.runCreated, 'Created')],
    problems: [
      'validation-error',
      'run-not-found',
      'run-not-finished',
      'workspace-expired',
      'revision-expired',
      'job-not-found',
      'job-invalid',
      'secret-unavailable',
      'isolation-unavailable',
      'profile-not-allowed',
      'grant-not-allowed',
      'concurrency-conflict',
      'idempotency-conflict',
      'idempotency-in-flight',
      'queue-full',
      'execution-error',
      'not-ready',
    ],
    audit: { action: 'run.create', object: 'run' },
  },
  approveRun: {
    ...routes.approveRun,
    tag: 'Runs',
    summary: 'Approve or deny a step that waits for it',
    scope: 'runs:approve',
    body: runSchemas.approvalRequest,
    answers: [json(200, runSchemas.approvalAnswer, 'Decided')],
    problems: ['validation-error', 'run-not-found', 'approval-not-pending', 'permission-denied'],
    audit: { action: 'run.approve', object: 'run', keeps: ['step_id', 'decision', 'comment'] },
  },
  listRunAttempts: {
    ...routes.listRunAttempts,
    tag: 'Runs',
    summary: 'Every attempt of the steps of a run, by step and attempt',
    scope: 'runs:read',
    query: Type.Object({ step_id: text('Attempts of this step') }, closed),
    answers: [json(200, runSchemas.attemptList, 'Attempts')],
    problems: ['validation-error', 'run-not-found'],
  },
  createPlan: {
    ...routes.createPlan,
    tag: 'Runs',
    summary: 'What a run would do: validates everything, runs nothing',
    scope: 'jobs:read',
    body: runSchemas.runRequest,
    answers: [json(200, runSchemas.plan, 'The plan')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: null,
  },
  ...scheduleOperations,
  ...secretOperations,
  ...artifactOperations,
  ...tokenOperations,
  ...auditOperations,
  ...systemOperations,
  ...workerOperations,
  streamRunEvents: {
    ...routes.streamRunEvents,
    tag: 'Events',
    summary: 'Stream the events of all runs',
    scope: 'runs:read',
    query: Type.Object(
      {
        run_id: text('Events of this run; the stream ends after its `run.finished`'),
        job_id: text('Events of this job’s runs'),
        types: text('Event names, comma-separated'),
        last_event_id: text('As the header `Last-Event-ID`'),
      },
      closed,
    ),
    headers: lastEventId,
    answers: [{ status: 200, description: 'Server-sent events', content: { 'text/event-stream': stream } }],
    problems: ['validation-error', 'run-not-found', 'events-expired'],
  },
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operations;

type PartOf<Id extends OperationId, Key extends 'query' | 'body'> =
  (typeof operations)[Id] extends Record<Key, infer S extends TSchema> ? Static<S> : undefined;
export type QueryOf<Id extends OperationId> = PartOf<Id, 'query'>;
export type BodyOf<Id extends OperationId> = PartOf<Id, 'body'>;

type Names<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
/** The members of an operation's path, e.g. `{ run_id: string }`. */
export type PathOf<Id extends OperationId> = { readonly [Name in Names<(typeof operations)[Id]['path']>]: string };

type FirstContent<A> = A extends readonly [{ content: infer C }, ...unknown[]]
  ? C extends { 'application/json': infer S extends TSchema }
    ? Static<S>
    : never
  : never;
/** The JSON of an operation's first success answer; `never` for bytes and streams. */
export type AnswerOf<Id extends OperationId> = FirstContent<(typeof operations)[Id]['answers']>;
