// JWTs, from the settings in flwd.yaml to the rights of a caller.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { discoverOAuthProtectedResourceMetadata } from '@modelcontextprotocol/client';
import { afterAll, expect, test } from 'vitest';
import { audienceName, createSigningKey, issuerName, keySetOf } from '../support/an-issuer.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const key = await createSigningKey({ alg: 'RS256', kid: 'first' });
const next = await createSigningKey({ alg: 'EdDSA', kid: 'second' });
const dir = await mkdtemp(join(tmpdir(), 'flwd-issuer-'));
const jwksFile = join(dir, 'jwks.json');
await writeFile(jwksFile, keySetOf(key));

const server = await startServer({
  jobs: { hello: bash('echo hello') },
  config: { auth: { mode: 'required', jwt: { issuer: issuerName, audience: audienceName, jwks_file: jwksFile } } },
});
afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

const call = async (path: string, token: string | undefined, body?: unknown) => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await server.fetch(path, { headers, ...(body !== undefined && { body }) });
  const answer: Record<string, unknown> = JSON.parse(await response.text());
  const challenge = response.headers.get('www-authenticate');
  return { ...answer, status: response.status, challenge, run_id: String(answer.run_id) };
};

test('a caller may do what the scopes of its token allow, under its own name and in its own tenant', async () => {
  const token = await key.sign({ sub: 'ci', scope: 'runs:write jobs:read', tenant: 'ops' });
  await expect.poll(async () => (await call('/jobs/hello', token)).status).toBe(200);
  const { run_id: runId } = await call('/runs', token, { job_id: 'hello' });
  expect(await call(`/runs/${runId}`, token)).toMatchObject({ created_by: 'jwt:ci', tenant: 'ops' });
  expect(await call('/artifacts', token)).toMatchObject({
    status: 403,
    detail: expect.stringContaining("'artifacts:read'"),
  });
});

test('an invalid or missing token is answered with 401', async () => {
  expect(await call('/jobs', undefined)).toMatchObject({ status: 401, challenge: 'Bearer' });
  const wrong = [await next.sign(), await key.sign({ aud: 'other' }), 'a.b.c', await key.sign({ exp: 1 })];
  for (const token of wrong) {
    expect(await call('/jobs', token)).toMatchObject({ status: 401, challenge: 'Bearer error="invalid_token"' });
  }
  expect(server.stderr).not.toContain('error');
});

test('a client of /mcp learns where to get a token', async () => {
  const { origin } = new URL(server.url);
  const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
  for (const [headers, challenge] of [
    [{}, `Bearer resource_metadata="${metadata}"`],
    [{ authorization: 'Bearer a.b.c' }, `Bearer error="invalid_token", resource_metadata="${metadata}"`],
  ] as const) {
    const refused = await fetch(new URL('/mcp', origin), { method: 'POST', headers });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, challenge]);
  }
  // Reads the metadata as a client does.
  expect(await discoverOAuthProtectedResourceMetadata(`${origin}/mcp`)).toEqual({
    resource: `${origin}/mcp`,
    authorization_servers: [issuerName],
    bearer_methods_supported: ['header'],
    scopes_supported: ['jobs:read', 'runs:write', 'artifacts:read'],
    resource_name: 'flwd',
  });
  expect((await fetch(metadata)).headers.get('cache-control')).toBe('no-store');
});

test('a new key is accepted without restarting the server', async () => {
  await writeFile(jwksFile, keySetOf(next));
  expect(await call('/runs', await next.sign({ scope: 'runs:read' }))).toMatchObject({ status: 200 });
  expect(await call('/runs', await key.sign({ scope: 'runs:read' }))).toMatchObject({ status: 401 });
  await expect.poll(() => server.stderr).toContain('the keys of JWTs were read again');
});

test('the server does not start with an unusable key file, and says what to do', async () => {
  const auth = { jwt: { issuer: issuerName, audience: audienceName, jwks_file: join(dir, 'none.json') } };
  await expect(startServer({ config: { auth } })).rejects.toThrow(
    /`auth\.jwt\.jwks_file`: .*none\.json is not there; put the issuer’s JSON Web Key Set there/,
  );
});
