import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';
import { createCertificate, createPairFiles, getSecurely } from '../support/a-certificate.ts';
import { sendRaw } from '../support/raw-http.ts';

const server = await startServing({ jobs: { hello: { 'config.yaml': 'command: ./run.sh', 'run.sh': '' } } });
afterAll(() => server.close());
const run = await server.addRun();
await run.move('claim');
await run.print('one');
await run.finish();
const artifact = await server.addArtifact(run, { name: 'page.html', content: '<script>', mediaType: 'text/html' });
const etag = String((await server.fetch(`/runs/${run.id}`)).headers.get('etag'));

const none = "default-src 'none'; frame-ancestors 'none'";

describe('an answer of the server', () => {
  test.each<[number, string, string, string, { readonly policy?: string; readonly cache?: string }]>([
    [200, 'a list', 'GET /api/v1/runs', '', {}],
    [200, 'what has an ETag', `GET /api/v1/runs/${run.id}`, '', { cache: 'private, no-cache' }],
    [
      304,
      'what has not changed',
      `GET /api/v1/runs/${run.id}`,
      `If-None-Match: ${etag}\r\n`,
      { cache: 'private, no-cache' },
    ],
    [200, 'jobs', 'GET /api/v1/jobs', '', { cache: 'private, no-cache' }],
    [200, 'a HEAD', 'HEAD /api/v1/runs', '', {}],
    [200, 'an artifact', `GET /api/v1/artifacts/${artifact}`, '', { policy: 'sandbox', cache: 'private, no-cache' }],
    [
      206,
      'a part of one',
      `GET /api/v1/artifacts/${artifact}`,
      'Range: bytes=0-1\r\n',
      { policy: 'sandbox', cache: 'private, no-cache' },
    ],
    [200, 'a stream of events', `GET /api/v1/events/runs?run_id=${run.id}`, '', {}],
    [200, 'a log that is followed', `GET /api/v1/runs/${run.id}/logs?follow=true`, '', {}],
    [200, 'a log as text', `GET /api/v1/runs/${run.id}/logs`, 'Accept: text/plain\r\n', {}],
    [200, 'health', 'GET /api/v1/health', '', {}],
    [204, 'a probe', 'GET /healthz', '', {}],
    [200, 'metrics', 'GET /metrics', '', {}],
    [200, 'the document of the API', 'GET /api/v1/openapi.json', '', {}],
    // The console, or a page that says that the console is not built.
    [200, 'the first page', 'GET /', '', { policy: 'style-src', cache: '^(?:no-store|private, no-cache)$' }],
    [200, 'the page of the API', 'GET /docs', '', { policy: 'style-src' }],
    [400, 'a faulty query', 'GET /api/v1/runs?limit=x', '', {}],
    [400, 'a path that does not decode', 'GET /api/v1/runs/%ff', '', {}],
    [401, 'a wrong token', 'GET /api/v1/runs', 'Authorization: Bearer x\r\n', {}],
    [403, 'a foreign page', 'GET /api/v1/runs', 'Origin: https://evil.example\r\n', {}],
    [404, 'what is not there', 'GET /api/v1/runs/run_x', '', {}],
    [404, 'no path of the API', 'GET /nowhere', '', {}],
    [405, 'another method', 'DELETE /api/v1/runs', '', {}],
    [
      413,
      'a body that is too large',
      'POST /api/v1/runs',
      'Content-Type: application/json\r\nContent-Length: 999999\r\n',
      {},
    ],
    [415, 'a body of another type', 'POST /api/v1/runs', 'Content-Type: text/plain\r\nContent-Length: 0\r\n', {}],
    [
      416,
      'a part that is not there',
      `GET /api/v1/artifacts/${artifact}`,
      'Range: bytes=99-\r\n',
      { cache: 'private, no-cache' },
    ],
    [431, 'headers that are too large', 'GET /', `X-Large: ${'x'.repeat(20_000)}\r\n`, {}],
    [400, 'what is no HTTP', 'hello', '', {}],
    [400, 'an expectation', 'GET /', 'Expect: x\r\n', {}],
    [400, 'what is for proxies', 'CONNECT a.example:443', '', {}],
  ])(
    'with the status %i, %s, is safe in a browser',
    async (status, _what, line, headers, { policy = none, cache = 'no-store' }) => {
      const answer = await sendRaw(
        server.url,
        `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`,
      );
      const sent = new Headers(
        answer.head
          .split('\r\n')
          .slice(1)
          .map((text) => text.split(/: (.*)/s, 2)) as [string, string][],
      );
      expect(answer.status).toBe(status);
      expect(Object.fromEntries(sent)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-security-policy': expect.stringContaining(policy),
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': expect.stringMatching(cache),
      });
      for (const name of [
        'server',
        'x-powered-by',
        'strict-transport-security',
        'set-cookie',
        'access-control-allow-origin',
      ]) {
        expect(sent.has(name), name).toBe(false);
      }
    },
  );
});

test('Strict-Transport-Security is sent under the name of the server, but not under localhost', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-tls-'));
  const pair = createCertificate('flwd');
  await using secure = await startServing({ server: { tls: createPairFiles(dir, pair).files } });
  rmSync(dir, { recursive: true });
  const { credential } = await secure.token({ scopes: ['runs:read'] });
  const headers = { host: 'flwd.example.org', authorization: `Bearer ${credential}` };
  const named = await getSecurely(`${secure.url}/api/v1/runs`, null, { headers });
  expect(named.headers['strict-transport-security']).toBe('max-age=31536000');
  const local = await getSecurely(`${secure.url}/api/v1/runs`, pair);
  expect(local).toMatchObject({ status: 200 });
  expect(local.headers).not.toHaveProperty('strict-transport-security');
});
