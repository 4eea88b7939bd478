import { afterAll, describe, expect, test } from 'vitest';
import { assertGuarded } from '../../src/server/admission/exposure.ts';
import { startServing, type TestToken } from './serving.ts';

type TokenAnswer = {
  id: string;
  name: string;
  scopes: string[];
  tenant: string;
  status: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  token?: string;
};

let nowMs = Date.parse('2026-05-01T12:00:00Z');
const server = await startServing({ clock: { now: () => nowMs } });
afterAll(() => server.close());

const make = (body: unknown, by?: TestToken) => server.post('/tokens', body, by?.headers);
const made = async (body: unknown, by?: TestToken): Promise<TokenAnswer & { token: string }> => {
  const response = await make(body, by);
  expect(response.status).toBe(201);
  return JSON.parse(await response.text());
};
const listed = async (by?: TestToken, query = ''): Promise<TokenAnswer[]> => {
  const response = await server.fetch(`/tokens${query}`, { headers: by?.headers ?? {} });
  const { tokens }: { tokens: TokenAnswer[] } = JSON.parse(await response.text());
  return tokens;
};
const use = async (credential: string, path = '/runs') =>
  (await server.fetch(path, { headers: { authorization: `Bearer ${credential}` } })).status;
const revoke = async (id: string, by?: TestToken) =>
  (await server.fetch(`/tokens/${id}`, { method: 'DELETE', headers: by?.headers ?? {} })).status;

test('a token that is revoked while a request reads it is refused, then and later', async () => {
  const { id, token } = await made({ name: 'raced', scopes: ['runs:read'] });
  const { tokens } = server.store;
  const { find } = tokens;
  const { promise: isRead, resolve: sayRead } = Promise.withResolvers<void>();
  const { promise: isRevoked, resolve: sayRevoked } = Promise.withResolvers<void>();
  Object.assign(tokens, {
    async find(asked: string) {
      Object.assign(tokens, { find });
      const row = await find(asked);
      sayRead();
      await isRevoked;
      return row;
    },
  });
  const early = use(token);
  await isRead;
  expect(await revoke(id)).toBe(204);
  sayRevoked();
  expect([await early, await use(token)]).toEqual([401, 401]);
});

