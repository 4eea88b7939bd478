// The configuration of one server as the rest of flwd sees it: checked values, in the units of the code.

import { join } from 'node:path';
import type { SecurityProfile } from '../domain/job.ts';
import type { Frozen } from '../lib/frozen.ts';
import { toJwtConfig } from './jwt.ts';
import { extensions, type KeyPath } from './keys.ts';
import { toNotify } from './notify.ts';
import { type Settings, valueAt } from './settings.ts';
import { toSources } from './sources.ts';

export type Config = ReturnType<typeof toConfig>;

/** Makes the Config from settings that have no errors. null means "none" or, for a lifetime, "forever". */
export function toConfig(settings: Settings, o: { readonly isDev: boolean }) {
  const get = reader(settings);
  const named: readonly string[] = get('extensions.enabled');
  return freeze({
    instance: {
      name: get('instance.name'),
      dataDir: get('instance.data_dir'),
      defaultTenant: get('instance.default_tenant'),
    },
    sources: toSources(settings),
    server: toServer(settings),
    auth: {
      mode: get('auth.mode'),
      /**
       * `--dev`: the token `dev-token` may do everything, and web pages from localhost may use the API with a token.
       */
      isDev: o.isDev,
      trustJobs: get('auth.trust_jobs'),
      jwt: toJwtConfig(settings),
    },
    security: {
      defaultProfile: get('security.default_profile'),
      allowProfiles: get('security.allow_profiles'),
      paths: get('security.paths'),
      runAs: get('security.run_as'),
      profiles: {
        secure: toProfile(settings, 'secure'),
        permissive: toProfile(settings, 'permissive'),
        disabled: toProfile(settings, 'disabled'),
      },
    },
    persistence: {
      dbPath: get('persistence.db_path'),
      blobsDir: get('persistence.blobs.path'),
      secretKeyFile: get('persistence.secret_key_file'),
      /** The secret keys from the environment. If they are set, `secretKeyFile` is not read. */
      secretKey: get('persistence.secret_key'),
      artifacts: {
        maxSizeBytes: get('persistence.artifacts.max_size'),
        quotaSoftBytes: get('persistence.artifacts.quota_soft'),
        quotaHardBytes: get('persistence.artifacts.quota_hard'),
        ttlMs: get('persistence.artifacts.ttl'),
      },
      retention: toRetention(settings),
    },
    scheduler: {
      timezone: get('scheduler.timezone'),
      calendars: get('scheduler.calendars'),
      schedulesPaused: get('scheduler.schedules_paused'),
      triggersPaused: get('scheduler.triggers_paused'),
      globalConcurrency: get('scheduler.global_concurrency'),
      jobConcurrency: get('scheduler.job_concurrency'),
      queue: {
        maxDepth: get('scheduler.queue.max_depth'),
        defaultWeight: get('scheduler.queue.default_weight'),
        weights: get('scheduler.queue.weights'),
      },
    },
    notify: { signingKeyFile: get('notify.signing_key_file'), allow: get('notify.allow'), ...toNotify(settings) },
    aliases: itemsAt(settings, 'aliases').map((at) => ({
      from: get('aliases[].from', at),
      to: get('aliases[].to', at),
    })),
    remotes: toRemotes(settings),
    logging: {
      level: get('logging.level'),
      format: get('logging.format'),
      /** `stderr`, `stdout`, or the path of a file. */
      output: get('logging.output'),
      fields: get('logging.fields'),
    },
    /** null: flwd sends nothing to a collector. */
    collector: toCollector(settings),
    mcp: { jobTools: get('mcp.job_tools'), waitMs: get('mcp.wait'), isUntrustedAllowed: get('mcp.untrusted') },
    extensions: extensions.filter((name) => named.includes(name)),
  });
}

function reader(settings: Settings) {
  return <P extends KeyPath>(path: P, at?: number | string) => valueAt(settings, path, at);
}

function itemsAt(settings: Settings, list: string): readonly (number | string)[] {
  return (settings.items.get(list) ?? []).map(({ at }) => at);
}

function toCollector(settings: Settings) {
  const get = reader(settings);
  const endpoint = get('telemetry.otlp.endpoint');
  const signals = (['traces', 'logs'] as const).filter((signal) => get(`telemetry.otlp.${signal}`));
  if (endpoint === null || signals.length === 0) return null;
  return { endpoint, headers: get('telemetry.otlp.headers'), signals };
}

