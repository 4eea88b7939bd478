// Every key of flwd.yaml, in one table: its kind, its default and what it is for. Validation, defaults, the environment's
// overrides, `flwd config show` and docs/configuration.md all come from here.
//
// `a.b` is key b of section a; `a[].b` belongs to each item of a list, `a.<name>.b` to each name in a map.

import { join } from 'node:path';
import { tenantPattern } from '../domain/tenant.ts';
import {
  amount,
  bind,
  choice,
  duration,
  flag,
  integer,
  type Kind,
  lifetime,
  listOf,
  mapOf,
  matching,
  origin,
  path,
  size,
  text,
  trustedProxies,
  url,
} from './kind.ts';

/** What a default may depend on. */
export type Known = {
  readonly environment: NodeJS.ProcessEnv;
  readonly home: string;
  readonly cores: number;
  readonly dataDir: string;
  /** The name in `<…>`. */
  readonly name: string;
};

export type Key<T = unknown> = {
  readonly kind: Kind<T>;
  /** As it would stand in flwd.yaml, or how to find it; null: nothing. */
  readonly default: unknown;
  readonly about: string;
  /** The default in words, where they say more. */
  readonly defaultText?: string;
  readonly isRequired?: true;
  /** Why this version refuses any other value than the default. */
  readonly notYet?: string;
  /** Never shown. */
  readonly isSecret?: true;
  /** The source types that have it. */
  readonly sourceTypes?: readonly string[];
};

type More = Omit<Key, 'kind' | 'default' | 'about'>;

const key = <T, D>(kind: Kind<T>, value: D, about: string, more?: More) => ({
  kind,
  default: value,
  about,
  ...more,
});
const optional = <T>(kind: Kind<T>, about: string, more?: More) => ({ kind, default: null, about, ...more });
const required = <T>(kind: Kind<T>, about: string) => ({ ...optional(kind, about), isRequired: true as const });
const computed = <T>(
  kind: Kind<T>,
  value: (known: Known) => unknown,
  defaultText: string,
  about: string,
  more?: More,
) => key(kind, value, about, { defaultText, ...more });

/** The optional interfaces of this build, as `/system/info` lists them. */
export const extensions = ['tui'] as const;
/** Parts of flwd that cannot be switched off; files from the API reference's configuration name them. */
export const extensionsWithoutEffect = ['triggers', 'export', 'maint'] as const;

const word = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'name', 'a name of letters, digits, `.`, `_` and `-`');
const jobId = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/,
  'job id',
  'a job id such as `backup/daily`',
);
const mountPath = { ...jobId, name: 'path of an id', expected: '`.` or the beginning of job ids such as `ops/backup`' };
const variable = matching(
  /^(?!FLWD_|FLOWD_)[A-Za-z_]\w*$/,
  'variable name',
  'the name of a variable, not one of flwd’s',
);
const tenant = matching(tenantPattern, 'tenant', 'a name of small letters, digits, `_` and `-`');
const postgresUrl = matching(/^postgres(ql)?:\/\/./, 'URL', 'a URL such as `postgres://user@host/flwd`');
export const securityProfiles = ['secure', 'permissive', 'disabled'] as const;
const profile = choice(...securityProfiles);
const timeout = duration('100ms', '24h');
const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const noContainers = 'this version has no container executor';
const noS3 = 'this version keeps blobs in files';
const noSoftQuota = 'in this version health does not watch it';
const noWorkers = 'in this version `serve` runs the jobs itself, and alone';
const fixedProfiles = 'in this version the profiles are fixed';
const remoteSources = ['git', 'oci'];

