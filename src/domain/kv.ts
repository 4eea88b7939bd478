// The key-value store, in which jobs keep values for later runs: the form of its names, and its limits.

import { sizeWords } from '../lib/units.ts';

export const kvLimits = {
  keyBytes: 512,
  valueBytes: 8 * 1024,
  /** The size of all keys and values of a namespace together. */
  namespaceBytes: 32 * 2 ** 20,
  /** The number of keys in the whole instance. */
  keys: 1_000_000,
  shortestTtlMs: 1_000,
  longestTtlMs: 3_650 * 86_400_000,
} as const;

/** The place of a value. The namespace of a job is the job's id. */
export type KvPlace = { readonly tenant: string; readonly namespace: string; readonly key: string };

/** The namespaces that a job may use besides its own. A namespace in `write` can also be read. */
export type KvPermissions = { readonly read: readonly string[]; readonly write: readonly string[] };

export const noKvPermissions: KvPermissions = { read: [], write: [] };

/** A namespace has the form of a job's id. This is a pattern for JSON Schema. */
export const kvNamespacePattern = '^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$';
export const longestNamespaceChars = 512;
const namespacePattern = new RegExp(kvNamespacePattern);

/**
 * Each of the functions below says what is wrong, such as `must not be empty`. The caller adds the subject of the
 * sentence.
 */
export function whatIsWrongWithNamespace(namespace: string): string | undefined {
  if (namespace.length <= longestNamespaceChars && namespacePattern.test(namespace)) return undefined;
  return `must be the id of a job, or a name of the same form: up to ${longestNamespaceChars} letters, digits, \`.\`, \`_\`, \`-\` and \`/\``;
}

export function whatIsWrongWithKey(key: string): string | undefined {
  if (key === '') return 'must not be empty';
  // No URL could contain such a key as a segment of its path.
  return key === '.' || key === '..' ? 'must not be `.` or `..`' : whatIsWrongWithKeyPart(key);
}

export function whatIsWrongWithKeyPart(key: string): string | undefined {
  const { length: bytes } = new TextEncoder().encode(key);
  if (bytes > kvLimits.keyBytes) return `has ${bytes} bytes; at most ${kvLimits.keyBytes} are allowed`;
  if (/\p{Cc}/u.test(key)) return 'must not contain control characters';
  return key.isWellFormed() ? undefined : 'must be well-formed Unicode';
}

export function whatIsWrongWithValue(value: Uint8Array): string | undefined {
  if (value.length <= kvLimits.valueBytes) return undefined;
  return `has ${value.length} bytes; at most ${kvLimits.valueBytes} are allowed: store a larger value as an artifact`;
}

export function whatIsWrongWithTtl(ms: number | undefined): string | undefined {
  if (ms !== undefined && ms >= kvLimits.shortestTtlMs && ms <= kvLimits.longestTtlMs) return undefined;
  return 'must be a duration such as `90s` or `7d`, between `1s` and `3650d`';
}

/** Says that a namespace or the instance is full, and what to do. */
export function kvFullWords(what: 'namespace' | 'instance', namespace: string): string {
  return what === 'namespace'
    ? `The namespace '${namespace}' would have more than ${sizeWords(kvLimits.namespaceBytes)}; delete keys in it that are no longer needed.`
    : `The instance has ${kvLimits.keys.toLocaleString('en')} keys, the most allowed; delete keys that are no longer needed.`;
}
