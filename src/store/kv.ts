// The key-value store. It has values by tenant, namespace and key, and the size of each namespace (ADR 0053).

import type { ExpressionBuilder, Kysely } from 'kysely';
import { type KvPlace, kvLimits } from '../domain/kv.ts';
import type { Database, Transaction } from './database.ts';
import { countRows } from './query-parts.ts';
import type { KvRow, Schema } from './schema.ts';

export type KvEntry = Omit<KvRow, 'request'>;
export type KvSummary = Omit<KvEntry, 'value'>;
type KvNamespace = { readonly namespace: string; readonly keys: number; readonly size_bytes: number };

export type KvWrite = KvPlace & {
  readonly value: Uint8Array;
  /** The version that is to be replaced; 0 means that the key must not exist. */
  readonly ifVersion: number | undefined;
  readonly expiresAtMs: number | null;
  readonly by: string;
  /** Identifies a request that may be sent again after a crash. It is carried out only once. */
  readonly request: string | null;
  readonly atMs: number;
};

export type KvWritten =
  | { readonly kind: 'stored'; readonly entry: KvSummary; readonly isNew: boolean }
  /** `version` is the current version; 0 means that the key does not exist. */
  | { readonly kind: 'conflict'; readonly version: number }
  | { readonly kind: 'full'; readonly what: 'namespace' | 'instance' };

type Page = { readonly limit: number; readonly after?: string };

export type KvStore = ReturnType<typeof createKvStore>;

const shown = [
  'tenant',
  'namespace',
  'key',
  'version',
  'size_bytes',
  'updated_at',
  'updated_by',
  'expires_at',
] as const satisfies readonly (keyof KvRow)[];
/** The highest character of Unicode. A prefix that is followed by it sorts after all keys with the prefix. */
const lastCharacter = '\u{10ffff}';
const whole = { tenant: '', namespace: '' };

export function createKvStore({ read, transact }: Database) {
  return {
    /** Returns an entry. A key that has expired counts as missing. */
    get: ({ tenant, namespace, key }: KvPlace, nowMs: number): Promise<KvEntry | undefined> =>
      read
        .selectFrom('kv')
        .select([...shown, 'value'])
        .where((eb) => eb.and({ tenant, namespace, key }))
        .where(isLive(nowMs))
        .executeTakeFirst(),

    /**
     * Lists keys in order, beginning after `after`. Returns no total, because counting a million keys would block the
     * server.
     */
    list(
      where: Pick<KvPlace, 'tenant' | 'namespace'> & { readonly prefix: string; readonly nowMs: number },
      { limit, after }: Page,
    ): Promise<KvSummary[]> {
      const { tenant, namespace, prefix, nowMs } = where;
      const all = read
        .selectFrom('kv')
        .select(shown)
        .where((eb) => eb.and({ tenant, namespace }))
        .where('key', '>=', prefix)
        .where('key', '<=', prefix + lastCharacter)
        .where(isLive(nowMs));
      const rest = after === undefined ? all : all.where('key', '>', after);
      return rest.orderBy('key').limit(limit).execute();
    },

    /** Returns the namespaces of a tenant that contain keys, sorted by name. */
    namespaces: (tenant: string, { limit, after = '' }: Page): Promise<KvNamespace[]> =>
      read
        .selectFrom('kv_totals')
        .select(['namespace', 'keys', 'size_bytes'])
        .where('tenant', '=', tenant)
        .where('keys', '>', 0)
        .where('namespace', '>', after)
        .orderBy('namespace')
        .limit(limit)
        .execute(),

    /** Returns the totals of the whole instance. Expired keys count until retention has removed them. */
    async totals(): Promise<{ readonly keys: number; readonly bytes: number }> {
      const { keys, size_bytes: bytes } = await totalsOf(read, whole);
      return { keys, bytes };
    },

    put,

    /** Removes a key. Returns false if the key does not exist. */
    async remove({ db }: Transaction, { tenant, namespace, key }: KvPlace, nowMs: number): Promise<boolean> {
      const removed = await db
        .deleteFrom('kv')
        .where((eb) => eb.and({ tenant, namespace, key }))
        .where(isLive(nowMs))
        .returning('size_bytes')
        .executeTakeFirst();
      if (!removed) return false;
      await subtract(db, [{ tenant, namespace, ...removed }]);
      return true;
    },

    countExpired: (nowMs: number): Promise<number> => countRows(read.selectFrom('kv').where('expires_at', '<=', nowMs)),

    /** @returns how many were removed, at most `limit` */
    removeExpired: (nowMs: number, limit: number): Promise<number> => removeExpired({ read, transact }, nowMs, limit),
  };
}

