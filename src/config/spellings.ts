// Other names and words for what flwd.yaml says. A configuration that was written for another implementation of flwd
// either keeps its meaning or is refused with a sentence that names the key to use (ADR 0052).

import type { KeyPath } from './keys.ts';

export type Spelling =
  /** The same setting under another name. */
  | { readonly key: KeyPath; readonly toRaw?: (raw: unknown) => unknown }
  /** What to do instead. */
  | { readonly instead: string }
  /** Why the setting is accepted, but changes nothing. */
  | { readonly withoutEffect: string };

const tokens =
  'flwd signs no tokens: store the token that `flwd tokens create` prints there, and name it in `token_file`';

/** Other names of keys. A name is written as a path, as in the table of keys. */
export const keySpellings: Readonly<Record<string, Spelling>> = {
  'security.profiles.<profile>.resources.cpu_limit': {
    key: 'security.profiles.<profile>.resources.cpu',
    toRaw: (raw) => (typeof raw === 'string' && /^\d+(\.\d+)?$/.test(raw) ? Number(raw) : raw),
  },
  'security.profiles.<profile>.resources.memory_limit': { key: 'security.profiles.<profile>.resources.memory' },

  'remotes.<name>.auth.token_path': { key: 'remotes.<name>.auth.token_file' },
  'remotes.<name>.auth.type': { instead: tokens },
  'remotes.<name>.auth.private_key_path': { instead: tokens },
  'remotes.<name>.auth.audience': { instead: tokens },
  'remotes.<name>.auth.claims': { instead: tokens },
  'remotes.<name>.cache.etag_ttl': { withoutEffect: 'flwd keeps no answers of a remote, and asks each time' },

  'telemetry.otlp_endpoint': { key: 'telemetry.otlp.endpoint' },

  bind: { key: 'server.bind' },
  default_profile: { key: 'security.default_profile' },
  db_path: { key: 'persistence.db_path' },
  'auth.issuer': { key: 'auth.jwt.issuer' },
  'auth.audience': { key: 'auth.jwt.audience' },
  'auth.jwk_file': { key: 'auth.jwt.jwks_file' },
  'limits.max_concurrent_runs': { instead: 'set `scheduler.global_concurrency`, which counts steps' },
  'limits.max_run_history': { instead: 'set `persistence.retention.runs`, which is a duration such as `90d`' },
};

const address = 'write `server: {bind: 127.0.0.1:8080}`';
const folder = 'write `sources: [{path: ./jobs}]`';

/** What to write instead of keys that other programs have, by their place. */
export const keyHints: Readonly<Record<string, string>> = {
  port: address,
  host: address,
  listen: address,
  'server.port': address,
  'server.host': address,
  jobs: folder,
  jobs_dir: folder,
  allow_paths: 'write `security: {paths: [/srv/data]}`',
  tls: 'write `server: {tls: {enabled: true, cert_file: FILE, key_file: FILE}}`',
  log_level: 'write `logging: {level: debug}`',
  retention: 'write `persistence: {retention: {runs: 90d}}`',
  'notify.email':
    'write `notify: {smtp: {url: smtp://HOST, from: SENDER}, channels: {mail: {type: mail, to: [ADDRESS]}}, rules: [{to: [mail]}]}`',
};

/** An item of each list, for people who write a single value in its place. */
export const itemExamples: Readonly<Record<string, string>> = {
  sources: '{path: ./jobs}',
  aliases: '{from: ops/backup, to: backup}',
  'notify.rules': '{to: [ops]}',
};

type WordSpelling = { readonly raw: string; readonly note?: string } | { readonly instead: string };

const ownFolders = 'name the folders in `security.paths`, and let jobs ask for them in `permissions.read` and `.write`';

/** Other words for values, by key and then by word. */
const wordSpellings: Readonly<Partial<Record<KeyPath, Readonly<Record<string, WordSpelling>>>>> = {
  'security.profiles.<profile>.network': {
    restricted: { instead: 'use the profile `secure`, in which jobs ask for the network with `permissions.network`' },
  },
  'security.profiles.<profile>.filesystem': {
    'workspace-only': { raw: 'workspace' },
    restricted: { instead: ownFolders },
  },
  // Only sources that this version refuses altogether have this key.
  'sources[].pull_policy': {
    'on-add': { raw: 'missing' },
    'on-startup': { raw: 'always' },
    'on-run': { raw: 'always' },
    manual: { raw: 'never' },
    disabled: { raw: 'never' },
  },
};

const hostReadOnly =
  'jobs in `permissive` see the host, but write only to their workspace: a job asks for more in `permissions.write`, or runs in the profile `disabled`';

/** Returns what to use for a word that only other implementations know; undefined for any other word. */
export function spelledWord(path: KeyPath, at: number | string | undefined, word: string): WordSpelling | undefined {
  if (path === 'security.profiles.<profile>.filesystem' && word === 'host' && at === 'permissive')
    return { raw: 'host-read-only', note: hostReadOnly };
  const words = wordSpellings[path] ?? {};
  return Object.hasOwn(words, word) ? words[word] : undefined;
}

/** Further names of variables, without their prefix. Most variables are named after a key, and are not listed here. */
export const variableSpellings = {
  DATA_DIR: 'instance.data_dir',
  LOG_LEVEL: 'logging.level',
  PROFILE: 'security.default_profile',
} as const satisfies Record<string, KeyPath>;

/** Variables that only other implementations read, and what to use here. */
export const variablesInstead: ReadonlyMap<string, string> = new Map([
  ['POLICY_FILE', 'there are no policy files: set `security` in flwd.yaml'],
  ['ALIASES_PUBLIC', 'everyone who may list jobs sees their aliases'],
  ['API', 'set FLWD_REMOTE to the address of the server'],
]);
