// Requests that test how each operation separates tenants. A missing operation is a compile error.

import type { OperationId } from '../../src/contract/operations.ts';

export type Noun =
  | 'run'
  | 'approval'
  | 'artifact'
  | 'schedule'
  | 'backfill'
  | 'webhook'
  | 'token'
  | 'secret'
  | 'kv-key'
  | 'namespace'
  | 'entry';

/** A request that uses the method of the operation. */
export type Attempt = {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
};

export type Case =
  /** The operation takes the id of an object. Objects of another tenant are answered as if they did not exist. */
  | {
      readonly kind: 'thing';
      readonly noun: Noun;
      readonly attempts: (id: string) => readonly Attempt[];
      /** The status for an unknown object, if it is not 404. */
      readonly status?: number;
    }
  /** The operation lists objects of the caller's tenant, with a total. `other` is a run of another tenant. */
  | {
      readonly kind: 'list';
      readonly noun: Noun;
      readonly path: string;
      readonly queries: (other: string) => readonly string[];
    }
  /** The operation creates an object, and may name a tenant for it. `own` is a schedule of the caller's tenant. */
  | {
      readonly kind: 'make';
      readonly attempt: (own: string, tenant: string | undefined) => Attempt;
      readonly status: number;
    }
  /** The operation has a test of its own. */
  | { readonly kind: 'own' }
  /** The operation needs the tenant `*`. */
  | { readonly kind: 'instance-wide' }
  /** The operation concerns jobs, sources or the instance, which have no tenant. */
  | { readonly kind: 'shared' };

const yearly = { job_id: 'quick', cron: '0 0 1 1 *' };
const span = { from: '2025-06-01T00:00:00Z', until: '2026-06-01T00:00:00Z' };
let made = 0;

/** Sends the tenant in the body of the request. */
function makes(path: string, body: () => object, status: number): Case {
  return {
    kind: 'make',
    attempt: (own, tenant) => ({
      path: path.replace('OWN', own),
      body: { ...body(), ...(tenant !== undefined && { tenant }) },
    }),
    status,
  };
}

function below(path: string, ...queries: readonly string[]): (id: string) => Attempt[] {
  return (id) => ['', ...queries].map((query) => ({ path: path.replace('ID', id) + query }));
}

function posts(path: string, ...bodies: readonly object[]): (id: string) => Attempt[] {
  return (id) => bodies.map((body) => ({ path: path.replace('ID', id), body }));
}

function accepting(path: string, ...types: readonly string[]): (id: string) => Attempt[] {
  return (id) => types.map((accept) => ({ path: path.replace('ID', id), headers: { accept } }));
}

