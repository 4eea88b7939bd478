// The key-value store, for the API and for runs. It checks names. If it cannot store something, the problem says why.

import {
  type KvPlace,
  kvFullWords,
  whatIsWrongWithKey,
  whatIsWrongWithKeyPart,
  whatIsWrongWithNamespace,
  whatIsWrongWithTtl,
  whatIsWrongWithValue,
} from '../../domain/kv.ts';
import { Problem, type ValidationError, validationError } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { parseDuration } from '../../lib/units.ts';
import type { RecordChange } from '../../store/audit/audit.ts';
import type { Database } from '../../store/database.ts';
import type { KvEntry, KvStore, KvSummary } from '../../store/kv.ts';
import type { Store } from '../../store/open.ts';

type KvSet = KvPlace & {
  readonly value: Uint8Array;
  /** Writes only if the key has this version; with 0, only if there is no such key. */
  readonly ifVersion?: number;
  /** A duration, after which the key no longer exists. */
  readonly ttl?: string;
  readonly by: string;
  readonly request?: string;
};

export type Kv = {
  /** @throws Problem validation-error, kv-key-not-found */
  readonly get: (place: KvPlace) => Promise<KvEntry>;
  /** @throws Problem validation-error, kv-conflict, kv-full */
  readonly set: (set: KvSet, record?: RecordChange) => Promise<{ readonly entry: KvSummary; readonly isNew: boolean }>;
  /** @throws Problem validation-error, kv-key-not-found */
  readonly remove: (place: KvPlace, record?: RecordChange) => Promise<void>;
  /** @throws Problem validation-error */
  readonly list: (
    where: Pick<KvPlace, 'tenant' | 'namespace'> & { readonly prefix: string },
    page: Parameters<KvStore['list']>[1],
  ) => ReturnType<KvStore['list']>;
  readonly namespaces: KvStore['namespaces'];
};

export function createKv(o: {
  readonly store: Pick<Store, 'kv'>;
  readonly transact: Database['transact'];
  readonly clock: Clock;
}): Kv {
  const { kv } = o.store;
  return {
    async get(place) {
      check(place);
      const entry = await kv.get(place, o.clock.now());
      if (!entry) throw missing(place);
      return entry;
    },
    async set({ ttl, request = null, ...set }, record) {
      const ttlMs = ttl === undefined ? null : parseDuration(ttl);
      check(set, set.value, ttlMs);
      return o.transact(async (tx) => {
        const atMs = o.clock.now();
        const expiresAtMs = ttlMs == null ? null : atMs + ttlMs;
        const written = await kv.put(tx, { ...set, ifVersion: set.ifVersion, request, expiresAtMs, atMs });
        if (written.kind === 'conflict') throw conflict(set, written.version);
        if (written.kind === 'full') throw new Problem('kv-full', kvFullWords(written.what, set.namespace));
        record?.(tx, { id: idOf(set), tenant: set.tenant });
        return written;
      });
    },
    async remove(place, record) {
      check(place);
      await o.transact(async (tx) => {
        if (!(await kv.remove(tx, place, o.clock.now()))) throw missing(place);
        record?.(tx, { id: idOf(place), tenant: place.tenant });
      });
    },
    list: async (where, page) => {
      checkAll([
        ['', 'the namespace', whatIsWrongWithNamespace(where.namespace)],
        ['?prefix', '', where.prefix === '' ? undefined : whatIsWrongWithKeyPart(where.prefix)],
      ]);
      return kv.list({ ...where, nowMs: o.clock.now() }, page);
    },
    namespaces: kv.namespaces,
  };
}

/** What the audit log calls the key. */
function idOf({ namespace, key }: KvPlace): string {
  return `${namespace} ${key}`;
}

function missing({ namespace, key }: KvPlace): Problem {
  return new Problem('kv-key-not-found', `There is no key '${key}' in the namespace '${namespace}'.`);
}

function conflict({ key, ifVersion }: KvSet, version: number): Problem {
  const now = version === 0 ? `There is no key '${key}'` : `The key '${key}' has the version ${version}`;
  const wanted = ifVersion === 0 ? 'it must not exist' : `its version must be ${ifVersion}`;
  return new Problem('kv-conflict', `${now}, but ${wanted}; nothing was stored.`);
}

function check({ namespace, key }: KvPlace, value?: Uint8Array, ttlMs?: number | null): void {
  checkAll([
    ['', 'the namespace', whatIsWrongWithNamespace(namespace)],
    ['', 'the key', whatIsWrongWithKey(key)],
    ['/value', '', value && whatIsWrongWithValue(value)],
    ['/ttl', '', ttlMs === null ? undefined : value && whatIsWrongWithTtl(ttlMs)],
  ]);
}

/** @throws Problem validation-error. Members of the path have no pointer, so the message names them. */
function checkAll(all: readonly (readonly [pointer: string, name: string, wrong: string | undefined])[]): void {
  const errors = all.flatMap(([pointer, name, wrong]): ValidationError[] =>
    wrong === undefined ? [] : [{ pointer, message: `${name} ${wrong}`.trim(), keyword: 'format' }],
  );
  if (errors.length > 0) throw validationError(errors);
}
