// The key-value store over HTTP.

import { afterAll, describe, expect, test } from 'vitest';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const toBase64 = (text: string): string => Buffer.from(text).toString('base64');

async function ask(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const response = await server.fetch(path, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
}

const put = (path: string, text: string, more: object = {}) => ask('PUT', path, { value: toBase64(text), ...more });

test('a value can be stored, read, replaced and deleted', async () => {
  const entry = {
    tenant: 'default',
    namespace: 'backup/daily',
    key: 'a/last id',
    value: toBase64('1041'),
    version: 1,
    size_bytes: 13,
    updated_at: expect.stringMatching(/Z$/),
    updated_by: 'anonymous',
    expires_at: null,
  };
  const path = '/kv/backup%2Fdaily/a/last%20id';
  const stored = await put(path, '1041');
  expect(stored).toEqual({ status: 201, body: { ...entry, updated_by: expect.any(String) } });
  expect(await ask('GET', path)).toEqual({ status: 200, body: stored.body });
  expect(await ask('GET', '/kv/backup%2fdaily/a%2Flast%20id')).toEqual({ status: 200, body: stored.body });
  expect(await put(path, '1042')).toMatchObject({ status: 200, body: { version: 2, value: toBase64('1042') } });
  expect(await ask('DELETE', path)).toEqual({ status: 204, body: null });
  const missing = { status: 404, body: { title: 'Key Not Found', detail: expect.stringContaining("'a/last id'") } };
  expect(await ask('GET', path)).toMatchObject(missing);
  expect(await ask('DELETE', path)).toMatchObject(missing);
});

test('a request with an outdated version changes nothing', async () => {
  expect(await put('/kv/locks/l', 'a', { if_version: 0 })).toMatchObject({ status: 201 });
  const conflict = await put('/kv/locks/l', 'b', { if_version: 0 });
  expect(conflict).toMatchObject({ status: 409, body: { title: 'Key Changed' } });
  expect(await ask('GET', '/kv/locks/l')).toMatchObject({ body: { value: toBase64('a') } });
});

test('a key with a ttl says when it expires', async () => {
  const before = Date.now();
  const { body } = await put('/kv/soon/k', 'v', { ttl: '1h30m' });
  const expiresAtMs = Date.parse(String(Reflect.get(Object(body), 'expires_at')));
  expect(expiresAtMs - before).toBeGreaterThanOrEqual(5_400_000);
  expect(expiresAtMs - Date.now()).toBeLessThanOrEqual(5_400_000);
  await put('/kv/soon/k', 'v');
  expect(await ask('GET', '/kv/soon/k')).toMatchObject({ body: { expires_at: null } });
});

test('keys and namespaces are listed in pages', async () => {
  for (const key of ['a', 'b/1', 'b/2', 'b/3', 'ü']) await put(`/kv/lists/${encodeURIComponent(key)}`, 'v');
  const first = await ask('GET', '/kv/lists?prefix=b/&limit=2');
  expect(first).toMatchObject({ body: { keys: [{ key: 'b/1', size_bytes: 4 }, { key: 'b/2' }] } });
  expect(JSON.stringify(first.body)).not.toContain('"value"');
  const cursor = String(Reflect.get(Object(first.body), 'next_cursor'));
  const rest = await ask('GET', `/kv/lists?prefix=b/&limit=2&cursor=${cursor}`);
  expect(rest).toMatchObject({ body: { keys: [{ key: 'b/3' }], next_cursor: null } });
  const namespaces = await ask('GET', '/kv');
  expect(namespaces.body).toMatchObject({
    namespaces: expect.arrayContaining([{ namespace: 'lists', keys: 5, size_bytes: 17 }]),
  });
  expect(await ask('GET', '/kv/nothing%2Fhere')).toEqual({
    status: 200,
    body: { keys: [], next_cursor: null },
  });
});

describe('the key-value store refuses', () => {
  test.each([
    ['a value that is not base64', 'PUT', '/kv/n/k', { value: 'a' }, '/value'],
    ['a value without padding', 'PUT', '/kv/n/k', { value: 'YQ' }, '/value'],
    ['a value of 8,193 bytes', 'PUT', '/kv/n/k', { value: Buffer.alloc(8193).toString('base64') }, '/value'],
    ['no value', 'PUT', '/kv/n/k', {}, '/value'],
    ['a ttl that is no duration', 'PUT', '/kv/n/k', { value: '', ttl: 'soon' }, '/ttl'],
    ['a ttl of nothing', 'PUT', '/kv/n/k', { value: '', ttl: '0s' }, '/ttl'],
    ['a negative version', 'PUT', '/kv/n/k', { value: '', if_version: -1 }, '/if_version'],
    ['an unknown member', 'PUT', '/kv/n/k', { value: '', tenant: 'acme' }, '/tenant'],
    ['a namespace that leaves its folder', 'GET', '/kv/a%2F..%2Fb/k', undefined, ''],
    ['a namespace with a space', 'GET', '/kv/a%20b', undefined, ''],
    ['no key', 'GET', '/kv/n/', undefined, ''],
    ['a key with a NUL', 'GET', '/kv/n/a%00b', undefined, ''],
    ['a key of 513 bytes', 'GET', `/kv/n/${'%C3%BC'.repeat(256)}x`, undefined, ''],
    ['a prefix with a NUL', 'GET', '/kv/n?prefix=%00', undefined, '?prefix'],
    ['a cursor with a NUL', 'GET', '/kv/n?cursor=AA', undefined, '?cursor'],
    ['a limit of 0', 'GET', '/kv/n?limit=0', undefined, '?limit'],
  ])('%s', async (_what, method, path, body, pointer) => {
    expect(await ask(method, path, body)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });

  test('a caller without the scope', async () => {
    const reader = await server.token({ scopes: ['kv:read'] });
    const writer = await server.token({ scopes: ['kv:write'] });
    const other = await server.token({ scopes: ['runs:write', 'secrets:write'] });
    const status = async (method: string, token: typeof reader) =>
      (await ask(method, '/kv/scopes/k', method === 'PUT' ? { value: '' } : undefined, token.headers)).status;
    expect(await status('PUT', writer)).toBe(201);
    expect([await status('GET', reader), await status('GET', writer)]).toEqual([200, 200]);
    expect([await status('PUT', reader), await status('DELETE', reader)]).toEqual([403, 403]);
    expect([await status('GET', other), await status('PUT', other)]).toEqual([403, 403]);
  });
});

test('changes over HTTP are in the audit log, without the value', async () => {
  await put('/kv/audited/k', 'hush', { ttl: '1h' });
  await ask('DELETE', '/kv/audited/k');
  const { body } = await ask('GET', '/audit?object=audited%20k');
  expect(body).toMatchObject({
    entries: [
      { action: 'kv.delete', object: { kind: 'kv', id: 'audited k' }, tenant: 'default', result: 'done' },
      { action: 'kv.set', object: { kind: 'kv', id: 'audited k' }, detail: { ttl: '1h' } },
    ],
  });
  expect(JSON.stringify(body)).not.toContain(toBase64('hush'));
});