export const cases: Readonly<Record<OperationId, readonly Case[]>> = {
  listJobs: [{ kind: 'shared' }],
  getJob: [{ kind: 'shared' }],
  // Which revisions are listed depends on the caller, which test/server/job-files.test.ts tests.
  listJobFiles: [{ kind: 'shared' }],
  getJobFile: [{ kind: 'shared' }],
  getHealth: [{ kind: 'shared' }],
  listSources: [{ kind: 'shared' }],
  getSource: [{ kind: 'shared' }],
  syncSource: [{ kind: 'instance-wide' }],
  getStorageHealth: [{ kind: 'instance-wide' }],
  getSystemInfo: [{ kind: 'shared' }],
  listWorkers: [{ kind: 'shared' }],
  // Tested in test/server/stats.test.ts.
  getStats: [{ kind: 'own' }],
  getJobStats: [{ kind: 'own' }],
  collectGarbage: [{ kind: 'instance-wide' }],
  // The list shows the last delivery about runs that the caller may see, which test/e2e/channels.test.ts tests.
  listChannels: [{ kind: 'own' }],
  testChannel: [{ kind: 'instance-wide' }],
  createRun: [makes('/runs', () => ({ job_id: 'quick' }), 201)],
  createPlan: [makes('/plans', () => ({ job_id: 'quick' }), 200)],
  createSchedule: [makes('/schedules', () => yearly, 201)],
  previewSchedule: [makes('/schedules/preview', () => yearly, 200)],
  createToken: [makes('/tokens', () => ({ name: `made-${++made}`, scopes: ['runs:read'] }), 201)],
  listRuns: [
    {
      kind: 'list',
      noun: 'run',
      path: '/runs',
      queries: (other) => [
        `q=${other}`,
        'q=demo',
        'q=mnt',
        'job_id=demo',
        'job_id=demo&status=success',
        'status=success',
        'status=running',
        'status=running&job_id=gated',
        'label=team',
        'label=team=ops',
        'label=team=ops&q=mnt',
        'label=team&status=success',
        'top_level=true',
        'top_level=true&label=team',
        'created_by=local',
        'trigger=api',
        'not_label=nothing',
        'prefix=demo',
        'source=local-fs',
        'since=2020-01-01T00:00:00Z',
        'until=2100-01-01T00:00:00Z&job_id=demo',
        'offset=1',
        'limit=1',
        'tenant=acme',
        'tenant=acme&label=team',
        'tenant=acme&q=demo',
        'tenant=*',
      ],
    },
  ],
  getJobTimes: [{ kind: 'own' }],
  listApprovals: [
    {
      kind: 'list',
      noun: 'approval',
      path: '/approvals',
      queries: () => ['job_id=gated', 'state=answered', 'tenant=acme'],
    },
  ],
  getRun: [
    { kind: 'thing', noun: 'run', attempts: below('/runs/ID') },
    { kind: 'thing', noun: 'run', attempts: (id) => [{ path: `/runs/${id}`, headers: { 'if-none-match': '*' } }] },
  ],
  // Tested in test/server/failures.test.ts.
  listFailures: [{ kind: 'own' }, { kind: 'thing', noun: 'run', attempts: below('/failures?run_id=ID') }],
  // Tested in test/server/late.test.ts.
  listLate: [{ kind: 'own' }],
  // Tested in test/server/log-search.test.ts.
  searchLogs: [{ kind: 'own' }],
  getRunLogs: [
    {
      kind: 'thing',
      noun: 'run',
      attempts: below('/runs/ID/logs', '?q=secret', '?tail=1', '?cursor=1', '?follow=true', '?follow=true&tail=1'),
    },
    {
      kind: 'thing',
      noun: 'run',
      attempts: accepting('/runs/ID/logs', 'text/plain', 'application/x-ndjson', 'text/event-stream'),
    },
  ],
  getRunEvents: [
    { kind: 'thing', noun: 'run', attempts: below('/runs/ID/events', '?last_event_id=1', '?types=run.finished') },
    { kind: 'thing', noun: 'run', attempts: accepting('/runs/ID/events', 'application/x-ndjson') },
  ],
  getRunEventLines: [{ kind: 'thing', noun: 'run', attempts: below('/runs/ID/events.ndjson', '?types=run.finished') }],
  listRunNotices: [{ kind: 'thing', noun: 'run', attempts: below('/runs/ID/notices') }],
  listRunAttempts: [{ kind: 'thing', noun: 'run', attempts: below('/runs/ID/attempts', '?step_id=ok') }],
  listRunChildren: [{ kind: 'thing', noun: 'run', attempts: below('/runs/ID/children') }],
  cancelRun: [{ kind: 'thing', noun: 'run', attempts: below('/runs/ID/cancel') }],
  rerunRun: [
    {
      kind: 'thing',
      noun: 'run',
      attempts: posts('/runs/ID/rerun', {}, { from: 'failed' }, { from: { step: 'ok' } }, { revision: 'latest' }),
    },
  ],
  approveRun: [
    {
      kind: 'thing',
      noun: 'run',
      attempts: posts(
        '/runs/ID/approvals',
        { step_id: 'nowhere', decision: 'approve' },
        { step_id: 'ok', decision: 'approve' },
      ),
    },
  ],
  streamRunEvents: [
    { kind: 'own' },
    { kind: 'thing', noun: 'run', attempts: below('/events/runs?run_id=ID', '&last_event_id=1') },
  ],
  listSchedules: [
    {
      kind: 'list',
      noun: 'schedule',
      path: '/schedules',
      queries: () => ['job_id=quick', 'job_id=timed', 'source=job', 'source=api', 'enabled=true', 'tenant=acme'],
    },
  ],
  getSchedule: [{ kind: 'thing', noun: 'schedule', attempts: below('/schedules/ID') }],
  replaceSchedule: [
    { kind: 'thing', noun: 'schedule', attempts: posts('/schedules/ID', yearly, { ...yearly, tenant: 'beta' }) },
    makes('/schedules/OWN', () => yearly, 200),
  ],
  holdSchedule: [{ kind: 'thing', noun: 'schedule', attempts: below('/schedules/ID/hold') }],
  releaseSchedule: [{ kind: 'thing', noun: 'schedule', attempts: posts('/schedules/ID/release', {}) }],
  pauseSchedules: [makes('/schedules/pause', () => ({}), 200)],
  resumeSchedules: [makes('/schedules/resume', () => ({}), 200)],
  runSchedule: [{ kind: 'thing', noun: 'schedule', attempts: posts('/schedules/ID/run', {}) }],
  listScheduleFires: [{ kind: 'own' }],
  createBackfill: [{ kind: 'thing', noun: 'schedule', attempts: posts('/schedules/ID/backfills', span) }],
  previewBackfill: [{ kind: 'thing', noun: 'schedule', attempts: posts('/schedules/ID/backfills/preview', span) }],
  listBackfills: [
    { kind: 'list', noun: 'backfill', path: '/backfills', queries: () => ['job_id=quick', 'limit=1', 'tenant=acme'] },
  ],
  getBackfill: [{ kind: 'thing', noun: 'backfill', attempts: below('/backfills/ID') }],
  cancelBackfill: [{ kind: 'thing', noun: 'backfill', attempts: below('/backfills/ID/cancel') }],
  listWebhooks: [
    { kind: 'list', noun: 'webhook', path: '/webhooks', queries: () => ['job_id=hooked', 'limit=1', 'tenant=acme'] },
  ],
  createWebhook: [makes('/webhooks', () => ({ job_id: 'quick' }), 201)],
  deleteWebhook: [{ kind: 'thing', noun: 'webhook', attempts: below('/webhooks/ID') }],
  testWebhook: [{ kind: 'thing', noun: 'webhook', attempts: posts('/webhooks/ID/test', {}) }],
  getWebhook: [{ kind: 'thing', noun: 'webhook', attempts: below('/webhooks/ID') }],
  listDeliveries: [{ kind: 'thing', noun: 'webhook', attempts: below('/webhooks/ID/deliveries') }],
  replayDelivery: [{ kind: 'thing', noun: 'webhook', attempts: below('/webhooks/ID/deliveries/delivery_1/replay') }],
  listTriggers: [{ kind: 'shared' }],
  listTriggerResults: [{ kind: 'own' }],
  deleteSchedule: [{ kind: 'thing', noun: 'schedule', attempts: below('/schedules/ID') }],
  listArtifacts: [
    {
      kind: 'list',
      noun: 'artifact',
      path: '/artifacts',
      queries: (other) => [
        `run_id=${other}`,
        'job_id=demo',
        'name=report.txt',
        'name=report.txt&job_id=demo',
        'limit=1',
      ],
    },
  ],
  getArtifact: [
    { kind: 'thing', noun: 'artifact', attempts: below('/artifacts/ID') },
    {
      kind: 'thing',
      noun: 'artifact',
      attempts: (id) =>
        [{ 'if-none-match': '*' }, { range: 'bytes=0-1' }, { range: 'bytes=999999-' }].map((headers) => ({
          path: `/artifacts/${id}`,
          headers,
        })),
    },
  ],
  listAudit: [
    {
      kind: 'list',
      noun: 'entry',
      path: '/audit',
      queries: (other) => [`object=${other}`, `q=${other}`, 'action=token.create', 'tenant=acme', 'tenant=*'],
    },
  ],
  verifyAudit: [{ kind: 'instance-wide' }],
  listSecrets: [{ kind: 'list', noun: 'secret', path: '/secrets', queries: () => ['tenant=acme', 'limit=1'] }],
  putSecret: [
    {
      kind: 'thing',
      noun: 'secret',
      attempts: (id) => [{ path: `/secrets/${id}?tenant=acme`, body: { value: 'of another' } }],
      status: 403,
    },
  ],
  deleteSecret: [{ kind: 'thing', noun: 'secret', attempts: below('/secrets/ID', '?tenant=acme') }],
  rotateSecrets: [{ kind: 'instance-wide' }],
  listKvNamespaces: [{ kind: 'own' }],
  listKvKeys: [
    { kind: 'thing', noun: 'namespace', attempts: below('/kv/ID'), status: 200 },
    { kind: 'thing', noun: 'namespace', attempts: (id) => [{ path: `/kv/${id}?tenant=acme` }], status: 403 },
  ],
  getKvKey: [
    { kind: 'thing', noun: 'kv-key', attempts: below('/kv/shared/ID') },
    { kind: 'thing', noun: 'kv-key', attempts: (id) => [{ path: `/kv/shared/${id}?tenant=acme` }], status: 403 },
  ],
  putKvKey: [
    {
      kind: 'thing',
      noun: 'kv-key',
      attempts: (id) => [{ path: `/kv/shared/${id}?tenant=acme`, body: { value: '' } }],
      status: 403,
    },
    {
      kind: 'thing',
      noun: 'kv-key',
      attempts: (id) => [{ path: `/kv/shared/${id}`, body: { value: '', if_version: 1_000 } }],
      status: 409,
    },
  ],
  deleteKvKey: [{ kind: 'thing', noun: 'kv-key', attempts: below('/kv/shared/ID') }],
  listTokens: [{ kind: 'list', noun: 'token', path: '/tokens', queries: () => ['limit=1', 'offset=1'] }],
  revokeToken: [{ kind: 'thing', noun: 'token', attempts: below('/tokens/ID') }],
};
