// API reference, Error Handling.

import { spawn } from 'node:child_process';
import { mkdtemp, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const server = await startServer({
  jobs: { 'backup/daily': bash('true'), broken: { 'config.yaml': 'command: [\n' } },
  config: { server: { body_limit: '16KiB' } },
});
afterAll(() => server.close());

const problem = (slug: string, title: string, status: number, instance: string) => ({
  type: `https://flowd.org/problems/${slug}`,
  title,
  status,
  detail: expect.stringMatching(/./),
  instance,
});

const allow = async (path: string, method: string) => (await server.fetch(path, { method })).headers.get('allow');

describe('every error is a problem document', () => {
  const unknownRun = '/api/v1/runs/run_01HX0000000000000000000000';
  test.each([
    ['GET', '/api/v1/jobs/nowhere', 404, 'job-not-found', 'Job Not Found'],
    ['GET', '/api/v1/jobs/a%20b%2Fc', 404, 'job-not-found', 'Job Not Found'],
    ['GET', unknownRun, 404, 'run-not-found', 'Run Not Found'],
    ['GET', `${unknownRun}/logs`, 404, 'run-not-found', 'Run Not Found'],
    ['POST', `${unknownRun}/cancel`, 404, 'run-not-found', 'Run Not Found'],
    ['GET', '/api/v1/artifacts/artifact_01HX', 404, 'artifact-not-found', 'Artifact Not Found'],
    ['GET', '/api/v1/runs?limit=0', 400, 'validation-error', 'Validation Error'],
    ['GET', '/api/v1/jobs/broken', 422, 'job-invalid', 'Job Invalid'],
    ['GET', '/api/v1/nothing', 404, 'not-found', 'Not Found'],
    ['GET', '/api/v1', 404, 'not-found', 'Not Found'],
    ['GET', '/nothing/here', 404, 'not-found', 'Not Found'],
    ['DELETE', '/api/v1/runs', 405, 'method-not-allowed', 'Method Not Allowed'],
    ['POST', '/api/v1/jobs', 405, 'method-not-allowed', 'Method Not Allowed'],
    ['PUT', '/api/v1/jobs/backup/daily', 405, 'method-not-allowed', 'Method Not Allowed'],
    ['GET', `${unknownRun}/cancel`, 405, 'method-not-allowed', 'Method Not Allowed'],
    ['PATCH', '/api/v1/health', 405, 'method-not-allowed', 'Method Not Allowed'],
  ])('%s %s gets %i %s', async (method, path, status, slug, title) => {
    shows('errors.format');
    const response = await server.fetch(`/${path}`, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
    expect(response.headers.get('x-request-id')).toEqual(expect.any(String));
    expect(await response.json()).toMatchObject(problem(slug, title, status, path.split('?')[0] ?? ''));
  });

  test('405 lists the allowed methods', async () => {
    expect((await allow('/runs', 'DELETE'))?.split(', ').toSorted()).toEqual(['GET', 'HEAD', 'POST']);
    expect((await allow('/jobs/backup/daily', 'PUT'))?.split(', ').toSorted()).toEqual(['GET', 'HEAD']);
    expect((await allow('/runs/run_01HX/cancel', 'GET'))?.split(', ')).toEqual(['POST']);
  });

  test('HEAD is answered like GET, but without a body', async () => {
    for (const path of ['/jobs', '/jobs/backup/daily', '/runs', '/artifacts', '/health', '/system/info']) {
      const [head, get] = [await server.fetch(path, { method: 'HEAD' }), await server.fetch(path)];
      expect([path, head.status, await head.text()]).toEqual([path, 200, '']);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
    }
  });
});

describe('malformed requests', () => {
  const raw = (text: string) => sendRaw(server.url, text);
  const host = `Host: ${new URL(server.url).host}\r\nConnection: close\r\n`;

  test.each([
    ['a broken escape in the path', `GET /api/v1/jobs/%ZZ HTTP/1.1\r\n${host}\r\n`],
    ['no request line', `nonsense\r\n\r\n`],
    ['a header without a colon', `GET /api/v1/jobs HTTP/1.1\r\n${host}nonsense\r\n\r\n`],
    ['two lengths', `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'invalid JSON',
      `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{`,
    ],
  ])('%s gets 400 malformed-request', async (_what, request) => {
    const answer = await raw(request);
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: 'https://flowd.org/problems/malformed-request',
      status: 400,
    });
  });

  test.each([
    ['a header of 100 kB', `GET /api/v1/jobs HTTP/1.1\r\n${host}X-Long: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['a header of 4 MB', `GET /api/v1/jobs HTTP/1.1\r\n${host}X-Long: ${'x'.repeat(4_000_000)}\r\n\r\n`],
    ['a path of 100 kB', `GET /api/v1/jobs/${'x'.repeat(100_000)} HTTP/1.1\r\n${host}\r\n`],
  ])('%s gets 431 headers-too-large', async (_what, request) => {
    const answer = await raw(request);
    expect(answer.status).toBe(431);
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: 'https://flowd.org/problems/headers-too-large',
      title: 'Headers Too Large',
      status: 431,
    });
  });

  test('a body over server.body_limit gets 413, with or without a Content-Length', async () => {
    const declared = await raw(
      `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{`,
    );
    expect(declared.status).toBe(413);
    const body = `{"job_id":"${'x'.repeat(20_000)}"}`;
    const chunked = await raw(
      `POST /api/v1/runs HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    expect(chunked.status).toBe(413);
    expect(JSON.parse(chunked.body)).toMatchObject({
      type: 'https://flowd.org/problems/body-too-large',
      status: 413,
      detail: 'The body is larger than 16 KiB. The limit is server.body_limit, but at most 1 MiB for a webhook.',
    });
  });

  test('a request id with special characters is not echoed', async () => {
    const response = await server.fetch('/health', { headers: { 'x-request-id': 'a b"<script>' } });
    expect(response.headers.get('x-request-id')).not.toContain('<');
    const long = await server.fetch('/health', { headers: { 'x-request-id': 'x'.repeat(5_000) } });
    expect(long.headers.get('x-request-id')?.length).toBeLessThan(300);
  });
});

testWith('bwrap')(
  'a run that the engine cannot create gets 500 execution-error, reveals no secrets, and harms nothing',
  async () => {
    shows('errors.execution-error');
    const snapshots = join(server.dataDir, 'snapshots');
    await rename(snapshots, `${snapshots}.away`).catch(() => undefined);
    // Nothing can be created in a folder that was removed, although its mode allows that.
    const removed = await mkdtemp(join(server.root, 'removed-'));
    const holder = spawn('sleep', ['8019'], { cwd: removed });
    onTestFinished(() => void holder.kill());
    await rmdir(removed);
    await symlink(`/proc/${holder.pid}/cwd`, snapshots);
    const response = await server.fetch('/runs', { body: { job_id: 'backup/daily' } });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject(problem('execution-error', 'Execution Error', 500, '/api/v1/runs'));
    expect(text).not.toContain(server.root);
    expect(text).not.toMatch(/\bat .*:\d+:\d+/);
    await rm(snapshots);
    await rename(`${snapshots}.away`, snapshots).catch(() => undefined);
    expect(await server.run('backup/daily')).toMatchObject({ status: 'success' });
  },
);

test('the log of the server has the request under the id in the answer', async () => {
  const response = await server.fetch('/runs', { body: {}, headers: { 'x-request-id': 'find-me-42' } });
  expect(response.headers.get('x-request-id')).toBe('find-me-42');
  await expect.poll(() => server.stderr).toContain('find-me-42');
});
