// API reference, System › Get System Info.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, inject } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: { slow: bash('sleep 60') },
  config: {
    sources: [
      { name: 'local-fs', type: 'fs', path: 'jobs' },
      { name: 'ops', type: 'fs', path: 'jobs', mountPath: 'ops' },
    ],
    scheduler: { global_concurrency: 3, queue: { max_depth: 50 } },
    server: { body_limit: '2MiB', sync_wait: '45s' },
  },
});
afterAll(() => server.close());

const means = /^(cgroup-v1|cgroup-v2|rlimit|none)$/;
const areChecks = (checks: readonly Record<string, unknown>[]) =>
  checks.length > 10 &&
  checks.every(({ name, status, detail }) => name && detail && ['ok', 'warn', 'fail'].includes(String(status))) &&
  // Host checks reveal no path of the host.
  !JSON.stringify(checks).includes('"/') &&
  ['bubblewrap', 'seccomp', 'profile secure'].every((name) => checks.some((check) => check.name === name));
const detailOrNull = expect.toSatisfy((detail) => detail === null || typeof detail === 'string');

test('the answer has the fields of the reference, and those of this implementation', async () => {
  shows(
    'system.info',
    'system.info.version',
    'system.info.sources',
    'system.info.sources.name',
    'system.info.sources.type',
    'system.info.sources.path',
    'system.info.extensions',
  );
  const response = await server.fetch('/system/info');
  expect(response.status).toBe(200);
  const { version } = JSON.parse(await readFile(join(inject('packageDir'), 'package.json'), 'utf8'));
  expect(await response.json()).toEqual({
    name: 'flwd',
    version,
    timezone: expect.any(String),
    sources: [
      { name: 'local-fs', type: 'fs', path: join(server.root, 'jobs'), trusted: true },
      { name: 'ops', type: 'fs', path: join(server.root, 'jobs'), trusted: true },
    ],
    extensions: ['tui', 'mcp'],
    caller: { name: 'local', scopes: expect.arrayContaining(['admin']), tenant: '*' },
    storage: { database: 'sqlite', blobs: 'file' },
    queue: { depth: 0, running: 0, limits: { global_concurrency: 3, job_concurrency: null, max_depth: 50 } },
    executors: {
      proc: { available: true, detail: null },
      container: { available: false, detail: expect.any(String) },
    },
    isolation: {
      secure: { available: true, detail: null },
      permissive: { available: true, detail: null },
      disabled: { available: true, detail: null },
    },
    host: { checks: expect.toSatisfy(areChecks) },
    limits: {
      body_bytes: 2_097_152,
      sync_wait: '45s',
      run: {
        cpu: { by: expect.stringMatching(means), detail: detailOrNull },
        memory: { by: expect.stringMatching(means), detail: detailOrNull },
        pids: { by: expect.stringMatching(means), detail: detailOrNull },
        workspace: { by: 'polling', detail: expect.any(String) },
      },
    },
    workers: [{ id: expect.any(String), host: expect.any(String), running: 0 }],
  });
});

test('an instance with all extensions switched off lists no extension', async () => {
  const bare = await startServer({ config: { extensions: { enabled: [] } } });
  try {
    expect(await bare.json('/system/info')).toMatchObject({ extensions: [] });
  } finally {
    await bare.close();
  }
});

test('the queue counts running and waiting runs', async () => {
  const runs = await Promise.all([1, 2, 3, 4, 5].map(() => server.start('slow')));
  await expect
    .poll(() => server.json('/system/info'))
    .toMatchObject({ queue: { depth: 2, running: 3 }, workers: [{ running: 3 }] });
  for (const runId of runs.toReversed()) await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  await expect.poll(() => server.json('/system/info')).toMatchObject({ queue: { depth: 0, running: 0 } });
});