export const keys = {
  'instance.name': key(word, 'flwd', 'The instance’s name, for people'),
  'instance.data_dir': computed(
    path,
    ({ environment, home }) => join(environment.XDG_DATA_HOME || join(home, '.local/share'), 'flwd'),
    '`$XDG_DATA_HOME/flwd`',
    'Where everything is kept; for this user alone (mode 0700), and for one server at a time',
  ),
  'instance.default_tenant': key(tenant, 'default', 'The tenant of a run that names none'),

  'sources[].name': computed(word, () => null, 'the folder’s name', 'The source’s name; each has its own'),
  'sources[].type': key(choice('fs', 'git', 'oci'), 'fs', 'Where the jobs are; this version has `fs`, a folder'),
  'sources[].path': optional(path, 'The folder; an fs source must have one', { sourceTypes: ['fs'] }),
  'sources[].url': optional(text, 'The repository', { sourceTypes: ['git'] }),
  'sources[].ref': optional(text, 'The branch, tag or commit', { sourceTypes: ['git'] }),
  'sources[].subdir': optional(text, 'The folder within it that holds the jobs', { sourceTypes: remoteSources }),
  'sources[].image': optional(text, 'The image that holds the jobs', { sourceTypes: ['oci'] }),
  'sources[].mountPath': key(
    { ...mountPath, read: (raw, base) => (raw === '.' ? '.' : jobId.read(raw, base)) },
    '.',
    'What stands before the ids of its jobs; `.` is nothing',
  ),
  'sources[].watch': key(flag, true, 'Whether a change is seen at once'),
  'sources[].pull_policy': key(choice('always', 'missing', 'never'), 'always', 'When to fetch at the start', {
    sourceTypes: remoteSources,
  }),
  'sources[].auto_sync': key(flag, true, 'Whether to look for changes by itself', { sourceTypes: remoteSources }),
  'sources[].poll_interval': key(duration('1s', '24d'), '1m', 'How often', { sourceTypes: remoteSources }),
  'sources[].trusted': key(
    flag,
    true,
    'Whether its jobs may widen `secure` by `permissions`, or run in another profile',
  ),

  'server.bind': key(
    bind,
    '127.0.0.1:8080',
    'Where to listen (`localhost` means its IPv4 address); beyond loopback asks for a token, an issuer of JWTs, or `auth.mode: none`',
  ),
  'server.read_timeout': key(timeout, '30s', 'How long a client may take to send a request'),
  'server.write_timeout': key(timeout, '60s', 'How long a client may leave an answer unread'),
  'server.idle_timeout': key(timeout, '75s', 'How long a connection without a request is kept'),
  'server.sync_wait': key(duration('0s', '24h'), '60s', 'How long `async: false` waits for a run to finish'),
  'server.body_limit': key(size('1KiB', '256MiB'), '1MiB', 'The largest request body'),
  'server.cors_origins': key(
    listOf(origin),
    [],
    'Origins of web pages that may call the API, each with a token; without it, those of the server itself alone',
  ),
  'server.trust_proxy': key(
    trustedProxies,
    false,
    'Proxies whose `X-Forwarded-*` is believed; `true` is whoever connects, for a proxy that nobody can go round',
  ),
  'server.tls.cert_file': optional(
    path,
    'The certificate and those of its issuers, PEM; with it the server speaks HTTPS alone. A new one is taken without a restart',
  ),
  'server.tls.key_file': optional(path, 'The private key of the certificate, PEM, without a passphrase'),

  'auth.mode': key(
    choice('auto', 'none', 'required'),
    'auto',
    'Who may call without a token: `auto` processes of the server’s own user on loopback, `required` nobody, `none` everyone',
  ),
  'auth.trust_jobs': key(
    flag,
    false,
    'Lets jobs with the network act as the server’s user. Only for hosts where /proc hides that user’s processes (mode `auto`, server not root).',
  ),
  'auth.jwt.issuer': optional(text, 'Who must have issued a JWT: its claim `iss`, letter by letter'),
  'auth.jwt.audience': optional(text, 'Whom it must be for: its claim `aud`, or one of them'),
  'auth.jwt.jwks_file': optional(
    path,
    'The issuer’s public keys, a JSON Web Key Set; a new file is seen within a second',
  ),
  'auth.jwt.jwks_url': optional(url, 'The same at a URL, in place of `jwks_file`; https, unless it is on loopback'),
  'auth.jwt.tenant_claim': key(
    text,
    'tenant',
    'The claim that names the tenant; without it, `instance.default_tenant`; `*` with the scope `admin` alone',
  ),
  'auth.jwt.scope_claim': key(
    text,
    'scope',
    'The claim that lists the scopes, a text with spaces or a list; unknown ones count for nothing',
  ),
  'auth.jwt.algorithms': key(
    listOf(choice(...signatureAlgorithms)),
    [...signatureAlgorithms],
    'How a JWT may be signed; never by a secret that both sides know',
  ),
  'auth.jwt.clock_skew': key(duration('0s', '5m'), '30s', 'How far the issuer’s clock may be off'),

  'security.default_profile': key(profile, 'secure', 'The profile of a job that names none'),
  'security.allow_profiles': key(listOf(profile), ['secure', 'permissive'], 'The profiles that jobs may use'),
  'security.paths': key(listOf(path), [], 'Host folders below which jobs may be granted `read` and `write`'),
  'security.profiles.<profile>.network': computed(
    choice('none', 'all'),
    ({ name }) => (name === 'secure' ? 'none' : 'all'),
    '`none` for secure, else `all`',
    'What of the network a job has',
    { notYet: fixedProfiles },
  ),
  'security.profiles.<profile>.filesystem': computed(
    choice('workspace', 'host-read-only', 'host'),
    ({ name }) => (name === 'secure' ? 'workspace' : name === 'permissive' ? 'host-read-only' : 'host'),
    '`workspace`, `host-read-only`, `host`',
    'What of the files a job has',
    { notYet: fixedProfiles },
  ),
  'security.profiles.<profile>.env_passthrough': key(
    listOf(variable),
    [],
    'Variables of the server that its jobs get; for permissive alone',
  ),
  'security.profiles.<profile>.capabilities': key(listOf(text), [], 'Capabilities that jobs keep', {
    notYet: fixedProfiles,
  }),
  'security.profiles.<profile>.resources.cpu': optional(amount, 'Cores that a run gets, and may ask for at most'),
  'security.profiles.<profile>.resources.memory': optional(
    size('4MiB'),
    'Memory that a run gets, and may ask for at most',
    { defaultText: 'three quarters of the host’s, where a cgroup can hold it' },
  ),
  'security.profiles.<profile>.resources.pids': key(
    integer(1, 4_194_304),
    1_024,
    'Processes and threads that a run gets, and may ask for at most',
  ),
  'security.profiles.<profile>.resources.workspace': optional(
    size('1MiB'),
    'Size to which a workspace may grow, and which a job may ask for at most',
  ),
  'security.profiles.<profile>.rate_limit.limit': optional(
    integer(1, 1_000_000_000),
    'Requests that one caller may make in `window`, by the default profile; runs it may start, by any other',
    { defaultText: 'by the default profile 1000 for the server’s own user, 100 for others' },
  ),
  'security.profiles.<profile>.rate_limit.window': key(duration('100ms', '24h'), '1s', 'The time over which it counts'),
  'security.profiles.<profile>.may_grant': key(
    listOf(choice('network', 'read', 'write')),
    ['network', 'read', 'write'],
    'What `permissions` of a trusted source’s job may add',
  ),

  'persistence.url': optional(postgresUrl, 'PostgreSQL in place of SQLite; also `FLWD_DATABASE_URL`', {
    notYet: 'this version keeps its data in SQLite',
    isSecret: true,
  }),
  'persistence.db_path': computed(
    path,
    ({ dataDir }) => join(dataDir, 'flwd.db'),
    '`flwd.db` in the data dir',
    'The database',
  ),
  'persistence.blobs.store': key(choice('file', 's3'), 'file', 'Where logs and artifacts are', { notYet: noS3 }),
  'persistence.blobs.path': computed(
    path,
    ({ dataDir }) => dataDir,
    'the data dir',
    'The folder of `logs/` and `artifacts/`',
  ),
  'persistence.blobs.s3.endpoint': optional(url, 'The S3 service', { notYet: noS3 }),
  'persistence.blobs.s3.region': optional(text, 'Its region', { notYet: noS3 }),
  'persistence.blobs.s3.bucket': optional(text, 'The bucket', { notYet: noS3 }),
  'persistence.blobs.s3.prefix': optional(text, 'What the names begin with', { notYet: noS3 }),
  'persistence.artifacts.max_size': key(size(), '1GiB', 'The largest artifact; a run with a larger one fails'),
  'persistence.artifacts.quota_soft': optional(size(), 'Past this, health is `degraded`', { notYet: noSoftQuota }),
  'persistence.artifacts.quota_hard': key(size(), '100GiB', 'All artifacts together; a run that passes it fails'),
  'persistence.artifacts.ttl': optional(duration('1s'), 'How long an artifact is kept where its job does not say', {
    defaultText: 'for ever',
  }),
  'persistence.retention.runs': key(
    lifetime('1m'),
    '90d',
    'How long a finished run is kept, and everything of it: steps, log, artifacts, workspace',
  ),
  'persistence.retention.logs': key(lifetime('1m'), '30d', 'How long the log of a finished run is kept'),
  'persistence.retention.artifacts': key(lifetime('1m'), 'never', 'How long any artifact is kept, whatever its `ttl`'),
  'persistence.retention.workspaces': key(
    lifetime('1m'),
    '24h',
    'How long the workspace of a finished run with steps is kept, for a rerun from within',
  ),
  'persistence.retention.snapshots': key(
    lifetime('1h'),
    '7d',
    'How long the copy of a job is kept after it was last taken, where no kept workspace needs it',
  ),
  'persistence.retention.events': key(
    lifetime('1m'),
    '7d',
    'How long events can be replayed; never longer than `logs` and `runs`',
  ),
  'persistence.retention.audit': key(lifetime('1m'), '365d', 'How long a row of the audit log is kept'),
  'persistence.secret_key_file': computed(
    path,
    ({ dataDir }) => join(dataDir, 'secret.key'),
    '`secret.key` in the data dir',
    'The keys that seal secrets, `fsk_…`, one a line, of which the first seals and all open; made at the first start. A line `ffk_…`, there after a rotation, is the key by which requests with an `Idempotency-Key` are known',
  ),
  'persistence.secret_key': optional(
    matching(/^(fsk_[A-Za-z0-9+/_-]{43}=?)( *, *fsk_[A-Za-z0-9+/_-]{43}=?)*$/, 'keys', 'keys such as `fsk_…`'),
    'Keys in place of the file, separated by commas: by the variable `FLWD_SECRET_KEY` alone, never in flwd.yaml',
    { isSecret: true, defaultText: 'those of the file' },
  ),

  'scheduler.global_concurrency': computed(
    integer(1, 10_000),
    ({ cores }) => Math.max(4, 2 * cores),
    '2 × cores, at least 4',
    'Processes at a time: attempts of steps',
  ),
  'scheduler.job_concurrency': optional(integer(1, 10_000), 'Runs of one job at a time', { defaultText: 'no limit' }),
  'scheduler.queue.max_depth': optional(integer(1, 100_000_000), 'Waiting runs; past them 429 `queue-full`', {
    defaultText: 'no limit',
  }),
  'scheduler.queue.default_weight': key(integer(1, 1_000), 1, 'A tenant’s share of the queue'),
  'scheduler.queue.weights': key(mapOf(integer(1, 1_000)), {}, 'Shares by tenant'),

  'notify.signing_key_file': computed(
    path,
    ({ dataDir }) => join(dataDir, 'notify.key'),
    '`notify.key` in the data dir',
    'The keys that sign notifications, `whsec_…`, one a line; made at the first start',
  ),

  'aliases[].from': required(jobId, 'A job’s id'),
  'aliases[].to': required(jobId, 'The name that works wherever the id does'),
  'aliases[].description': optional(text, 'What it is for'),

  'worker.enabled': key(flag, true, 'Whether `serve` runs jobs itself', { notYet: noWorkers }),
  'worker.labels': key(mapOf(text), {}, 'What jobs may ask of a worker', { notYet: noWorkers }),

  'container.runtime': key(text, 'auto', '`auto`, `podman`, `docker` or a path', { notYet: noContainers }),
  'container.runtime_args': key(listOf(text), [], 'Arguments of the runtime', { notYet: noContainers }),
  'container.allowed_registries': key(listOf(text), [], 'Registries to take images from', { notYet: noContainers }),
  'container.insecure_registries': key(listOf(text), [], 'Registries without TLS', { notYet: noContainers }),
  'container.verify_signatures': key(flag, false, 'Whether images must be signed', { notYet: noContainers }),

  'logging.level': key(choice('trace', 'debug', 'info', 'warn', 'error', 'fatal'), 'info', 'The least that is logged'),
  'logging.format': key(choice('text', 'json'), 'text', 'Lines for people, or JSON'),
  'logging.output': key(text, 'stderr', 'Where the server’s log goes', { notYet: 'this version logs to stderr' }),
  'logging.fields': key(mapOf(text), {}, 'Members added to every line', { notYet: 'this version adds none' }),

  'telemetry.otlp_endpoint': optional(url, 'Where OpenTelemetry goes', { notYet: 'this version sends none' }),

  'extensions.enabled': key(
    listOf(choice(...extensions, ...extensionsWithoutEffect)),
    extensions,
    'The optional interfaces that `/system/info` tells clients of; `[]` for none. Only `tui` has an effect',
  ),

  'remotes.<name>.base_url': required(url, 'The address of another flwd'),
  'remotes.<name>.auth.token_file': optional(path, 'The file with the token for it'),
  'remotes.<name>.ca_file': optional(
    path,
    'Certificates of the authorities that its certificate may come from, or that certificate itself, PEM',
    { defaultText: 'the authorities that Node knows' },
  ),
} satisfies Record<string, Key>;

export type KeyPath = keyof typeof keys;

export function isKeyPath(path: string): path is KeyPath {
  return path in keys;
}

/** What a key's setting holds; null only where the default is nothing. */
export type ValueOf<P extends KeyPath> = (typeof keys)[P] extends { kind: Kind<infer T>; default: infer D }
  ? T | ((typeof keys)[P] extends { isRequired: true } ? never : D & null)
  : never;
