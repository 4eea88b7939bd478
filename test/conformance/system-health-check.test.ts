// API reference, System › Health Check. Also tests /healthz, /readyz, and how the server starts and ends.

import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { afterAll, expect, inject, test as plainTest } from 'vitest';
import { expectWithin, msOf } from '../support/goes.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { spawnFlwd, startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const startedAfterMs = Date.now();
const server = await startServer({ jobs: { slow: bash('echo started; sleep 60'), quick: bash('true') } });
afterAll(() => server.close());

test('a healthy instance answers with the fields of the reference', async () => {
  shows('health.get', 'health.get.status', 'health.get.version');
  const response = await server.fetch('/health');
  expect(response.status).toBe(200);
  const { version } = JSON.parse(await readFile(join(inject('packageDir'), 'package.json'), 'utf8'));
  const health: { checks: Record<string, { status: string }> } = JSON.parse(await response.text());
  expect(health).toMatchObject({ status: 'healthy', version, uptime_seconds: expect.any(Number) });
  expect(new Set(Object.values(health.checks).map(({ status }) => status))).toEqual(new Set(['ok']));
});

test('uptime_seconds is a growing whole number of seconds since the start', async () => {
  shows('health.get.uptime_seconds');
  const uptime = async () => (await server.json<{ uptime_seconds: number }>('/health')).uptime_seconds;
  const first = await uptime();
  expect(Number.isInteger(first)).toBe(true);
  expect(first).toBeLessThanOrEqual((Date.now() - startedAfterMs) / 1_000);
  await expect.poll(uptime).toBeGreaterThan(first);
});

plainTest.each(['//healthz', '//readyz'])('%s is 204 without a body', async (path) => {
  const response = await server.fetch(path);
  expect([response.status, await response.text()]).toEqual([204, '']);
});

plainTest('the data dir is private, and one line of stdout says where the server listens', async () => {
  expect((await stat(server.dataDir)).mode & 0o777).toBe(0o700);
  expect(server.stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(server.stdout).toContain(server.url);
});

test('without bubblewrap the instance is degraded, says what to install, and refuses only runs', async () => {
  await using bare = await startServer({ jobs: { quick: bash('true') }, env: { PATH: await pathWithout('bwrap') } });
  const response = await bare.fetch('/health');
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ status: 'degraded' });
  expect((await bare.fetch('//readyz')).status).toBe(204);
  expect((await bare.fetch('/jobs')).status).toBe(200);
  const refused = await bare.fetch('/runs', { body: { job_id: 'quick' } });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    type: 'https://flowd.org/problems/isolation-unavailable',
    detail: expect.stringMatching(/bubblewrap/),
  });
  expect(await bare.json('/system/info')).toMatchObject({
    isolation: { secure: { available: false, detail: expect.stringMatching(/bubblewrap/) } },
  });
});

test('SIGTERM ends the server with exit code 0 within 5 s, even with open streams, and the next server resumes a running job', async () => {
  await using busy = await startServer({ jobs: { slow: bash('echo started; sleep 60') } });
  const runId = await busy.start('slow');
  await expect.poll(() => busy.messages(runId)).toEqual(['started']);
  await expectWithin(5_000, async () => {
    const stream = await busy.fetch('/events/runs');
    const reading = stream.text().catch(() => '');
    const tookMs = await msOf(async () => expect(await busy.stop('SIGTERM')).toBe(0));
    await reading;
    await busy.startAgain();
    return tookMs;
  });
  expect(await busy.json(`/runs/${runId}`)).toMatchObject({ status: 'running' });
  expect(await (await busy.fetch(`/runs/${runId}/cancel`, { method: 'POST' })).json()).toMatchObject({
    status: 'cancelled',
  });
});

plainTest('a second server on the same data dir refuses to start, and the first goes on', async () => {
  const second = spawnFlwd(['serve', '--config', join(server.root, 'flwd.yaml')], server.root);
  let said = '';
  second.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(second, 'close');
  expect(code).not.toBe(0);
  expect(said).toMatch(/data dir|already/i);
  expect((await server.fetch('/health')).status).toBe(200);
});

plainTest('a client that connects and says nothing does not keep the server from ending', async () => {
  await using other = await startServer();
  const { hostname, port } = new URL(other.url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  expect(await other.stop('SIGTERM')).toBe(0);
  socket.destroy();
});

/** A PATH with all programs of this host except one. */
async function pathWithout(program: string): Promise<string> {
  const folder = join(server.root, `without-${program}`);
  await mkdir(folder);
  for (const dir of (process.env.PATH ?? '').split(delimiter).toReversed()) {
    for (const name of await readdir(dir).catch(() => [])) {
      if (name === program) continue;
      await symlink(join(dir, name), join(folder, name)).catch(() => undefined);
    }
  }
  return folder;
}
