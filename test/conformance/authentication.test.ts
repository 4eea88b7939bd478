// API reference, Authentication: who may call. What a job may do is in authentication-profiles.test.ts.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';
import { spawnFlwd, startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const isRoot = process.getuid?.() === 0;
const server = await startServer({ jobs: { quick: bash('true') } });
afterAll(() => server.close());

const { host, port } = new URL(server.url);

const request = (headers: string) =>
  sendRaw(server.url, `GET /api/v1/jobs HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);

const asNobody = async (path: string) => {
  const exchange = `exec 3<>/dev/tcp/127.0.0.1/${port}
    printf 'GET ${path} HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n' >&3
    cat <&3`;
  const options = { uid: 65534, gid: 65534, cwd: '/', env: { PATH: '/usr/bin:/bin' } };
  return (await promisify(execFile)('/bin/bash', ['-c', exchange], options)).stdout;
};

test('a process of the same user on loopback needs no token', async () => {
  expect((await server.fetch('/jobs')).status).toBe(200);
});

test.skipIf(!isRoot)('a process of another user gets 401 unauthenticated, except at the probes', async () => {
  const refused = await asNobody('/api/v1/jobs');
  expect(refused).toMatch(/^HTTP\/1\.1 401 /);
  expect(refused).toMatch(/\r\nwww-authenticate: Bearer/i);
  expect(refused).toContain('"type":"https://flowd.org/problems/unauthenticated"');
  expect(await asNobody('/api/v1/events/runs')).toMatch(/^HTTP\/1\.1 401 /);
  expect(await asNobody('/healthz')).toMatch(/^HTTP\/1\.1 204 /);
  expect(await asNobody('/readyz')).toMatch(/^HTTP\/1\.1 204 /);
});

test.each(['localhost', '127.0.0.1', '[::1]'])('the Host %s is local, so its requests are accepted', async (name) => {
  expect((await request(`Host: ${name}:${port}\r\n`)).status).toBe(200);
});

test.each(['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '192.168.1.7'])(
  'the Host %s gets 403, which prevents DNS rebinding',
  async (name) => {
    const answer = await request(`Host: ${name}\r\n`);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: 'https://flowd.org/problems/permission-denied',
      title: 'Permission Denied',
      status: 403,
      instance: '/api/v1/jobs',
    });
  },
);

test.each(['http://evil.example', 'https://localhost.evil.example', 'null'])(
  'the Origin %s gets 403, and its POST starts nothing',
  async (origin) => {
    const response = await server.fetch('/runs', { body: { job_id: 'quick' }, headers: { origin } });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/permission-denied' });
    expect(await server.json('/runs?job_id=quick')).toMatchObject({ total: 0 });
  },
);

test('the Origin of the server itself is allowed', async () => {
  expect((await server.fetch('/jobs', { headers: { origin: server.url } })).status).toBe(200);
});

test('a token is shown once and gives access by its scopes, until it is revoked', async () => {
  shows('auth.configured', 'errors.permission-denied');
  const body = { name: 'reader', scopes: ['jobs:read'], expires_in: '1h' };
  const made = await server.fetch('/tokens', { body });
  expect(made.status).toBe(201);
  const { id, token }: { id: string; token: string } = JSON.parse(await made.text());
  const headers = { authorization: `Bearer ${token}` };
  expect((await server.fetch('/jobs', { headers })).status).toBe(200);
  const denied = await server.fetch('/runs', { headers, body: { job_id: 'quick' } });
  expect([denied.status, await denied.json()]).toEqual([
    403,
    expect.objectContaining({
      type: 'https://flowd.org/problems/permission-denied',
      detail: expect.stringContaining("'runs:write'"),
    }),
  ]);
  expect((await server.fetch(`/tokens/${id}`, { method: 'DELETE' })).status).toBe(204);
  const refused = await server.fetch('/jobs', { headers });
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
  expect(await refused.json()).toMatchObject({ type: 'https://flowd.org/problems/unauthenticated', status: 401 });
});

test('without tokens a server that listens beyond loopback refuses to start, with exit code 2 and advice', async () => {
  const config = { server: { bind: '0.0.0.0:0' }, sources: [] };
  const folder = await mkdtemp(join(tmpdir(), 'flwd-refused-'));
  const file = join(folder, 'flwd.yaml');
  await writeFile(file, JSON.stringify({ instance: { data_dir: join(folder, 'data') }, ...config }));
  const refused = spawnFlwd(['serve', '--config', file], folder);
  let said = '';
  refused.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(refused, 'close');
  expect([code, said]).toEqual([2, expect.stringContaining('flwd tokens create')]);
  await rm(folder, { recursive: true });
});
