import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createKvStore, type KvStore, type KvWrite, type KvWritten } from '../../src/store/kv.ts';
import { engines, nowMs } from './engines.ts';

const atPlace = { tenant: 'default', namespace: 'backup/daily', key: 'last' };

type Put = (write: Partial<KvWrite> & { readonly text?: string }) => Promise<KvWritten>;

describe.each(engines)('the key-value store on $engine', ({ open }) => {
  async function setUp(): Promise<{ kv: KvStore; put: Put; remove: (key: string) => Promise<boolean> }> {
    const dir = await mkdtemp(join(tmpdir(), 'flwd-kv-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    const { database } = await open(dir);
    onTestFinished(() => database.close());
    const kv = createKvStore(database);
    const defaults = { ...atPlace, ifVersion: undefined, expiresAtMs: null, by: 'local', request: null, atMs: nowMs };
    return {
      kv,
      put: ({ text = '', ...write }) =>
        database.transact((tx) => kv.put(tx, { ...defaults, value: Buffer.from(text), ...write })),
      remove: (key) => database.transact((tx) => kv.remove(tx, { ...atPlace, key }, nowMs)),
    };
  }

  test('bytes are returned as they were stored, and each new value has a new version', async () => {
    const { kv, put } = await setUp();
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(await put({ value })).toMatchObject({ kind: 'stored', isNew: true, entry: { version: 1, size_bytes: 260 } });
    expect(await put({ key: 'other' })).toMatchObject({ entry: { version: 2 } });
    expect(await put({ value, by: 'run_1' })).toMatchObject({ isNew: false, entry: { version: 3 } });
    const found = await kv.get(atPlace, nowMs);
    expect(found).toMatchObject({ version: 3, updated_by: 'run_1', updated_at: nowMs, expires_at: null });
    expect(Buffer.from(found?.value ?? []).equals(value)).toBe(true);
    for (const other of [{ tenant: 'acme' }, { namespace: 'backup' }, { key: 'las' }, { key: 'LAST' }])
      expect(await kv.get({ ...atPlace, ...other }, nowMs)).toBeUndefined();
  });

  test('a given version is checked, and a version is not used again after its key was deleted', async () => {
    const { put, remove } = await setUp();
    expect(await put({ ifVersion: 1 })).toEqual({ kind: 'conflict', version: 0 });
    expect(await put({ ifVersion: 0 })).toMatchObject({ entry: { version: 1 } });
    expect(await put({ ifVersion: 0 })).toEqual({ kind: 'conflict', version: 1 });
    expect(await put({ ifVersion: 1 })).toMatchObject({ entry: { version: 2 } });
    expect(await remove('last')).toBe(true);
    expect(await remove('last')).toBe(false);
    expect(await put({ ifVersion: 0 })).toMatchObject({ isNew: true, entry: { version: 3 } });
    expect(await put({ ifVersion: 2 })).toEqual({ kind: 'conflict', version: 3 });
  });

  test('a request that is repeated is carried out once', async () => {
    const { kv, put } = await setUp();
    const request = 'run_1 step_01 1 a';
    expect(await put({ ifVersion: 0, request, text: 'mine' })).toMatchObject({ entry: { version: 1 } });
    expect(await put({ ifVersion: 0, request, text: 'mine' })).toMatchObject({ kind: 'stored', entry: { version: 1 } });
    expect(await put({ ifVersion: 0, request: 'run_2 step_01 1 a' })).toEqual({ kind: 'conflict', version: 1 });
    expect(await kv.totals()).toEqual({ keys: 1, bytes: 8 });
  });

  test('an expired key is not found, and can then be removed', async () => {
    const { kv, put, remove } = await setUp();
    await put({ expiresAtMs: nowMs + 10, text: 'soon' });
    await put({ key: 'kept', expiresAtMs: nowMs + 20 });
    const where = { tenant: 'default', namespace: 'backup/daily', prefix: '', nowMs: nowMs + 10 };
    expect(await kv.get(atPlace, nowMs + 9)).toMatchObject({ expires_at: nowMs + 10 });
    expect(await kv.get(atPlace, nowMs + 10)).toBeUndefined();
    expect(await kv.list(where, { limit: 9 })).toMatchObject([{ key: 'kept' }]);
    expect(await kv.countExpired(nowMs + 10)).toBe(1);
    expect(await put({ ifVersion: 0, atMs: nowMs + 10, expiresAtMs: nowMs + 10 })).toMatchObject({ isNew: true });
    expect(await kv.totals()).toEqual({ keys: 2, bytes: 8 });
    expect([await kv.removeExpired(nowMs + 10, 9), await kv.removeExpired(nowMs + 10, 9)]).toEqual([1, 0]);
    expect(await kv.totals()).toEqual({ keys: 1, bytes: 4 });
    await remove('kept');
    expect(await kv.namespaces('default', { limit: 9 })).toEqual([]);
  });

  test('keys are listed by prefix, page by page, in the order of their bytes', async () => {
    const { kv, put } = await setUp();
    for (const key of ['b', 'a/2', 'a', 'a/1', 'A', 'a/ä', 'a/\u{1f600}', 'a/z', 'ab']) await put({ key });
    await put({ key: 'a/other', namespace: 'other' });
    await put({ key: 'a/theirs', tenant: 'acme' });
    const list = async (prefix: string, after?: string) => {
      const where = { tenant: 'default', namespace: 'backup/daily', prefix, nowMs };
      const keys = await kv.list(where, { limit: 3, ...(after !== undefined && { after }) });
      return keys.map(({ key }) => key);
    };
    expect(await list('')).toEqual(['A', 'a', 'a/1']);
    expect(await list('', 'a/ä')).toEqual(['a/\u{1f600}', 'ab', 'b']);
    expect(await list('a/')).toEqual(['a/1', 'a/2', 'a/z']);
    expect(await list('a/', 'a/z')).toEqual(['a/ä', 'a/\u{1f600}']);
    expect(await list('x')).toEqual([]);
    expect(await kv.namespaces('default', { limit: 1 })).toEqual([
      { namespace: 'backup/daily', keys: 9, size_bytes: 24 },
    ]);
    expect(await kv.namespaces('default', { limit: 9, after: 'backup/daily' })).toMatchObject([{ namespace: 'other' }]);
  });

  test('a full namespace accepts no more data, but the value of a key may be replaced by one that is not larger', async () => {
    const { kv, put, remove } = await setUp();
    const value = Buffer.alloc(8 * 2 ** 20 - 1);
    for (const key of ['1', '2', '3', '4']) expect(await put({ key, value })).toMatchObject({ kind: 'stored' });
    expect(await put({ key: '5' })).toEqual({ kind: 'full', what: 'namespace' });
    expect(await put({ key: '4', value: Buffer.alloc(value.length + 1) })).toMatchObject({ kind: 'full' });
    expect(await put({ key: '4', value })).toMatchObject({ kind: 'stored' });
    expect(await put({ key: '5', namespace: 'other' })).toMatchObject({ kind: 'stored' });
    expect(await remove('4')).toBe(true);
    expect(await put({ key: '5', value })).toMatchObject({ kind: 'stored' });
    expect(await kv.totals()).toEqual({ keys: 5, bytes: 32 * 2 ** 20 + 1 });
  });

  test('simultaneous writes lose nothing', async () => {
    const { kv, put } = await setUp();
    const written = await Promise.all(
      Array.from({ length: 40 }, (_, n) => put({ key: `k${n % 4}`, ifVersion: n < 4 ? 0 : undefined })),
    );
    const versions = written.map((one) => (one.kind === 'stored' ? one.entry.version : one));
    expect(new Set(versions).size).toBe(40);
    expect(await kv.totals()).toEqual({ keys: 4, bytes: 8 });
    const locks = await Promise.all(Array.from({ length: 9 }, () => put({ key: 'lock', ifVersion: 0 })));
    expect(locks.filter(({ kind }) => kind === 'stored')).toHaveLength(1);
  });
});
