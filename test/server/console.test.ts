// How the server delivers the console: its paths, its security policy, its caching, and the page that replaces a
// console that is not built.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { setSafetyHeaders } from '../../src/server/answers/response-headers.ts';
import { consolePaths, createConsole } from '../../src/server/console.ts';
import { startServing } from './serving.ts';

const root = mkdtempSync(join(tmpdir(), 'flwd-console-'));
const built = join(root, 'built');
const script = 'console.log("a script that is long enough to be worth compressing");'.repeat(20);
mkdirSync(join(built, 'assets'), { recursive: true });
writeFileSync(join(built, 'index.html'), '<!doctype html><title>flwd</title>');
writeFileSync(join(built, 'assets/index-abc.js'), script);
writeFileSync(join(root, 'secret.txt'), 'not of the console');

function serving(dir: string): FastifyInstance {
  const app = fastify();
  app.addHook('onRequest', (request, reply, done) => {
    setSafetyHeaders(request.raw, reply.raw);
    done();
  });
  app.setErrorHandler((error: Error & { slug?: string }, _, reply) => reply.code(404).send({ slug: error.slug }));
  const answer = createConsole((_, reply) => reply.type('text/plain').send('not built'), dir);
  for (const path of consolePaths) app.get(path, answer);
  return app;
}

const app = serving(built);
afterAll(async () => {
  await app.close();
  rmSync(root, { recursive: true });
});

describe('the page', () => {
  test.each(['/', '/jobs', '/jobs/backup/daily', '/runs', '/runs/run_1?line=3'])(
    'is served at %s, and the browser revalidates it each time',
    async (url) => {
      const { statusCode, headers, body } = await app.inject({ url });
      expect([statusCode, body]).toEqual([200, '<!doctype html><title>flwd</title>']);
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'private, no-cache',
        'x-content-type-options': 'nosniff',
      });
    },
  );

  test('allows no scripts but the console’s own files, and no other hosts', async () => {
    const { headers } = await app.inject({ url: '/' });
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' blob:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(headers['set-cookie']).toBeUndefined();
  });

  test('is answered with 304 if the browser already has it, and HEAD has no body', async () => {
    const { headers } = await app.inject({ url: '/' });
    const again = await app.inject({ url: '/runs', headers: { 'if-none-match': String(headers.etag) } });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    const head = await app.inject({ method: 'HEAD', url: '/' });
    expect([head.statusCode, head.body, head.headers.etag]).toEqual([200, '', headers.etag]);
  });
});

describe('a file of the console', () => {
  const url = '/assets/index-abc.js';

  test('may be cached forever, because its name depends on its content', async () => {
    const { headers, body } = await app.inject({ url });
    expect(body).toBe(script);
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });

  test('is compressed if the browser accepts compression', async () => {
    const { headers, rawPayload } = await app.inject({ url, headers: { 'accept-encoding': 'br, gzip' } });
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    expect(gunzipSync(rawPayload).toString()).toBe(script);
    const refused = await app.inject({ url, headers: { 'accept-encoding': 'gzip;q=0' } });
    expect([refused.headers['content-encoding'], refused.body]).toEqual([undefined, script]);
  });

  test.each([
    '/assets/nothing.js',
    '/assets/',
    '/assets/../../secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/../index.html',
    '/assets//index-abc.js',
  ])('is not found at %s', async (path) => {
    const { statusCode, body } = await app.inject({ url: path });
    expect(statusCode).toBe(404);
    expect(body).not.toContain('not of the console');
  });
});

test('if the console has not been built, another page is shown', async () => {
  const unbuilt = serving(join(root, 'nowhere'));
  expect((await unbuilt.inject({ url: '/jobs' })).body).toBe('not built');
  expect((await unbuilt.inject({ url: '/assets/index-abc.js' })).statusCode).toBe(404);
  await unbuilt.close();
});

test('at an unknown path a person gets the console, and a program gets a problem', async () => {
  await using server = await startServing();
  const asPerson = await fetch(`${server.url}/nonsense`, { headers: { accept: 'text/html,*/*;q=0.8' } });
  expect([asPerson.status, asPerson.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
  for (const [path, accept] of [
    ['/nonsense', '*/*'],
    ['/api/v1/nonsense', 'text/html'],
  ] as const) {
    const answer = await fetch(server.url + path, { headers: { accept } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, expect.stringContaining('problem+json')]);
  }
});
