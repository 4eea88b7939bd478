// The configuration of one server, as the rest of flwd sees it: values that were checked, in the units of the code.

import { join } from 'node:path';
import type { SecurityProfile } from '../domain/job.ts';
import type { Resources } from '../domain/resources.ts';
import { enabledExtensions } from './extensions.ts';
import { type JwtConfig, toJwtConfig } from './jwt.ts';
import type { KeyPath } from './keys.ts';
import type { Bind } from './kind.ts';
import { type TlsConfig, toTlsConfig } from './listening.ts';
import { type Settings, valueAt } from './settings.ts';
import { type Source, toSources } from './sources.ts';

type ProfileConfig = {
  readonly envPassthrough: readonly string[];
  /** null: the server's own default. */
  readonly rateLimit: { readonly limit: number; readonly windowMs: number } | null;
  readonly mayGrant: readonly ('network' | 'read' | 'write')[];
  readonly resources: Resources;
};

/** null: for ever. */
type RetentionConfig = {
  readonly runsMs: number | null;
  readonly logsMs: number | null;
  readonly artifactsMs: number | null;
  readonly workspacesMs: number | null;
  readonly snapshotsMs: number | null;
  /** At most that of logs and runs: an event of output is read from the log. */
  readonly eventsMs: number | null;
  readonly auditMs: number | null;
};

type Remote = {
  readonly baseUrl: string;
  readonly tokenFile: string | null;
  /** null: the authorities that Node knows. */
  readonly caFile: string | null;
};

export type Config = {
  readonly instance: { readonly name: string; readonly dataDir: string; readonly defaultTenant: string };
  readonly sources: readonly Source[];
  readonly server: {
    readonly bind: Bind;
    readonly readTimeoutMs: number;
    readonly writeTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly syncWaitMs: number;
    readonly bodyLimitBytes: number;
    readonly tls: TlsConfig | null;
    readonly corsOrigins: readonly string[];
    readonly trustProxy: boolean | readonly string[];
  };
  readonly auth: {
    readonly mode: 'auto' | 'none' | 'required';
    /** `dev-token` may do everything, and pages of localhost may call with a token. */
    readonly isDev: boolean;
    readonly trustJobs: boolean;
    readonly jwt: JwtConfig | null;
  };
  readonly security: {
    readonly defaultProfile: SecurityProfile;
    readonly allowProfiles: readonly SecurityProfile[];
    /** Absolute. */
    readonly paths: readonly string[];
    readonly profiles: Readonly<Record<SecurityProfile, ProfileConfig>>;
  };
  readonly persistence: {
    readonly dbPath: string;
    readonly blobsDir: string;
    readonly secretKeyFile: string;
    /** Keys of the environment, in place of the file. */
    readonly secretKey: string | null;
    readonly artifacts: {
      readonly maxSizeBytes: number;
      readonly quotaHardBytes: number;
      /** null: for ever. */
      readonly ttlMs: number | null;
    };
    readonly retention: RetentionConfig;
  };
  readonly scheduler: {
    readonly globalConcurrency: number;
    readonly jobConcurrency: number | null;
    readonly queue: {
      readonly maxDepth: number | null;
      readonly defaultWeight: number;
      readonly weights: Readonly<Record<string, number>>;
    };
  };
  readonly notify: { readonly signingKeyFile: string };
  readonly aliases: readonly { readonly from: string; readonly to: string }[];
  /** Other instances of flwd, by name. */
  readonly remotes: Readonly<Record<string, Remote>>;
  readonly logging: { readonly level: string; readonly format: 'text' | 'json' };
  readonly extensions: readonly string[];
};

