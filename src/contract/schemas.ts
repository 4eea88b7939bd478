// The shapes of the instance and of problems, as JSON Schema (TypeBox): one schema validates, types and documents each.
// Jobs and runs have files of their own. The seed's fields come first in every object.

import { Type } from 'typebox';
import { anyObject, literals, nullable } from './basics.ts';
import { limitMeans } from './run-schemas.ts';

const caller = Type.Object(
  { name: Type.String(), scopes: Type.Array(Type.String()), tenant: Type.String() },
  { description: 'Who asks, and what they may do' },
);

export const health = Type.Object(
  {
    status: literals(['healthy', 'degraded', 'unhealthy'] as const),
    version: Type.String(),
    uptime_seconds: Type.Integer(),
    checks: Type.Record(Type.String(), Type.Object({ status: Type.String(), detail: Type.Optional(Type.String()) })),
    caller,
  },
  { $id: 'Health' },
);

const capability = Type.Object({ available: Type.Boolean(), detail: nullable(Type.String()) });

const hostCheck = Type.Object({
  name: Type.String(),
  status: literals(['ok', 'warn', 'fail'] as const),
  detail: Type.String(),
  cure: nullable(Type.String({ description: 'what to install or to set' })),
});

export const systemInfo = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    sources: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), path: Type.Optional(Type.String()) })),
    extensions: Type.Array(Type.String(), { description: 'Optional interfaces that this instance offers' }),
    caller,
    storage: Type.Object({ database: Type.String(), blobs: Type.String() }),
    queue: Type.Object({
      depth: Type.Integer({ description: 'Runs that wait; for who is of one tenant, those of that one' }),
      running: Type.Integer({
        description: 'Processes of steps; for who is of one tenant, its runs that have started',
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
  },
  { $id: 'SystemInfo' },
);

const removedCount = Type.Integer({ minimum: 0 });

export const collected = Type.Object(
  {
    done: Type.Boolean({ description: 'false: there is more, ask again' }),
    removed: Type.Object({
      events: removedCount,
      logs: removedCount,
      artifacts: removedCount,
      runs: removedCount,
      workspaces: removedCount,
      snapshots: removedCount,
      leftovers: removedCount,
      audit: removedCount,
      file_bytes: removedCount,
      database_bytes: removedCount,
    }),
  },
  { $id: 'Collected' },
);

export const problemDocument = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    errors: Type.Optional(Type.Array(anyObject)),
  },
  { $id: 'Problem' },
);
