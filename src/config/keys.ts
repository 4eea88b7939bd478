// The table of all keys of flwd.yaml, with kind, default and description. Validation, defaults, overrides from the
// environment, `flwd config show` and docs/configuration.md are all derived from it.
//
// `a.b` is key b of section a. `a[].b` belongs to each item of a list, `a.<name>.b` to each name in a map.

import { join } from 'node:path';
import { kvNamespacePattern } from '../domain/kv.ts';
import { channelNamePattern, channelTypes, notifyEvents } from '../domain/notification.ts';
import { tenantPattern } from '../domain/principal.ts';
import {
  amount,
  bind,
  calendars,
  choice,
  duration,
  flag,
  hostOrRange,
  integer,
  type Kind,
  lifetime,
  listOf,
  logOutput,
  mapOf,
  matching,
  oneOrMore,
  origin,
  ownAllOrNames,
  path,
  size,
  storedSecret,
  storedText,
  text,
  timezone,
  trustedProxies,
  url,
} from './kind.ts';

/** The facts from which a default can be computed. */
export type Known = {
  readonly environment: NodeJS.ProcessEnv;
  readonly home: string;
  readonly cores: number;
  readonly dataDir: string;
  /** The name in the place of `<…>`, such as the name of a profile. */
  readonly name: string;
};