/** From settings without errors. */
export function toConfig(settings: Settings, o: { readonly isDev: boolean }): Config {
  const get = <P extends KeyPath>(path: P, at?: number | string) => valueAt(settings, path, at);

  function toProfile(name: SecurityProfile): ProfileConfig {
    const limit = get('security.profiles.<profile>.rate_limit.limit', name);
    const windowMs = get('security.profiles.<profile>.rate_limit.window', name);
    return {
      envPassthrough: get('security.profiles.<profile>.env_passthrough', name),
      rateLimit: limit === null ? null : { limit, windowMs },
      mayGrant: get('security.profiles.<profile>.may_grant', name),
      resources: {
        cpu: get('security.profiles.<profile>.resources.cpu', name),
        memoryBytes: get('security.profiles.<profile>.resources.memory', name),
        pids: get('security.profiles.<profile>.resources.pids', name),
        workspaceBytes: get('security.profiles.<profile>.resources.workspace', name),
      },
    };
  }

  return freeze({
    instance: {
      name: get('instance.name'),
      dataDir: get('instance.data_dir'),
      defaultTenant: get('instance.default_tenant'),
    },
    sources: toSources(settings),
    server: {
      bind: get('server.bind'),
      readTimeoutMs: get('server.read_timeout'),
      writeTimeoutMs: get('server.write_timeout'),
      idleTimeoutMs: get('server.idle_timeout'),
      syncWaitMs: get('server.sync_wait'),
      bodyLimitBytes: get('server.body_limit'),
      tls: toTlsConfig(settings),
      corsOrigins: get('server.cors_origins'),
      trustProxy: get('server.trust_proxy'),
    },
    auth: { mode: get('auth.mode'), isDev: o.isDev, trustJobs: get('auth.trust_jobs'), jwt: toJwtConfig(settings) },
    security: {
      defaultProfile: get('security.default_profile'),
      allowProfiles: get('security.allow_profiles'),
      paths: get('security.paths'),
      profiles: {
        secure: toProfile('secure'),
        permissive: toProfile('permissive'),
        disabled: toProfile('disabled'),
      },
    },
    persistence: {
      dbPath: get('persistence.db_path'),
      blobsDir: get('persistence.blobs.path'),
      secretKeyFile: get('persistence.secret_key_file'),
      secretKey: get('persistence.secret_key'),
      artifacts: {
        maxSizeBytes: get('persistence.artifacts.max_size'),
        quotaHardBytes: get('persistence.artifacts.quota_hard'),
        ttlMs: get('persistence.artifacts.ttl'),
      },
      retention: toRetention(settings),
    },
    scheduler: {
      globalConcurrency: get('scheduler.global_concurrency'),
      jobConcurrency: get('scheduler.job_concurrency'),
      queue: {
        maxDepth: get('scheduler.queue.max_depth'),
        defaultWeight: get('scheduler.queue.default_weight'),
        weights: get('scheduler.queue.weights'),
      },
    },
    notify: { signingKeyFile: get('notify.signing_key_file') },
    aliases: (settings.items.get('aliases') ?? []).map(({ at }) => ({
      from: get('aliases[].from', at),
      to: get('aliases[].to', at),
    })),
    remotes: Object.fromEntries(
      (settings.items.get('remotes') ?? []).map(({ at }) => [
        at,
        {
          baseUrl: get('remotes.<name>.base_url', at),
          tokenFile: get('remotes.<name>.auth.token_file', at),
          caFile: get('remotes.<name>.ca_file', at),
        },
      ]),
    ),
    logging: { level: get('logging.level'), format: get('logging.format') },
    extensions: enabledExtensions(settings),
  });
}

function toRetention(settings: Settings): RetentionConfig {
  const kept = (name: 'runs' | 'logs' | 'artifacts' | 'workspaces' | 'snapshots' | 'events' | 'audit') => {
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
    eventsMs: bounds.length > 0 ? Math.min(...bounds) : null,
    auditMs: kept('audit'),
  };
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freeze(member);
  return Object.freeze(value);
}

/** Folders of the data dir that no key moves. */
export function foldersOf({ instance }: Config): { readonly runsDir: string; readonly snapshotsDir: string } {
  return { runsDir: join(instance.dataDir, 'runs'), snapshotsDir: join(instance.dataDir, 'snapshots') };
}
