// The operations on the instance itself and its workers, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { limitMeans } from './run-schemas.ts';
import { json, labels, literals, named, nullable, queryOf, textOrNull, timestamp } from './schema-parts.ts';

const caller = Type.Object(
  { name: Type.String(), scopes: Type.Array(Type.String()), tenant: Type.String() },
  { description: 'Who you are, and what you may do' },
);

const health = named('Health', {
  status: literals(['healthy', 'degraded', 'unhealthy'] as const),
  version: Type.String(),
  uptime_seconds: Type.Integer(),
  checks: Type.Record(
    Type.String(),
    Type.Object({
      status: Type.String(),
      detail: Type.Optional(
        Type.String({
          description:
            'Why the check is not `ok`, or a figure such as the free space; absent if the caller does not have all tenants',
        }),
      ),
    }),
  ),
  caller,
});

const capability = Type.Object({ available: Type.Boolean(), detail: nullable(Type.String()) });

const hostCheck = Type.Object({
  name: Type.String(),
  status: literals(['ok', 'warn', 'fail'] as const),
  detail: Type.String(),
  fix: textOrNull('What to install or to configure'),
});

const systemInfo = named('SystemInfo', {
  name: Type.String(),
  version: Type.String(),
  timezone: Type.String({ description: 'The time zone of schedules without a `timezone`' }),
  sources: Type.Array(
    Type.Object({
      name: Type.String(),
      type: Type.String(),
      path: Type.Optional(Type.String()),
      trusted: Type.Boolean(),
    }),
  ),
  extensions: Type.Array(Type.String(), { description: 'Optional interfaces that this instance offers' }),
  caller,
  storage: Type.Object({ database: Type.String(), blobs: Type.String() }),
  queue: Type.Object({
    depth: Type.Integer({
      description: 'How many runs wait; for a caller of one tenant, how many runs of this tenant',
    }),
    running: Type.Integer({
      description: 'How many processes of steps are running; for a caller of one tenant, how many runs of this tenant',
    }),
    limits: Type.Object({
      global_concurrency: Type.Integer(),
      job_concurrency: nullable(Type.Integer()),
      max_depth: nullable(Type.Integer()),
    }),
  }),
  executors: Type.Record(Type.String(), capability),
  isolation: Type.Record(Type.String(), capability),
  host: Type.Object({ checks: Type.Array(hostCheck) }),
  limits: Type.Object({
    body_bytes: Type.Integer(),
    sync_wait: Type.String(),
    run: Type.Record(Type.String(), Type.Object({ by: limitMeans, detail: nullable(Type.String()) })),
  }),
  workers: Type.Array(Type.Object({ id: Type.String(), host: Type.String(), running: Type.Integer() })),
});

const removedCount = Type.Integer({ minimum: 0 });

const collected = named('Collected', {
  done: Type.Boolean({ description: 'false: there is more to remove; call again' }),
  removed: Type.Object({
    events: removedCount,
    logs: removedCount,
    artifacts: removedCount,
    runs: removedCount,
    workspaces: removedCount,
    snapshots: removedCount,
    leftovers: removedCount,
    audit: removedCount,
    kv_keys: removedCount,
    stats: Type.Integer({ minimum: 0, description: 'How many counters of the statistics were removed' }),
    file_bytes: removedCount,
    database_bytes: removedCount,
  }),
});

const workerList = named('WorkerList', {
  workers: Type.Array(
    Type.Object({
      id: Type.String(),
      host: Type.String(),
      version: Type.String(),
      labels,
      concurrency: Type.Integer({ description: 'How many processes may run at the same time' }),
      running: Type.Integer({
        description:
          'How many processes of steps are running; for a caller of one tenant, how many runs of this tenant',
      }),
      seen_at: timestamp,
    }),
  ),
});

const storageHealth = named('StorageHealth', {
  ok: Type.Boolean(),
  driver: Type.String(),
  schema_version: Type.Integer(),
  bytes_used: Type.Integer({ description: 'The size of the database in bytes' }),
  max_bytes: Type.Integer({ description: '0: the database has no limit of its own' }),
  eviction_active: Type.Boolean({ description: 'Always false: data is removed by its age, never for its size' }),
  log_bytes: Type.Integer(),
  retention: Type.Object(
    {
      runs: nullable(Type.String()),
      logs: nullable(Type.String()),
      artifacts: nullable(Type.String()),
      workspaces: nullable(Type.String()),
      snapshots: nullable(Type.String()),
      events: nullable(Type.String()),
      audit: nullable(Type.String()),
      stats: nullable(Type.String()),
    },
    { description: 'How long flwd keeps each kind of data, such as `90d`; null: forever' },
  ),
  artifacts: Type.Object({
    count: Type.Integer(),
    bytes: Type.Integer(),
    quota_soft_bytes: nullable(Type.Integer()),
    quota_hard_bytes: Type.Integer(),
  }),
});

export const systemOperations = {
  getHealth: {
    ...routes.getHealth,
    tag: 'System',
    summary: 'Check the health of this instance',
    scope: 'public',
    answers: [
      json(200, health, 'Healthy or degraded'),
      json(503, health, 'Unhealthy: the instance cannot accept runs'),
    ],
    problems: [],
  },
  getStorageHealth: {
    ...routes.getStorageHealth,
    tag: 'System',
    summary: 'Check whether flwd can store data, and get how much it has stored',
    scope: 'metrics:read',
    isInstanceWide: true,
    answers: [json(200, storageHealth, 'flwd can store data; the sizes may be some minutes old')],
    problems: ['not-ready'],
  },
  getSystemInfo: {
    ...routes.getSystemInfo,
    tag: 'System',
    summary: 'Get the version, the sources, the limits, and what this host can enforce',
    scope: 'jobs:read',
    answers: [json(200, systemInfo, 'System information')],
    problems: [],
  },
  collectGarbage: {
    ...routes.collectGarbage,
    tag: 'System',
    summary: 'Remove expired data now: each call works for a few seconds',
    scope: 'admin',
    isInstanceWide: true,
    query: queryOf({ dry_run: Type.Optional(Type.Boolean({ description: 'Only report what would be removed' })) }),
    answers: [json(200, collected, 'How much was removed; `done` is false if there is more')],
    problems: ['not-ready'],
    audit: { action: 'gc', object: 'instance', unless: 'dry_run' },
  },
  listWorkers: {
    ...routes.listWorkers,
    tag: 'System',
    summary: 'List the workers, which run the jobs',
    scope: 'jobs:read',
    answers: [{ status: 200, description: 'Workers', content: { 'application/json': workerList } }],
    problems: [],
  },
} as const;