function toServer(settings: Settings) {
  const get = reader(settings);
  const isTlsOff = get('server.tls.enabled') === false;
  const certFile = get('server.tls.cert_file');
  const keyFile = get('server.tls.key_file');
  return {
    bind: get('server.bind'),
    publicUrl: get('server.public_url'),
    readTimeoutMs: get('server.read_timeout'),
    writeTimeoutMs: get('server.write_timeout'),
    idleTimeoutMs: get('server.idle_timeout'),
    syncWaitMs: get('server.sync_wait'),
    bodyLimitBytes: get('server.body_limit'),
    tls: isTlsOff || certFile === null || keyFile === null ? null : { certFile, keyFile },
    corsOrigins: get('server.cors_origins'),
    trustProxy: get('server.trust_proxy'),
  };
}

function toProfile(settings: Settings, name: SecurityProfile) {
  const get = reader(settings);
  const limit = get('security.profiles.<profile>.rate_limit.limit', name);
  const windowMs = get('security.profiles.<profile>.rate_limit.window', name);
  return {
    envPassthrough: get('security.profiles.<profile>.env_passthrough', name),
    /** null: the server's default. */
    rateLimit: limit === null ? null : { limit, windowMs },
    mayGrant: get('security.profiles.<profile>.may_grant', name),
    /** The longest that a run may take. */
    runTimeoutMs: get('security.profiles.<profile>.resources.timeout', name),
    resources: {
      cpu: get('security.profiles.<profile>.resources.cpu', name),
      memoryBytes: get('security.profiles.<profile>.resources.memory', name),
      pids: get('security.profiles.<profile>.resources.pids', name),
      workspaceBytes: get('security.profiles.<profile>.resources.workspace', name),
    },
  };
}

/** Other instances of flwd, by name. */
function toRemotes(settings: Settings) {
  const get = reader(settings);
  const remotes = itemsAt(settings, 'remotes').map(
    (at) =>
      [
        at,
        {
          baseUrl: get('remotes.<name>.base_url', at),
          tokenFile: get('remotes.<name>.auth.token_file', at),
          /** null: flwd trusts the authorities that Node knows. */
          caFile: get('remotes.<name>.ca_file', at),
        },
      ] as const,
  );
  return Object.fromEntries(remotes);
}

function toRetention(settings: Settings) {
  const kept = (name: 'runs' | 'logs' | 'artifacts' | 'workspaces' | 'snapshots' | 'events' | 'audit' | 'stats') => {
    const value = valueAt(settings, `persistence.retention.${name}`);
    return value === 'never' ? null : value;
  };
  const runsMs = kept('runs');
  const logsMs = kept('logs');
  const bounds = [kept('events'), logsMs, runsMs].filter((ms) => ms !== null);
  return {
    runsMs,
    logsMs,
    artifactsMs: kept('artifacts'),
    workspacesMs: kept('workspaces'),
    snapshotsMs: kept('snapshots'),
    /** Output events are read from the log, so they cannot outlive it. */
    eventsMs: bounds.length > 0 ? Math.min(...bounds) : null,
    auditMs: kept('audit'),
    statsMs: kept('stats'),
  };
}

function freeze<T extends object>(value: T): Frozen<T> {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freeze(member);
  Object.freeze(value);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has just been frozen
  return value as Frozen<T>;
}

/** The folders in which a server keeps the files of its runs. */
export function ownFolders(config: Config): readonly string[] {
  const { blobsDir } = config.persistence;
  const { runsDir, snapshotsDir } = foldersOf(config);
  return [runsDir, snapshotsDir, join(blobsDir, 'logs'), join(blobsDir, 'artifacts')];
}

/** A folder that only the fork server uses. */
export function pipesDir({ instance }: Config): string {
  return join(instance.dataDir, 'pipes');
}

/** The folders in the data dir whose place no key can change. */
export function foldersOf({ instance }: Config): { readonly runsDir: string; readonly snapshotsDir: string } {
  return { runsDir: join(instance.dataDir, 'runs'), snapshotsDir: join(instance.dataDir, 'snapshots') };
}