describe('creating a token', () => {
  test('shows the token once, and never in the list', async () => {
    const response = await make({ name: 'ci', scopes: ['runs:write', 'jobs:read'], tenant: 'acme', expires_in: '90d' });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer: unknown = await response.json();
    expect(answer).toEqual({
      id: expect.stringMatching(/^token_[0-9A-Z]{26}$/),
      name: 'ci',
      scopes: ['runs:write', 'jobs:read'],
      tenant: 'acme',
      status: 'active',
      created_at: '2026-05-01T12:00:00.000Z',
      created_by: 'local',
      expires_at: '2026-07-30T12:00:00.000Z',
      last_used_at: null,
      revoked_at: null,
      only: null,
      secrets: null,
      agent: false,
      approval: null,
      token: expect.stringMatching(/^flwd_[0-9A-Z]{26}_[0-9a-f]{64}$/),
    });
    const shown = (await listed()).find(({ name }) => name === 'ci');
    expect(answer).toEqual({ ...shown, token: expect.any(String) });
    expect(shown).not.toHaveProperty('token');
  });

  test('without a tenant uses the tenant of the caller, or else the default tenant', async () => {
    expect(await made({ name: 'plain', scopes: ['runs:read'] })).toMatchObject({ tenant: 'default' });
    const admin = await server.token({ tenant: 'acme' });
    expect(await made({ name: 'theirs', scopes: ['runs:read'] }, admin)).toMatchObject({
      tenant: 'acme',
      created_by: admin.name,
    });
  });

  test.each([
    [{ name: 'local', scopes: ['runs:read'] }, '/name'],
    [{ name: 'Anonymous', scopes: ['runs:read'] }, '/name'],
    [{ name: 'schedule:x', scopes: ['runs:read'] }, '/name'],
    [{ name: '', scopes: ['runs:read'] }, '/name'],
    [{ name: 'x'.repeat(64), scopes: ['runs:read'] }, '/name'],
    [{ scopes: ['runs:read'] }, '/name'],
    [{ name: 'a', scopes: [] }, '/scopes'],
    [{ name: 'a', scopes: ['root'] }, '/scopes/0'],
    [{ name: 'a' }, '/scopes'],
    [{ name: 'a', scopes: ['runs:read'], tenant: 'A b' }, '/tenant'],
    [{ name: 'a', scopes: ['runs:read'], expires_in: '59s' }, '/expires_in'],
    [{ name: 'a', scopes: ['runs:read'], expires_in: '3651d' }, '/expires_in'],
    [{ name: 'a', scopes: ['runs:read'], expires_in: '-1d' }, '/expires_in'],
    [{ name: 'a', scopes: ['runs:read'], expires_in: 5 }, '/expires_in'],
    [{ name: 'a', scopes: ['runs:read'], hash: 'x' }, '/hash'],
  ])('from %j is refused, and creates nothing', async (body, pointer) => {
    const response = await make(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
    expect((await listed()).map(({ name }) => name)).not.toContain('a');
  });

  test('can reuse the name of a revoked token', async () => {
    const first = await made({ name: 'once', scopes: ['runs:read'] });
    const again = await make({ name: 'once', scopes: ['runs:read'] });
    expect(again.status).toBe(400);
    expect(await again.json()).toMatchObject({ detail: expect.stringContaining('revoke that token first') });
    expect(await revoke(first.id)).toBe(204);
    await made({ name: 'once', scopes: ['runs:read'] });
    expect((await listed()).filter(({ name }) => name === 'once').map(({ status }) => status)).toEqual([
      'active',
      'revoked',
    ]);
  });
});

describe('using a token', () => {
  test('gives access according to its scopes, and a refusal names the missing scope', async () => {
    const token = await server.token({ scopes: ['runs:read'] });
    expect(await use(token.credential)).toBe(200);
    const denied = await server.fetch('/jobs', { headers: token.headers });
    expect(denied.status).toBe(403);
    expect(await denied.json()).toMatchObject({
      type: 'https://flowd.org/problems/permission-denied',
      detail: "The caller lacks the scope 'jobs:read'.",
    });
  });

  test('stores the time of its last use, at most once a minute', async () => {
    const token = await server.token();
    const lastUse = async () => (await listed()).find(({ id }) => id === token.id)?.last_used_at;
    await use(token.credential);
    await expect.poll(lastUse).toBe(new Date(nowMs).toISOString());
    const firstMs = nowMs;
    nowMs += 59_999;
    await use(token.credential);
    expect(await lastUse()).toBe(new Date(firstMs).toISOString());
    nowMs += 1;
    await use(token.credential);
    await expect.poll(lastUse).toBe(new Date(firstMs + 60_000).toISOString());
  });

  test('is refused after its expiry, and the answer says so', async () => {
    const token = await made({ name: 'short', scopes: ['admin'], expires_in: '1m' });
    nowMs += 59_999;
    expect(await use(token.token)).toBe(200);
    nowMs += 1;
    const response = await server.fetch('/runs', { headers: { authorization: `Bearer ${token.token}` } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(await response.json()).toMatchObject({ detail: "The token 'short' is expired." });
    expect((await listed()).find(({ id }) => id === token.id)).toMatchObject({ status: 'expired' });
  });

  test('is refused from the first request after it was revoked', async () => {
    const token = await server.token();
    expect(await use(token.credential)).toBe(200);
    expect(await revoke(token.id)).toBe(204);
    expect(await use(token.credential)).toBe(401);
    expect(await revoke(token.id)).toBe(204);
  });
});

describe('tokens of a tenant', () => {
  test('their admin sees and revokes only tokens of that tenant', async () => {
    const [admin, own, other, every] = [
      await server.token({ tenant: 'blue' }),
      await server.token({ tenant: 'blue', scopes: ['runs:read'] }),
      await server.token({ tenant: 'red' }),
      await server.token({ tenant: '*' }),
    ];
    expect((await listed(admin)).map(({ id }) => id).toSorted()).toEqual([admin.id, own.id].toSorted());
    for (const { id } of [other, every]) {
      const refused = await server.fetch(`/tokens/${id}`, { method: 'DELETE', headers: admin.headers });
      expect([refused.status, await refused.json()]).toEqual([
        404,
        expect.objectContaining({ detail: `There is no token '${id}'.` }),
      ]);
    }
    expect(await revoke('token_01ARZ3NDEKTSV4RRFFQ69G5FAV', admin)).toBe(404);
    expect(await revoke(own.id, admin)).toBe(204);
    expect(await use(other.credential)).toBe(200);
    expect(await use(every.credential)).toBe(200);
  });

  test.each(['red', '*', 'default'])('their admin cannot create a token of the tenant %s', async (tenant) => {
    const admin = await server.token({ tenant: 'blue' });
    const response = await make({ name: 'climb', scopes: ['runs:read'], tenant }, admin);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/permission-denied' });
  });

  test('an admin of all tenants can create tokens of any tenant', async () => {
    const admin = await server.token({ tenant: '*' });
    for (const tenant of ['red', '*']) {
      await made({ name: `of-${tenant === '*' ? 'all' : tenant}`, scopes: ['runs:read'], tenant }, admin);
    }
  });

  test('operations on the whole instance need the tenant `*`', async () => {
    const admin = await server.token({ tenant: 'blue' });
    const gc = await server.fetch('/system/gc?dry_run=true', { method: 'POST', headers: admin.headers });
    expect(gc.status).toBe(403);
    expect(await gc.json()).toMatchObject({
      detail:
        "This request concerns every tenant, but the caller belongs only to the tenant 'blue': use a token made with " +
        "`flwd tokens create --tenant '*'`.",
    });
    expect(await use(admin.credential, '//metrics')).toBe(403);
    const { credential } = await server.token({ tenant: '*', scopes: ['metrics:read'] });
    expect(await use(credential, '//metrics')).toBe(200);
  });
});

test('the list is paged, newest first', async () => {
  await using small = await startServing();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.unshift((await small.token()).id);
  const page = async (query: string) => {
    const answer: { tokens: TokenAnswer[]; total: number; next_cursor: string | null } = JSON.parse(
      await (await small.fetch(`/tokens?${query}`)).text(),
    );
    return { ids: answer.tokens.map(({ id }) => id), total: answer.total, next: answer.next_cursor };
  };
  const first = await page('limit=2');
  expect(first).toEqual({ ids: ids.slice(0, 2), total: 5, next: expect.any(String) });
  const second = await page(`limit=2&cursor=${first.next}`);
  expect(second).toEqual({ ids: ids.slice(2, 4), total: 5, next: expect.any(String) });
  expect(await page(`limit=2&cursor=${second.next}`)).toEqual({ ids: ids.slice(4), total: 5, next: null });
  expect(await page('limit=2&offset=3')).toEqual({ ids: ids.slice(3), total: 5, next: null });
  expect((await small.fetch('/tokens?cursor=x')).status).toBe(400);
});

test('only active tokens allow a server to bind beyond loopback', async () => {
  let atMs = Date.parse('2026-05-01T12:00:00Z');
  await using small = await startServing({ clock: { now: () => atMs } });
  const guarded = (host = '0.0.0.0', mode: 'auto' | 'required' | 'none' = 'auto') =>
    assertGuarded({ host, port: 80, mode, hasJwt: false, tokens: small.store.tokens, nowMs: atMs }).then(
      () => true,
      String,
    );
  const refusal = expect.stringContaining('flwd tokens create');
  expect(await guarded()).toEqual(refusal);
  expect(await guarded('0.0.0.0', 'required')).toEqual(refusal);
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) expect(await guarded(host, 'required')).toBe(true);
  expect(await guarded('::')).toEqual(refusal);
  // These are not addresses of this host, for which the error of listening itself is more useful.
  for (const host of ['192.0.2.7', '::ffff:192.0.2.7']) expect(await guarded(host)).toContain('EADDRNOTAVAIL');
  expect(await guarded('localhost.example')).not.toBe(true);
  for (const host of ['::', '192.0.2.7', 'localhost.example']) expect(await guarded(host, 'none')).toBe(true);
  await small.token({ expiresIn: '1m' });
  expect(await guarded()).toBe(true);
  atMs += 60_000;
  expect(await guarded()).toEqual(refusal);
  const { id } = await small.token();
  expect(await guarded()).toBe(true);
  await small.fetch(`/tokens/${id}`, { method: 'DELETE' });
  expect(await guarded()).toEqual(refusal);
});

test('only the hash of a token is in the database', async () => {
  await using small = await startServing();
  const { credential } = await small.token();
  const [, , secret = ''] = credential.split('_');
  const rows = JSON.stringify(await small.store.db.read.selectFrom('tokens').selectAll().execute());
  expect(rows).not.toContain(secret);
  expect(rows).toContain('"hash"');
});