async function put({ db }: Transaction, write: KvWrite): Promise<KvWritten> {
  const { tenant, namespace, key, value, request, atMs } = write;
  const old = await db
    .selectFrom('kv')
    .select([...shown, 'request'])
    .where((eb) => eb.and({ tenant, namespace, key }))
    .executeTakeFirst();
  if (old && request !== null && old.request === request) return { kind: 'stored', entry: old, isNew: false };
  const isThere = old !== undefined && (old.expires_at === null || old.expires_at > atMs);
  const version = isThere ? old.version : 0;
  if (write.ifVersion !== undefined && write.ifVersion !== version) return { kind: 'conflict', version };

  const sizeBytes = Buffer.byteLength(key) + value.length;
  const growth = { keys: old ? 0 : 1, bytes: sizeBytes - (old?.size_bytes ?? 0) };
  const what = await whatIsFull(db, { tenant, namespace }, growth);
  if (what) return { kind: 'full', what };
  const entry = {
    tenant,
    namespace,
    key,
    version: await nextVersion(db),
    size_bytes: sizeBytes,
    updated_at: atMs,
    updated_by: write.by,
    expires_at: write.expiresAtMs,
  };
  const row = { ...entry, request, value };
  await db
    .insertInto('kv')
    .values(row)
    .onConflict((conflict) => conflict.columns(['tenant', 'namespace', 'key']).doUpdateSet(row))
    .execute();
  await addToTotals(db, { tenant, namespace }, growth);
  return { kind: 'stored', entry, isNew: !isThere };
}

async function removeExpired(
  { read, transact }: Pick<Database, 'read' | 'transact'>,
  nowMs: number,
  limit: number,
): Promise<number> {
  const old = await read
    .selectFrom('kv')
    .select(['tenant', 'namespace', 'key', 'version'])
    .where('expires_at', '<=', nowMs)
    .orderBy('expires_at')
    .limit(limit)
    .execute();
  if (old.length === 0) return 0;
  await transact(async ({ db }) => {
    const removed: RemovedRow[] = [];
    for (const row of old) {
      // The value may have been replaced since the keys were read.
      const gone = await db
        .deleteFrom('kv')
        .where((eb) => eb.and(row))
        .returning(['tenant', 'namespace', 'size_bytes'])
        .executeTakeFirst();
      if (gone) removed.push(gone);
    }
    for (const rows of Map.groupBy(removed, ({ tenant, namespace }) => `${tenant} ${namespace}`).values())
      await subtract(db, rows);
  });
  return old.length;
}

type Growth = { readonly keys: number; readonly bytes: number };
type Namespace = { readonly tenant: string; readonly namespace: string };

/** Says whether the namespace or the instance has no room for this growth. A value that gets smaller always fits. */
async function whatIsFull(db: Kysely<Schema>, namespace: Namespace, { keys, bytes }: Growth) {
  if (bytes > 0 && (await totalsOf(db, namespace)).size_bytes + bytes > kvLimits.namespaceBytes) return 'namespace';
  if (keys > 0 && (await totalsOf(db, whole)).keys + keys > kvLimits.keys) return 'instance';
  return undefined;
}

async function totalsOf(db: Kysely<Schema>, { tenant, namespace }: Namespace) {
  const row = await db
    .selectFrom('kv_totals')
    .select(['keys', 'size_bytes'])
    .where((eb) => eb.and({ tenant, namespace }))
    .executeTakeFirst();
  return row ?? { keys: 0, size_bytes: 0 };
}

async function addToTotals(db: Kysely<Schema>, of: Namespace, { keys, bytes }: Growth): Promise<void> {
  for (const { tenant, namespace } of [of, whole]) {
    await db
      .insertInto('kv_totals')
      .values({ tenant, namespace, keys, size_bytes: bytes })
      .onConflict((conflict) =>
        conflict.columns(['tenant', 'namespace']).doUpdateSet((eb) => ({
          keys: eb('kv_totals.keys', '+', keys),
          size_bytes: eb('kv_totals.size_bytes', '+', bytes),
        })),
      )
      .execute();
  }
}

type RemovedRow = Namespace & Pick<KvRow, 'size_bytes'>;

/** Subtracts rows of one namespace from the totals. */
async function subtract(db: Kysely<Schema>, rows: readonly RemovedRow[]): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const { tenant, namespace } = first;
  const bytes = rows.reduce((sum, { size_bytes: size }) => sum + size, 0);
  await addToTotals(db, { tenant, namespace }, { keys: -rows.length, bytes: -bytes });
  await db
    .deleteFrom('kv_totals')
    .where((eb) => eb.and({ tenant, namespace, keys: 0 }))
    .execute();
}

/** All keys share one sequence. So a key that is deleted and stored again gets a version that it never had. */
async function nextVersion(db: Kysely<Schema>): Promise<number> {
  const { next_id: next } = await db
    .insertInto('sequences')
    .values({ name: 'kv', next_id: 2 })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((eb) => ({ next_id: eb('sequences.next_id', '+', 1) })),
    )
    .returning('next_id')
    .executeTakeFirstOrThrow();
  return next - 1;
}

function isLive(nowMs: number) {
  return (eb: ExpressionBuilder<Schema, 'kv'>) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]);
}
