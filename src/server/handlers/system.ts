// The instance itself: its health, its configuration, and what its host can enforce.

import { hostname } from 'node:os';
import type { Catalog } from '../../catalog/catalog.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import type { HostCheck } from '../../domain/host-check.ts';
import { holdsScope, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Check } from '../../engine/health.ts';
import { findMissingSecrets } from '../../engine/missing-secrets.ts';
import type { Retention } from '../../engine/retention/retain.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Frozen } from '../../lib/frozen.ts';
import { listSome } from '../../lib/list-some.ts';
import { cached } from '../../lib/shared-read.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Store } from '../../store/open.ts';
import { isStorageError } from '../../store/storage-error.ts';
import type { Handlers } from '../exchange.ts';
import type { Load } from '../limits/pressure.ts';
import type { ServerConfig } from '../server-config.ts';
import { checkArtifacts } from './storage.ts';
import type { ActivityOf } from './workers.ts';

export type SystemHandlers = Pick<Handlers, 'getHealth' | 'getSystemInfo' | 'collectGarbage'> & {
  /** @throws Problem not-ready */
  readonly assertReady: () => void;
  /** @throws Problem not-ready */
  readonly assertHealthy: () => void;
};

/** How long a request collects garbage: well below the time that clients and proxies wait for an answer. */
const collectMs = 5_000;
/** The share of time that garbage collection may use. The rest is for other requests. */
const collectShare = 0.5;
/** How long health keeps what it found about secrets. Everybody may ask, and each answer looks at every job. */
const secretsKnownForMs = 2_000;

type Parts = {
  readonly activityOf: ActivityOf;
  readonly config: ServerConfig;
  readonly catalog: Catalog;
  readonly engine: Engine;
  readonly retention: Retention;
  readonly hostChecks: () => Promise<readonly HostCheck[]>;
  readonly version: string;
  readonly load: Load;
  readonly store: Pick<Store, 'artifacts' | 'secrets' | 'size'>;
};

export function createSystemHandlers(o: Parts): SystemHandlers {
  const { catalog, engine } = o;
  const sinceMs = systemClock.monotonicMs();
  const secrets = cached({ now: systemClock.monotonicMs }, secretsKnownForMs, () => checkSecrets(o));

  function checks(): Record<string, Check> {
    const complaint = o.load.complaint();
    const load: Check = complaint === null ? { status: 'ok' } : { status: 'degraded', detail: complaint };
    return { ...engine.health(), load };
  }

  function assertHealthy(): void {
    const failing = Object.entries(checks()).find(([, check]) => check.status === 'failing');
    if (failing) throw new Problem('not-ready', `The check '${failing[0]}' is failing.`);
  }

  return {
    assertHealthy,
    assertReady() {
      assertHealthy();
      if (!catalog.isReady) throw new Problem('not-ready', 'The sources are still being read.');
    },

    async getHealth({ request, reply }) {
      const artifacts = await checkArtifacts({ store: o.store, quotas: o.config.persistence.artifacts });
      const all = { ...checks(), secrets: await secrets(), ...artifacts };
      const has = (status: Check['status']): boolean => Object.values(all).some((check) => check.status === status);
      const status = has('failing') ? 'unhealthy' : has('degraded') ? 'degraded' : 'healthy';
      if (status === 'unhealthy') reply.code(503);
      return {
        status,
        version: o.version,
        uptime_seconds: Math.floor((systemClock.monotonicMs() - sinceMs) / 1000),
        checks: checksFor(request.principal, all),
        caller: callerOf(request.principal),
      };
    },

    async collectGarbage({ query }) {
      if (query.dry_run) return { done: true, removed: await o.retention.preview() };
      return o.retention.collect({ forMs: collectMs, share: collectShare });
    },

    getSystemInfo: async ({ request }) =>
      systemInfo(o, request.principal, await o.activityOf(request.principal), await o.hostChecks()),
  };
}

/** If the database cannot be read, the check of the database says so. */
async function checkSecrets({ catalog, store, engine, config }: Parts): Promise<Check> {
  try {
    const missing = await findMissingSecrets({ catalog, store, ...engine, ...config.instance });
    if (missing.length === 0) return { status: 'ok' };
    const detail = `runs of schedules, triggers or webhooks need secrets that are not stored: ${listSome(missing)}`;
    return { status: 'degraded', detail };
  } catch (error) {
    if (!isStorageError(error)) throw error;
    return { status: 'ok' };
  }
}

function systemInfo(
  { config, engine, version }: Parts,
  caller: Principal,
  { depth, running }: Awaited<ReturnType<ActivityOf>>,
  checks: readonly HostCheck[],
): Frozen<AnswerOf<'getSystemInfo'>> {
  const queue = engine.queue();
  const profiles = Object.entries(engine.host);
  const proc = profiles.find(([, profile]) => profile.available) ?? profiles[0];
  return {
    name: config.instance.name,
    version,
    timezone: engine.schedules.timezone,
    sources: config.sources.map(({ name, type, path, trusted }) => ({
      name,
      type,
      ...(isInstanceAdmin(caller) && { path }),
      trusted,
    })),
    extensions: config.extensions,
    caller: callerOf(caller),
    storage: { database: 'sqlite', blobs: 'file' },
    queue: {
      depth,
      running,
      limits: {
        global_concurrency: queue.globalConcurrency,
        job_concurrency: queue.jobConcurrency,
        max_depth: queue.maxDepth,
      },
    },
    executors: {
      proc: { available: proc?.[1].available ?? false, detail: proc?.[1].detail ?? null },
      container: { available: false, detail: 'not in this version' },
    },
    isolation: engine.host,
    host: { checks: [...checks] },
    limits: {
      body_bytes: config.server.bodyLimitBytes,
      sync_wait: formatDuration(config.server.syncWaitMs),
      run: engine.limitReport,
    },
    workers: [{ id: hostname(), host: hostname(), running }],
  };
}

function callerOf({ name, scopes, tenant }: Principal): AnswerOf<'getSystemInfo'>['caller'] {
  return { name, scopes: [...scopes], tenant };
}

/** Whether the caller may learn why a check of the whole instance fails. */
function isOperator({ tenant, jobs }: Principal): boolean {
  return tenant === '*' && !jobs;
}

/** Whether the caller may learn paths of the host, and where channels send to. */
export function isInstanceAdmin(principal: Principal): boolean {
  return isOperator(principal) && holdsScope(principal, 'admin');
}

/** Names of missing secrets are for those who may also see them in the lists of schedules and triggers. */
function checksFor(caller: Principal, checks: Readonly<Record<string, Check>>): Record<string, Check> {
  const isDetailed = (name: string): boolean =>
    isOperator(caller) && (name !== 'secrets' || holdsScope(caller, 'runs:write'));
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]) => [name, isDetailed(name) ? check : { status: check.status }]),
  );
}
