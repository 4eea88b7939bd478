import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startServing } from './serving.ts';

const logged: Readonly<Record<string, unknown>>[] = [];
const server = await startServing({ onLog: (line) => logged.push(line) });
afterAll(() => server.close());

const type = (slug: string) => `https://flowd.org/problems/${slug}`;

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem: Record<string, unknown> = JSON.parse(await response.text());
  expect(problem.status).toBe(response.status);
  return problem;
}

test('a problem has all members, with the path of the request as `instance`', async () => {
  const response = await server.fetch('/runs/no%2Fsuch%20run?x=1');
  expect(response.status).toBe(404);
  expect(await problemOf(response)).toEqual({
    type: type('run-not-found'),
    title: 'Run Not Found',
    status: 404,
    detail: "The run 'no/such run' does not exist",
    instance: '/api/v1/runs/no%2Fsuch%20run',
  });
});

test.each(['/api/v1', '/api/v1/nothing', '/api/v2/jobs', '/favicon.ico', '/api/v1/runs/a/b/c'])(
  '%s gets 404 not-found',
  async (path) => {
    const response = await server.fetch(`/${path}`);
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ type: type('not-found'), instance: path });
  },
);

test.each([
  ['PUT', '/runs', 'POST, GET, HEAD'],
  ['DELETE', '/jobs/backup/daily', 'GET, HEAD'],
  ['GET', '/runs/run_x/cancel', 'POST'],
  ['OPTIONS', '/jobs', 'GET, HEAD'],
  ['PATCH', '/artifacts/artifact_x', 'GET, HEAD'],
  ['POST', '//healthz', 'GET, HEAD'],
])('%s %s gets 405 with the methods that are allowed', async (method, path, allow) => {
  const response = await server.fetch(path, { method });
  expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  expect(await problemOf(response)).toMatchObject({ type: type('method-not-allowed') });
});

const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}) =>
  server.fetch('/runs', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });

test.each(['abc', '', '-1', '0', '1001', '1.5', '9'.repeat(30)])(
  '?limit=%s gets 400, and the error says which values are allowed',
  async (limit) => {
    const problem = await problemOf(await server.fetch(`/runs?limit=${limit}`));
    expect(problem).toMatchObject({
      status: 400,
      errors: [{ pointer: '?limit', message: 'must be an integer from 1 to 1000' }],
    });
  },
);

test('a member with the wrong type or size gets an error in plain words', async () => {
  const body = { job_id: 5, priority: 1.5, labels: [], args: {}, idempotent: true };
  const { errors } = await problemOf(await post(JSON.stringify(body)));
  expect(errors).toMatchObject([
    { pointer: '/idempotent', message: 'is not known' },
    { pointer: '/job_id', message: 'must be a string' },
    { pointer: '/labels', message: 'must be an object' },
    { pointer: '/priority', message: 'must be an integer from -100 to 100' },
  ]);
});

describe('a body that cannot be read', () => {
  const forbiddenMember = 'The body has a member `__proto__`, or a member `constructor` with a member `prototype`.';

  test.each([
    ['is broken JSON', '{"job_id":', 400, 'malformed-request'],
    ['is empty', '', 400, 'malformed-request'],
    ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'malformed-request'],
    ['sets __proto__', '{"job_id":"a","__proto__":{}}', 400, 'malformed-request'],
    [
      'is nested too deep',
      `{"job_id":"a","args":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      400,
      'malformed-request',
    ],
    ['is too large', `"${'x'.repeat(70_000)}"`, 413, 'body-too-large'],
  ])('because it %s gets a problem', async (_what, body, status, slug) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(await problemOf(response)).toMatchObject({ type: type(slug) });
  });

  test.each([
    ['{"job_id":', 'The body is not well-formed JSON.'],
    ['{"__proto__":{}}', forbiddenMember],
    ['\uFEFF{"__proto__":{}}', forbiddenMember],
  ])('such as %s gets an error that says what is wrong', async (body, detail) => {
    expect(await problemOf(await post(body))).toMatchObject({ detail });
  });

  test.each(['text/plain', 'application/xml', 'multipart/form-data', 'nonsense'])(
    'of the type %s gets 415',
    async (mediaType) => {
      const response = await post('{}', { 'content-type': mediaType });
      expect(response.status).toBe(415);
      expect(await problemOf(response)).toMatchObject({ type: type('unsupported-media-type') });
    },
  );

  test('because the client disconnected is not reported as a bug', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.write(
      'POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: hung-up\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await once(socket, 'connect');
    for (let i = 0; i < 3; i++) await server.fetch('/health');
    socket.destroySoon();
    await once(socket, 'close');
    await server.fetch('/health');
    expect(logged).not.toContainEqual(expect.objectContaining({ request_id: 'hung-up', level: 50 }));
  });

  test('brackets within strings do not count as nesting', async () => {
    expect((await post(JSON.stringify({ job_id: `${'['.repeat(200)}\\"{` }))).status).toBe(404);
  });
});

