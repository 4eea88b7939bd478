import { afterAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startServing } from './serving.ts';

const listed = 'https://console.example.org';
const server = await startServing({ server: { corsOrigins: [listed] } });
afterAll(() => server.close());
const token = await server.token({ scopes: ['runs:read'] });
const run = await server.addRun();
const artifact = await server.addArtifact(run, { name: 'a.txt', content: 'a' });

const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name === 'vary' || name.startsWith('access-control-')));
const asPage = (path: string, origin: string, init: RequestInit = {}) =>
  server.fetch(path, {
    ...init,
    headers: { origin, ...token.headers, ...Object.fromEntries(new Headers(init.headers)) },
  });
const preflight = (path: string, origin: string, on = server) =>
  on.fetch(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });

const readable = {
  'access-control-allow-origin': listed,
  'access-control-expose-headers':
    'Accept-Ranges, Content-Disposition, Content-Range, ETag, Idempotent-Replay, Location, Retry-After, WWW-Authenticate, ' +
    'X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id',
  vary: 'Origin',
};

describe('a page from a listed origin', () => {
  test('may read answers to requests with a token', async () => {
    const response = await asPage(`/runs/${run.id}`, listed);
    expect(response.status).toBe(200);
    expect(corsOf(response)).toEqual(readable);
  });

  test.each<[number, string, RequestInit]>([
    [401, '/runs', { headers: { authorization: 'Bearer flwd_x_y' } }],
    [403, '/artifacts', {}],
    [404, '/runs/run_x', {}],
    [404, '/nowhere', {}],
    [405, '/runs', { method: 'PATCH' }],
    [400, '/runs?limit=x', {}],
    [400, '/runs/%ff', {}],
  ])('may also read an answer with the status %i', async (status, path, init) => {
    const response = await asPage(path, listed, init);
    expect(response.status).toBe(status);
    expect(corsOf(response)).toEqual(readable);
  });

  test('may read that it has exceeded the rate limit', async () => {
    await using small = await startServing({
      server: { corsOrigins: [listed] },
      rateLimit: { limit: 1, windowMs: 60_000 },
    });
    await small.fetch('/jobs', { headers: { origin: listed } });
    const response = await small.fetch('/jobs', { headers: { origin: listed } });
    expect(response.status).toBe(429);
    expect(corsOf(response)).toEqual(readable);
  });

  test('may read a 304, an artifact, a probe and a stream', async () => {
    const { headers } = await asPage(`/runs/${run.id}`, listed);
    const etag = headers.get('etag') ?? '';
    const unchanged = await asPage(`/runs/${run.id}`, listed, { headers: { 'if-none-match': etag } });
    expect({ status: unchanged.status, ...corsOf(unchanged) }).toEqual({ status: 304, ...readable });
    const reader = await server.token({ scopes: ['artifacts:read'] });
    expect(corsOf(await asPage(`/artifacts/${artifact}`, listed, { headers: reader.headers }))).toEqual(readable);
    expect(corsOf(await asPage('//healthz', listed))).toEqual(readable);
    const stream = await asPage(`/events/runs?run_id=${run.id}`, listed);
    expect({ status: stream.status, ...corsOf(stream) }).toEqual({ status: 200, ...readable });
    await stream.body?.cancel();
  });

  test('does not act as the user in whose browser it is open', async () => {
    const response = await server.fetch('/jobs', { headers: { origin: listed } });
    expect({ status: response.status, ...corsOf(response) }).toEqual({ status: 401, ...readable });
  });

  test('gets an answer to its preflight without a token, under any name of the server', async () => {
    const response = await preflight('/runs', listed);
    expect({ status: response.status, body: await response.text(), ...corsOf(response) }).toEqual({
      status: 204,
      body: '',
      ...readable,
      'access-control-allow-methods': 'POST, GET, HEAD',
      'access-control-allow-headers':
        'Accept, Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, Range, X-Flwd-Client, X-Request-Id',
      'access-control-max-age': '600',
    });
    const proxied = `OPTIONS /api/v1/jobs HTTP/1.1\r\nHost: flwd.example.org\r\nOrigin: ${listed}\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n`;
    expect(await sendRaw(server.url, proxied)).toMatchObject({ status: 204 });
  });

  test('gets the preflight headers only in answers to a preflight', async () => {
    expect((await asPage('/runs', listed, { method: 'OPTIONS' })).status).toBe(405);
    const headers = { 'access-control-request-method': 'GET' };
    expect((await asPage('/runs', listed, { method: 'PATCH', headers })).status).toBe(405);
  });

  test('gets no preflight headers for an unknown path', async () => {
    expect((await preflight('/nowhere', listed)).status).toBe(404);
  });
});

describe('any other page', () => {
  test.each([
    'https://evil.example',
    'http://console.example.org',
    'https://console.example.org:8443',
    'https://console.example.org.evil.example',
    'https://evilconsole.example.org',
    'https://CONSOLE.example.org',
    'http://localhost:3000',
    'http://127.0.0.1:3000',
    'null',
  ])('from %s is refused, and cannot read any answer', async (origin) => {
    const response = await asPage('/runs', origin);
    expect({ status: response.status, ...corsOf(response) }).toEqual({ status: 403, vary: 'Origin' });
    const asked = await preflight('/runs', origin);
    expect({ status: asked.status, ...corsOf(asked) }).toEqual({ status: 403, vary: 'Origin' });
  });

  test('from the server itself may call the server, under any name of the server', async () => {
    const ask = (origin: string) =>
      sendRaw(
        server.url,
        `GET /api/v1/runs HTTP/1.1\r\nHost: flwd.example.org\r\nOrigin: ${origin}\r\nAuthorization: Bearer ${token.credential}\r\nConnection: close\r\n\r\n`,
      );
    expect(await ask('http://flwd.example.org')).toMatchObject({ status: 200 });
    expect(await ask('https://flwd.example.org')).toMatchObject({ status: 403 });
    expect(await ask('http://flwd.example.org:80')).toMatchObject({ status: 403 });
  });
});

test('without a list of origins, answers have no CORS headers', async () => {
  await using plain = await startServing();
  for (const origin of ['http://localhost:3000', listed]) {
    expect(corsOf(await plain.fetch('/jobs', { headers: { origin } }))).toEqual({});
    expect(corsOf(await preflight('/jobs', origin, plain))).toEqual({});
  }
});

test('with --dev, pages from localhost may call the server with a token', async () => {
  await using dev = await startServing({ isDev: true, ownCredentials: ['dev-token'] });
  const origin = 'http://localhost:3000';
  const allowed = { 'access-control-allow-origin': origin };
  expect(corsOf(await preflight('/jobs', origin, dev))).toMatchObject(allowed);
  const withToken = await dev.fetch('/jobs', { headers: { origin, authorization: 'Bearer dev-token' } });
  expect({ status: withToken.status, ...corsOf(withToken) }).toMatchObject({ status: 200, ...allowed });
  const without = await dev.fetch('/jobs', { headers: { origin } });
  expect({ status: without.status, ...corsOf(without) }).toMatchObject({ status: 401, ...allowed });
});
