import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const { port } = new URL(server.url);

const get = (path: string, headers: Readonly<Record<string, string>>) =>
  sendRaw(
    server.url,
    `GET ${path} HTTP/1.1\r\n${Object.entries({ Connection: 'close', ...headers })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')}\r\n`,
  );
const problemIn = (body: string): { type: string; detail: string } => JSON.parse(body);

const from = (origin: string) => server.fetch('/runs/run_x/cancel', { method: 'POST', headers: { origin } });

describe('the `Host` of a request', () => {
  test.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.0.0.1:8080', '127.0.0.2', '[::1]:8080'])(
    '%s is accepted',
    async (host) => {
      expect(await get('/api/v1/jobs', { Host: host })).toMatchObject({ status: 200 });
    },
  );

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.example:8080',
    '0.0.0.0',
    'localhost:8080@evil.example',
    '',
  ])('%j is refused, even for probes and pages, because it may come from DNS rebinding', async (host) => {
    for (const path of ['/api/v1/jobs', '/healthz', '/', '/nowhere']) {
      const answer = await get(path, { Host: host });
      expect(answer.status).toBe(403);
      expect(problemIn(answer.body).type).toBe('https://flowd.org/problems/permission-denied');
    }
  });

  test('a request without `Host` is malformed', async () => {
    const answer = await get('/api/v1/jobs', {});
    expect(answer.status).toBe(400);
    expect(problemIn(answer.body).detail).toContain('Host');
  });
});

describe('a server that other machines can reach', () => {
  test('accepts any `Host`, but needs a credential from callers who use a name that is not local', async () => {
    await using open = await startServing({ server: { bind: { host: '0.0.0.0', port: 0 } } });
    const { port } = new URL(open.url);
    const token = await open.token({ scopes: ['jobs:read'] });
    const ask = async (more: string) =>
      (await sendRaw(`http://127.0.0.1:${port}`, `GET /api/v1/jobs HTTP/1.1\r\n${more}Connection: close\r\n\r\n`))
        .status;
    expect(await ask('Host: localhost\r\n')).toBe(200);
    expect(await ask('Host: rebound.example\r\n')).toBe(401);
    expect(await ask(`Host: rebound.example:${port}\r\nOrigin: http://rebound.example:${port}\r\n`)).toBe(401);
    expect(await ask('Host: localhost\r\nOrigin: https://evil.example\r\n')).toBe(403);
    expect(await ask(`Host: rebound.example\r\nAuthorization: Bearer ${token.credential}\r\n`)).toBe(200);
  });
});

describe('the page that sends a request', () => {
  test.each(['localhost', '127.0.0.1', '[::1]'])('the server’s own page may call the server as %s', async (name) => {
    const Host = `${name}:${port}`;
    for (const site of ['same-origin', 'none'])
      expect(await get('/api/v1/jobs', { Host, Origin: `http://${Host}`, 'Sec-Fetch-Site': site })).toMatchObject({
        status: 200,
      });
  });

  test.each([
    'http://localhost',
    `http://localhost:${port}`,
    `http://[::1]:${port}`,
    `http://127.0.0.2:${port}`,
    `https://127.0.0.1:${port}`,
    'http://127.0.0.1',
    'http://127.0.0.1:3000',
    'http://localhost:3000',
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'file://',
    'http://127.0.0.1@evil.example',
  ])('a page of %s may not call', async (origin) => {
    const response = await from(origin);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('Origin') });
  });

  test.each(['cross-site', 'same-site', 'same-origin, cross-site', ''])(
    'a page marked %j by its browser, without Origin, cannot change anything, or read anything without a token',
    async (site) => {
      const headers = { 'sec-fetch-site': site };
      const refused = await server.fetch('/runs/run_x/cancel', { method: 'POST', headers });
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('Sec-Fetch-Site') });
      for (const path of ['/jobs', '/events/runs', '//metrics'])
        expect((await server.fetch(path, { headers })).status).toBe(401);
      const { headers: credential } = await server.token({ scopes: ['jobs:read'] });
      expect((await server.fetch('/jobs', { headers: { ...headers, ...credential } })).status).toBe(200);
    },
  );

  test('a link on another page can open the console and the other public pages', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', accept: 'text/html' };
    for (const path of ['//', '//runs', '//docs', '/openapi.json'])
      expect((await server.fetch(path, { headers })).status).toBe(200);
  });

  test('programs other than browsers, and pages that a person opens, need no Origin', async () => {
    expect((await server.fetch('/runs/run_x/cancel', { method: 'POST' })).status).toBe(404);
    for (const site of ['same-origin', 'none']) {
      const headers = { 'sec-fetch-site': site };
      expect((await server.fetch('/runs/run_x/cancel', { method: 'POST', headers })).status).toBe(404);
      expect((await server.fetch('/jobs', { headers })).status).toBe(200);
    }
  });

  test('a refused page does not use up the user’s rate limit', async () => {
    await using small = await startServing({ rateLimit: { limit: 3, windowMs: 60_000 } });
    for (let i = 0; i < 5; i++) await small.fetch('/jobs', { headers: { origin: 'https://evil.example' } });
    expect((await small.fetch('/jobs')).status).toBe(200);
  });
});

test('an unknown token is refused', async () => {
  const response = await server.fetch('/jobs', { headers: { authorization: 'Bearer flwd_x' } });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/unauthenticated', status: 401 });
});

/**
 * Sends a request as the user `nobody`, and prints the status. With `hangUp`, it closes the socket without reading the
 * answer.
 */
async function asNobody(request: string, hangUp = false): Promise<string> {
  const { port } = new URL(server.url);
  const script = hangUp
    ? `require('net').connect(${port}, '127.0.0.1', function () { this.write(${JSON.stringify(request)}, () => process.exit()) })`
    : `require('net').connect(${port}, '127.0.0.1', function () { this.write(${JSON.stringify(request)}) }).pipe(process.stdout)`;
  const child = spawn(process.execPath, ['-e', script], {
    uid: 65534,
    gid: 65534,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return output.split(' ')[1] ?? '';
}

const asked = (path: string) => asNobody(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);

describe.skipIf(process.getuid?.() !== 0)('another user of the machine', () => {
  test('may not call the API, but may call the probes', async () => {
    expect(await asked('/api/v1/jobs')).toBe('401');
    expect(await asked('/api/v1/runs/run_x')).toBe('401');
    expect(await asked('/healthz')).toBe('204');
    expect(await asked('/api/v1/health')).toBe('200');
    expect(await asked('/api/v1/nowhere')).toBe('404');
  });

  test('is not mistaken for root after hanging up at once', async () => {
    const run = await server.addRun();
    const cancel = `POST /api/v1/runs/${run.id}/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
    for (let i = 0; i < 20; i++) await asNobody(cancel, true);
    expect(await server.store.runs.get(run.id)).toMatchObject({ status: 'pending', cancel_requested_at: null });
  });
});