test.each(['/api/v1/jobs/%zz', '/%', '/api/v1/runs/%C3%28'])(
  'a path that cannot be decoded, %s, gets 400',
  async (path) => {
    const answer = await sendRaw(server.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/X-RateLimit-Remaining: \d+/);
    expect(JSON.parse(answer.body)).toMatchObject({ type: type('malformed-request'), instance: path });
  },
);

test('a query that cannot be decoded gets 400', async () => {
  const response = await server.fetch('/runs?q=%E0%A4%A');
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({ type: type('malformed-request') });
});

describe('input that is not a valid request', () => {
  const host = 'Host: localhost\r\n';
  test.each([
    ['noise', 'hello?\r\n\r\n', 400, 'malformed-request'],
    ['a header over 16 KiB', `GET / HTTP/1.1\r\n${host}X-Big: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
    [
      'two lengths',
      `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      400,
      'malformed-request',
    ],
    [
      'a chunk without its length',
      `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n`,
      400,
      'malformed-request',
    ],
  ])('%s gets a problem, and the connection is closed', async (_what, bytes, status, slug) => {
    const answer = await sendRaw(server.url, bytes);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ type: type(slug), status });
  });

  test('headers that are too long are also answered on a connection that was used before', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(`GET /api/v1/health HTTP/1.1\r\n${host}\r\n`);
    // A server without an engine becomes degraded after some seconds.
    await expect.poll(() => received).toMatch(/"status":"(healthy|degraded)"/);
    socket.write(`GET /api/v1/health HTTP/1.1\r\n${host}Cookie: ${'x'.repeat(20_000)}\r\n\r\n`);
    await once(socket, 'close');
    const [, second = ''] = received.split(/(?=HTTP\/1\.1 4)/);
    expect(second).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    expect(JSON.parse(second.slice(second.indexOf('\r\n\r\n')))).toMatchObject({ type: type('headers-too-large') });
  });

  test('a request that never ends gets an answer after server.read_timeout', async () => {
    await using hasty = await startServing({ server: { readTimeoutMs: 200 } });
    const answer = await sendRaw(hasty.url, 'POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Le');
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ detail: expect.stringContaining('server.read_timeout') });
  });

  test('invalid bytes after a request do not get into an answer that has begun', async () => {
    const run = await server.addRun();
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(`GET /api/v1/runs/${run.id}/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await expect.poll(() => received).toContain('retry: 3000');
    socket.write('noise\r\n\r\n');
    await once(socket, 'close');
    expect(received.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

test('a bug is answered with 500 without details, and logged under the id of the request', async () => {
  const { assertThere } = server.store.runs;
  const run = await server.addRun();
  Object.assign(server.store.runs, {
    assertThere: () => Promise.reject(new Error('a secret of the inside')),
  });
  const response = await server.fetch(`/runs/${run.id}`, { headers: { 'x-request-id': 'trace-me' } });
  Object.assign(server.store.runs, { assertThere });
  expect(response.status).toBe(500);
  const problem = await problemOf(response);
  expect(problem).toMatchObject({ type: type('internal-error'), detail: expect.stringContaining('trace-me') });
  expect(JSON.stringify(problem)).not.toMatch(/secret|\.ts|\bat /);
  expect(logged).toContainEqual(expect.objectContaining({ request_id: 'trace-me', level: 50 }));
});

const echoed = async (id: string) =>
  (await server.fetch('/jobs', { headers: { 'x-request-id': id } })).headers.get('x-request-id');

describe('X-Request-Id', () => {
  test('is used if it is valid', async () => {
    expect(await echoed('deploy-2024.01_a')).toBe('deploy-2024.01_a');
    expect(await echoed('x'.repeat(128))).toBe('x'.repeat(128));
  });

  test.each(['', 'x'.repeat(129), 'two words', 'a/b', 'ü'])('is generated if %j was sent', async (id) => {
    expect(await echoed(id)).toMatch(/^req_[0-9A-Z]{26}$/);
  });

  test('is also sent with errors, and logged', async () => {
    const response = await server.fetch('/nowhere', { headers: { 'x-request-id': 'lost' } });
    expect(response.headers.get('x-request-id')).toBe('lost');
    await server.post('/runs', {}, { 'x-request-id': 'posted' });
    await expect
      .poll(() => logged)
      .toContainEqual(expect.objectContaining({ request_id: 'posted', method: 'POST', status: 400 }));
  });
});

test('answers tell the browser that they are not pages', async () => {
  for (const path of ['/jobs', '/nowhere', '/health']) {
    const { headers } = await server.fetch(path);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
  }
});

test.each([
  [
    'an expectation nobody knows',
    'GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nExpect: the-moon\r\n\r\n',
    '/api/v1/jobs',
  ],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n', '/'],
])('the answer to %s is a problem, too', async (_what, request, instance) => {
  const { status, head, body } = await sendRaw(server.url, request);
  expect(status).toBe(400);
  expect(head.toLowerCase()).toContain('content-type: application/problem+json');
  expect(JSON.parse(body)).toMatchObject({ type: type('malformed-request'), status: 400, instance });
});