export type Key<T = unknown> = {
  readonly kind: Kind<T>;
  /** The default as it would be written in flwd.yaml, or a function that finds it; null: there is no default. */
  readonly default: unknown;
  readonly about: string;
  /** The default in words, where they say more than the value. */
  readonly defaultText?: string;
  readonly isRequired?: true;
  /** Why this version refuses every value except the default. */
  readonly notYet?: string;
  /** The value is never shown. */
  readonly isSecret?: true;
  /** The source types that have the key. */
  readonly sourceTypes?: readonly string[];
  /** Only sources with `trusted: false` have the key. */
  readonly isForUntrusted?: true;
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

/** The optional interfaces of this build. `/system/info` lists them. */
export const extensions = ['tui', 'mcp'] as const;
/** Accepted because the configuration in the API reference names them. These parts of flwd cannot be switched off. */
export const extensionsWithoutEffect = ['triggers', 'export', 'maint'] as const;

const word = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'name', 'a name of letters, digits, `.`, `_` and `-`');
const jobId = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/,
  'job id',
  'a job id such as `backup/daily`',
);
const mountPath = { ...jobId, name: 'path of an id', expected: '`.` or the beginning of job ids such as `ops/backup`' };
const secret = matching(storedSecret, 'secret', 'the name of a stored secret');
const jobPattern = matching(
  /^[A-Za-z0-9._*-]+(\/[A-Za-z0-9._*-]+)*$/,
  'pattern',
  'a pattern of job ids such as `prod/**` or `*/backup`',
);
const channel = matching(new RegExp(channelNamePattern), 'channel', 'the name of a channel');
const mailAddress = matching(/^[^\s@<>,;:"()]+@[^\s@<>,;:"()]+$/, 'address', 'an address such as `ops@example.org`');
const mailSender = matching(
  /^([^\p{Cc}<>@,;:"()]+ <[^\s@<>,;:"()]+@[\w.-]+>|[^\s@<>,;:"()]+@[\w.-]+)$/u,
  'sender',
  'an address such as `flwd@example.org` or `flwd <flwd@example.org>`',
);
const namespace = matching(new RegExp(kvNamespacePattern), 'namespace', 'a namespace such as `shop/orders`');
const chatId: Kind<string> = {
  ...text,
  expected: 'the id of a chat such as `"-1001234567890"`, or `@name`',
  read: (raw) => (/^(-?\d{1,20}|@\w{1,64})$/.test(String(raw)) ? String(raw) : undefined),
};
const variable = matching(
  /^(?!FLWD_|FLOWD_)[A-Za-z_]\w*$/,
  'variable name',
  'the name of a variable that does not begin with FLWD_ or FLOWD_',
);
const tenant = matching(tenantPattern, 'tenant', 'a name of lower-case letters, digits, `_` and `-`');
const postgresUrl = matching(/^postgres(ql)?:\/\/./, 'URL', 'a URL such as `postgres://user@host/flwd`');
export const securityProfiles = ['secure', 'permissive', 'disabled'] as const;
const profile = choice(...securityProfiles);
const user = matching(/^(?!root$)[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'user', 'the name of a user other than root');
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
const noS3 = 'this version stores blobs in files';
const noWorkers = 'in this version only `serve` runs jobs';
const fixedProfiles = 'the profiles are fixed, and a job asks for more in its `permissions`';
const noCapabilities =
  'jobs keep no capabilities, except that jobs in `disabled` without `run_as` keep those of the server';
const remoteSources = ['git', 'oci'];
const ofUntrusted: More = { isForUntrusted: true };

export const keys = {
  'instance.name': key(word, 'flwd', 'A display name for the instance'),
  'instance.data_dir': computed(
    path,
    ({ environment, home }) => join(environment.XDG_DATA_HOME || join(home, '.local/share'), 'flwd'),
    '`$XDG_DATA_HOME/flwd`, otherwise `~/.local/share/flwd`',
    'The folder for all data',
  ),
  'instance.default_tenant': key(
    tenant,
    'default',
    'The tenant of a request if neither the request nor the caller’s token names one',
  ),

  'sources[].name': computed(word, () => null, 'the folder’s name', 'A unique name for the source'),
  'sources[].type': key(choice('fs', 'git', 'oci'), 'fs', 'The kind of source; this version supports only `fs`'),
  'sources[].path': optional(path, 'The folder that contains the jobs; required', { sourceTypes: ['fs'] }),
  'sources[].url': optional(text, 'The repository', { sourceTypes: ['git'] }),
  'sources[].ref': optional(text, 'The branch, tag or commit', { sourceTypes: ['git'] }),
  'sources[].subdir': optional(text, 'The folder in the repository or image that contains the jobs', {
    sourceTypes: remoteSources,
  }),
  'sources[].image': optional(text, 'The image that contains the jobs', { sourceTypes: ['oci'] }),
  'sources[].mountPath': key(
    { ...mountPath, read: (raw, base) => (raw === '.' ? '.' : jobId.read(raw, base)) },
    '.',
    'The beginning of the ids of the source’s jobs: with `ops`, the job `backup` is `ops/backup`; `.` adds nothing',
  ),
  'sources[].watch': key(flag, true, 'Whether flwd watches for changes and applies them at once'),
  'sources[].pull_policy': key(choice('always', 'missing', 'never'), 'always', 'When to fetch the source at startup', {
    sourceTypes: remoteSources,
  }),
  'sources[].auto_sync': key(flag, true, 'Whether flwd looks for changes regularly', { sourceTypes: remoteSources }),
  'sources[].poll_interval': key(duration('1s', '24d'), '1m', 'How often to look for changes', {
    sourceTypes: remoteSources,
  }),
  'sources[].trusted': key(flag, true, 'Whether the jobs may use everything that `security` allows'),
  'sources[].secrets': key(listOf(secret), [], 'Stored secrets that the jobs may get', ofUntrusted),
  'sources[].schedules': key(
    flag,
    false,
    'Whether the jobs may have schedules, and triggers with `files` or `check`',
    ofUntrusted,
  ),
  'sources[].webhooks': key(flag, false, 'Whether the jobs may have webhooks', ofUntrusted),
  'sources[].notify': key(flag, false, 'Whether the jobs may have `notify` and heartbeats', ofUntrusted),
  'sources[].calls': key(
    ownAllOrNames(word),
    'own',
    'The sources whose jobs this source’s jobs may start as sub-runs',
    ofUntrusted,
  ),
  'sources[].triggers': key(
    ownAllOrNames(word),
    'own',
    'The sources whose jobs this source’s jobs may follow with a trigger',
    ofUntrusted,
  ),
  'sources[].kv': key(
    listOf(namespace),
    [],
    'Namespaces of the key-value store that a job may ask for, besides its own',
    ofUntrusted,
  ),

  'server.bind': key(bind, '127.0.0.1:8080', 'The address to listen on; `localhost` means its IPv4 address'),
  'server.public_url': optional(
    url,
    'The address at which people reach this server, such as `https://flwd.example.org`',
    { defaultText: 'messages have no links' },
  ),
  'server.read_timeout': key(timeout, '30s', 'How long a client may take to send a request'),
  'server.write_timeout': key(timeout, '60s', 'How long a client may take to read an answer'),
  'server.idle_timeout': key(timeout, '75s', 'How long an idle connection stays open'),
  'server.sync_wait': key(duration('0s', '24h'), '60s', 'How long a request with `async: false` waits for its run'),
  'server.body_limit': key(size('1KiB', '256MiB'), '1MiB', 'The largest request body'),
  'server.cors_origins': key(listOf(origin), [], 'Origins of other web pages that may call the API with a token'),
  'server.trust_proxy': key(trustedProxies, false, 'Proxies whose `X-Forwarded-*` headers flwd trusts'),
  'server.tls.enabled': optional(flag, 'Whether to speak HTTPS; `false` ignores the certificate', {
    defaultText: '`true` if `cert_file` is set',
  }),
  'server.tls.cert_file': optional(path, 'The certificate and its issuers, as PEM'),
  'server.tls.key_file': optional(path, 'The private key of the certificate, as PEM without a passphrase'),

  'auth.mode': key(choice('auto', 'none', 'required'), 'auto', 'Who may call without a token'),
  'auth.trust_jobs': key(flag, false, 'Whether jobs with network access may call the API as the server’s user'),
  'auth.jwt.issuer': optional(text, 'The issuer of accepted JWTs; must equal the claim `iss`'),
  'auth.jwt.audience': optional(text, 'The audience of accepted JWTs; must be in the claim `aud`'),
  'auth.jwt.jwks_file': optional(path, 'The file with the issuer’s public keys, a JSON Web Key Set'),
  'auth.jwt.jwks_url': optional(url, 'The URL of the key set, instead of `jwks_file`'),
  'auth.jwt.tenant_claim': key(text, 'tenant', 'The claim that names the tenant'),
  'auth.jwt.scope_claim': key(text, 'scope', 'The claim that lists the scopes'),
  'auth.jwt.algorithms': key(
    listOf(choice(...signatureAlgorithms)),
    [...signatureAlgorithms],
    'The accepted signature algorithms',
    { defaultText: 'all of them' },
  ),
  'auth.jwt.clock_skew': key(duration('0s', '5m'), '30s', 'How much the issuer’s clock may differ from the server’s'),

  'security.default_profile': key(profile, 'secure', 'The profile of jobs that do not name one'),
  'security.allow_profiles': key(listOf(profile), ['secure', 'permissive'], 'The profiles that jobs may use'),
  'security.paths': key(listOf(path), [], 'Host folders in which `permissions` of jobs may allow `read` and `write`'),
  'security.run_as': key(listOf(user), [], 'Users of the host that jobs may name in `run_as`'),
  'security.profiles.<profile>.network': computed(
    choice('none', 'all'),
    ({ name }) => (name === 'secure' ? 'none' : 'all'),
    '`none` for secure, else `all`',
    'Network access of jobs',
    { notYet: fixedProfiles },
  ),
  'security.profiles.<profile>.filesystem': computed(
    choice('workspace', 'host-read-only', 'host'),
    ({ name }) => (name === 'secure' ? 'workspace' : name === 'permissive' ? 'host-read-only' : 'host'),
    '`workspace` for secure, `host-read-only` for permissive, `host` for disabled',
    'Files that jobs can see',
    { notYet: fixedProfiles },
  ),
  'security.profiles.<profile>.env_passthrough': key(
    listOf(variable),
    [],
    'Variables of the server’s environment that jobs receive; only for `permissive`',
  ),
  'security.profiles.<profile>.capabilities': key(listOf(text), [], 'Capabilities that jobs keep', {
    notYet: noCapabilities,
  }),
  'security.profiles.<profile>.resources.cpu': optional(amount, 'CPU cores for each step'),
  'security.profiles.<profile>.resources.memory': optional(size('4MiB'), 'Memory for each step', {
    defaultText: 'three quarters of the host’s memory, if cgroups can enforce it',
  }),
  'security.profiles.<profile>.resources.pids': key(integer(1, 4_194_304), 1_024, 'Processes and threads of each step'),
  'security.profiles.<profile>.resources.workspace': optional(size('1MiB'), 'The largest size of a workspace'),
  'security.profiles.<profile>.resources.timeout': optional(duration('1s'), 'How long a run may take'),
  'security.profiles.<profile>.rate_limit.limit': optional(
    integer(1, 1_000_000_000),
    'How many requests or runs flwd accepts from a caller in one `window`',
    { defaultText: 'in the default profile: 1000 for the server’s own user, 100 for other callers' },
  ),
  'security.profiles.<profile>.rate_limit.window': key(duration('100ms', '24h'), '1s', 'The period of `limit`'),
  'security.profiles.<profile>.may_grant': key(
    listOf(choice('network', 'read', 'write', 'kv')),
    ['network', 'read', 'write', 'kv'],
    'What the `permissions` of jobs may add',
  ),

  'persistence.url': optional(postgresUrl, 'PostgreSQL instead of SQLite; also `FLWD_DATABASE_URL`', {
    notYet: 'this version keeps its data in SQLite',
    isSecret: true,
  }),
  'persistence.db_path': computed(
    path,
    ({ dataDir }) => join(dataDir, 'flwd.db'),
    '`flwd.db` in the data dir',
    'The database file',
  ),
  'persistence.blobs.store': key(choice('file', 's3'), 'file', 'Where to store logs and artifacts', { notYet: noS3 }),
  'persistence.blobs.path': computed(
    path,
    ({ dataDir }) => dataDir,
    'the data dir',
    'The folder that contains `logs/` and `artifacts/`',
  ),
  'persistence.blobs.s3.endpoint': optional(url, 'The S3 service', { notYet: noS3 }),
  'persistence.blobs.s3.region': optional(text, 'The region of the S3 service', { notYet: noS3 }),
  'persistence.blobs.s3.bucket': optional(text, 'The bucket', { notYet: noS3 }),
  'persistence.blobs.s3.prefix': optional(text, 'A prefix for the names', { notYet: noS3 }),
  'persistence.artifacts.max_size': key(size(), '1GiB', 'The largest size of an artifact'),
  'persistence.artifacts.quota_soft': optional(size(), 'If artifacts use more, `/health` is `degraded`'),
  'persistence.artifacts.quota_hard': key(size(), '100GiB', 'The largest size of all artifacts together'),
  'persistence.artifacts.ttl': optional(duration('1s'), 'How long to keep artifacts of jobs that set no `ttl`', {
    defaultText: 'forever',
  }),
  'persistence.retention.runs': key(
    lifetime('1m'),
    '90d',
    'How long to keep finished runs, with all that belongs to them',
  ),
  'persistence.retention.logs': key(lifetime('1m'), '30d', 'How long to keep logs of finished runs'),
  'persistence.retention.artifacts': key(
    lifetime('1m'),
    'never',
    'The longest time to keep artifacts, whatever their `ttl`',
  ),
  'persistence.retention.workspaces': key(
    lifetime('1m'),
    '24h',
    'How long to keep workspaces of finished runs with steps, for reruns from a step',
  ),
  'persistence.retention.snapshots': key(
    lifetime('1h'),
    '7d',
    'How long to keep the copy of a job after its last use, if no workspace needs it',
  ),
  'persistence.retention.events': key(
    lifetime('1m'),
    '7d',
    'How long to keep events, so that clients can resume streams',
  ),
  'persistence.retention.audit': key(lifetime('1m'), '365d', 'How long to keep entries of the audit log'),
  'persistence.retention.stats': key(lifetime('1d'), '400d', 'How long to keep the statistics counters'),
  'persistence.secret_key_file': computed(
    path,
    ({ dataDir }) => join(dataDir, 'secret.key'),
    '`secret.key` in the data dir',
    'The file with the keys that encrypt secrets',
  ),
  'persistence.secret_key': optional(
    matching(/^(fsk_[A-Za-z0-9+/_-]{43}=?)( *, *fsk_[A-Za-z0-9+/_-]{43}=?)*$/, 'keys', 'keys such as `fsk_…`'),
    'Keys that replace the file; set them only in the variable `FLWD_SECRET_KEY`',
    { isSecret: true, defaultText: 'the keys in the file' },
  ),

  'scheduler.timezone': optional(timezone, 'The time zone of schedules without a `timezone`', {
    defaultText: 'the time zone that the host had when the instance was created',
  }),
  'scheduler.calendars': key(
    calendars,
    {},
    'Days, such as holidays, that `calendar` and `except` of schedules can name',
  ),
  'scheduler.schedules_paused': key(flag, false, 'Whether all schedules are paused'),
  'scheduler.triggers_paused': key(flag, false, 'Whether all triggers and webhooks are paused'),
  'scheduler.global_concurrency': computed(
    integer(1, 10_000),
    ({ cores }) => Math.max(4, 2 * cores),
    '2 × cores, at least 4',
    'How many steps can run at the same time',
  ),
  'scheduler.job_concurrency': optional(integer(1, 10_000), 'How many runs of one job can run at the same time', {
    defaultText: 'no limit',
  }),
  'scheduler.queue.max_depth': optional(integer(1, 100_000_000), 'How many runs may wait', {
    defaultText: 'no limit',
  }),
  'scheduler.queue.default_weight': key(integer(1, 1_000), 1, 'The weight of a tenant that `weights` does not name'),
  'scheduler.queue.weights': key(mapOf(integer(1, 1_000)), {}, 'Weights of individual tenants, such as `{team-a: 3}`'),

  'notify.signing_key_file': computed(
    path,
    ({ dataDir }) => join(dataDir, 'notify.key'),
    '`notify.key` in the data dir',
    'The file with the keys that sign notifications',
  ),
  'notify.allow': key(
    listOf(hostOrRange),
    [],
    'Addresses that jobs of untrusted sources may notify although flwd would refuse them',
  ),

  'notify.smtp.url': optional(
    storedText,
    'The server that sends mail, such as `smtps://user:password@mail.example.org`',
    { isSecret: true },
  ),
  'notify.smtp.from': optional(mailSender, 'The sender of mail, such as `flwd <flwd@example.org>`'),
  'notify.channels.<name>.type': required(choice(...channelTypes), 'The service that gets the messages'),
  'notify.channels.<name>.url': optional(storedText, 'The address of the service', { isSecret: true }),
  'notify.channels.<name>.token': optional(storedText, 'For `telegram`, `gotify` and `ntfy`: the token', {
    isSecret: true,
  }),
  'notify.channels.<name>.chat_id': optional(chatId, 'For `telegram`: the chat, such as `"-1001234567890"`'),
  'notify.channels.<name>.routing_key': optional(
    storedText,
    'For `pagerduty`: the integration key, for Events API v2',
    { isSecret: true },
  ),
  'notify.channels.<name>.to': key(listOf(mailAddress), [], 'For `mail`: the addresses'),
  'notify.channels.<name>.method': key(
    choice('POST', 'PUT', 'PATCH', 'GET'),
    'POST',
    'For `template`: the method of the request',
  ),
  'notify.channels.<name>.headers': key(mapOf(storedText), {}, 'For `template`: headers of the request', {
    isSecret: true,
  }),
  'notify.channels.<name>.body': optional(text, 'For `template`: an expression that gives the body of the request'),
  'notify.rules[].jobs': key(oneOrMore(jobPattern), '**', 'The jobs whose runs are reported'),
  'notify.rules[].on': key(oneOrMore(choice(...notifyEvents)), ['failed'], 'The events that are reported'),
  'notify.rules[].after': key(
    integer(1, 1_000),
    1,
    'Report a failure only if the job has failed at least this many times in a row',
  ),
  'notify.rules[].repeat': optional(
    duration('1m', '365d'),
    'Report the same failure of a job at most once in this time',
    { defaultText: 'report every failure' },
  ),
  'notify.rules[].digest': optional(
    duration('1s', '7d'),
    'Collect the messages to a channel for this time, and send them as one',
    { defaultText: 'send each at once' },
  ),
  'notify.rules[].to': required(oneOrMore(channel), 'The channels that get the messages'),

  'aliases[].from': required(jobId, 'The id of the job'),
  'aliases[].to': required(jobId, 'Another name for the job, accepted wherever its id is'),
  'aliases[].description': optional(text, 'The purpose of the alias'),

  'worker.enabled': key(flag, true, 'Whether this process runs jobs', { notYet: noWorkers }),
  'worker.labels': key(mapOf(text), {}, 'Properties that jobs can require of a worker', { notYet: noWorkers }),

  'container.runtime': key(text, 'auto', '`auto`, `podman`, `docker` or a path', { notYet: noContainers }),
  'container.runtime_args': key(listOf(text), [], 'Arguments for the runtime', { notYet: noContainers }),
  'container.allowed_registries': key(listOf(text), [], 'Registries from which images may come', {
    notYet: noContainers,
  }),
  'container.insecure_registries': key(listOf(text), [], 'Registries without TLS', { notYet: noContainers }),
  'container.verify_signatures': key(flag, false, 'Whether images must be signed', { notYet: noContainers }),

  'logging.level': key(choice('trace', 'debug', 'info', 'warn', 'error', 'fatal'), 'info', 'The lowest level to log'),
  'logging.format': key(choice('text', 'json'), 'text', 'Text for people, or JSON'),
  'logging.output': key(logOutput, 'stderr', 'Where the server’s log goes'),
  'logging.fields': key(mapOf(text), {}, 'Fields to add to every line, such as `{environment: production}`'),

  'telemetry.otlp.endpoint': optional(url, 'The collector, such as `http://127.0.0.1:4318`'),
  'telemetry.otlp.headers': key(
    mapOf(storedText),
    {},
    'Headers of the requests to the collector, such as `authorization`',
    {
      isSecret: true,
    },
  ),
  'telemetry.otlp.traces': key(flag, true, 'Whether to send the spans of runs that have ended'),
  'telemetry.otlp.logs': key(flag, false, 'Whether to send the lines of all logs'),

  'extensions.enabled': key(
    listOf(choice(...extensions, ...extensionsWithoutEffect)),
    extensions,
    'The optional interfaces that this instance offers',
  ),
  'mcp.job_tools': key(integer(0, 200), 25, 'How many jobs become tools for agents'),
  'mcp.wait': key(duration('1s', '1h'), '50s', 'How long a tool waits for its run to end before it answers'),
  'mcp.untrusted': key(flag, false, 'Whether agents see and start jobs of sources with `trusted: false`'),

  'remotes.<name>.base_url': required(url, 'The address of another flwd instance'),
  'remotes.<name>.auth.token_file': optional(path, 'The file that contains the token'),
  'remotes.<name>.ca_file': optional(
    path,
    'The certificates of the private CA of that instance, or its own certificate, as PEM',
    {
      defaultText: 'the authorities that Node.js trusts',
    },
  ),
} satisfies Record<string, Key>;

export type KeyPath = keyof typeof keys;

export function isKeyPath(path: string): path is KeyPath {
  return path in keys;
}

/** The type of a key's value. It includes null if the key is not required and has no default. */
export type ValueOf<P extends KeyPath> = (typeof keys)[P] extends { kind: Kind<infer T>; default: infer D }
  ? T | ((typeof keys)[P] extends { isRequired: true } ? never : D & null)
  : never;
