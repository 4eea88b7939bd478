import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

test('health lists every check of the server', async () => {
  const response = await server.fetch('/health');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    status: expect.stringMatching(/^(healthy|degraded)$/),
    version: '1.2.3',
    uptime_seconds: expect.any(Number),
    checks: expect.objectContaining({ database: { status: 'ok' }, sources: { status: 'ok' } }),
    caller: { name: 'local', scopes: expect.arrayContaining(['runs:approve', 'admin']), tenant: '*' },
  });
});

test('health says how much space is free and how many jobs are invalid, and stays healthy', async () => {
  await using other = await startServing({ jobs: { broken: { 'config.yaml': 'command: [' } } });
  const health = await other.fetch('/health');
  expect(await health.json()).toMatchObject({
    checks: {
      disk: { status: 'ok', detail: expect.stringMatching(/^[\d.]+ \w+ free$/) },
      sources: { status: 'ok', detail: '1 invalid job' },
    },
  });
});

test('health names missing secrets of job files only, and only to a caller who may start runs', async () => {
  const needs = (secret: string) => ({ env: { KEY: { secret } } });
  await using other = await startServing({
    jobs: {
      nightly: bash('true', { ...needs('pg-key'), schedules: [{ cron: '30 2 * * *' }] }),
      byhand: bash('true', needs('other-key')),
    },
  });
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const schedule = { job_id: 'byhand', cron: '0 5 * * *', tenant: 'acme' };
  expect((await other.fetch('/schedules', { ...json, body: JSON.stringify(schedule) })).status).toBe(201);
  const secretsFor = async (headers: Record<string, string>): Promise<unknown> => {
    const health: { checks: Record<string, unknown> } = JSON.parse(
      await (await other.fetch('/health', { headers })).text(),
    );
    return health.checks.secrets;
  };
  const starter = await other.token({ scopes: ['runs:write'], tenant: '*' });
  const detail = 'runs of schedules, triggers or webhooks need secrets that are not stored: pg-key';
  await expect.poll(() => secretsFor(starter.headers)).toEqual({ status: 'degraded', detail });
  const monitor = await other.token({ scopes: ['metrics:read'], tenant: '*' });
  expect(await secretsFor(monitor.headers)).toEqual({ status: 'degraded' });
  await other.fetch('/secrets/pg-key', { ...json, method: 'PUT', body: '{"value":"hunter-22"}' });
  await expect.poll(() => secretsFor(starter.headers), { timeout: 10_000 }).toEqual({ status: 'ok' });
});

test('the uptime does not depend on the system clock', async () => {
  let aheadMs = 0;
  const other = await startServing({ clock: { now: () => Date.now() + aheadMs } });
  onTestFinished(() => other.close());
  aheadMs = 86_400_000;
  const response = await other.fetch('/health');
  expect(await response.json()).toMatchObject({ uptime_seconds: expect.toSatisfy((seconds) => seconds < 3_600) });
});

test('an instance that cannot write is unhealthy, and its probes say so', async () => {
  const { failure } = server.store.db;
  Object.assign(server.store.db, { failure: () => 'the disk is full' });
  const health = await server.fetch('/health');
  const probes = [await server.fetch('//healthz'), await server.fetch('//readyz')];
  Object.assign(server.store.db, { failure });
  expect([health.status, await health.json()]).toMatchObject([
    503,
    {
      status: 'unhealthy',
      checks: { database: { status: 'failing', detail: 'the disk is full' } },
      caller: { name: 'local', tenant: '*' },
    },
  ]);
  for (const probe of probes) {
    expect(probe.status).toBe(503);
    expect(await probe.json()).toMatchObject({ type: 'https://flowd.org/problems/not-ready' });
  }
});

test('the probes are 204 when all is well', async () => {
  for (const path of ['//healthz', '//readyz']) {
    const response = await server.fetch(path);
    expect([response.status, await response.text()]).toEqual([204, '']);
  }
});

test('health tells every caller what it may do, even without any scope', async () => {
  await using guarded = await startServing({ authMode: 'required' });
  const callerOf = async (headers: Record<string, string>): Promise<unknown> => {
    const health: { caller: unknown } = JSON.parse(await (await guarded.fetch('/health', { headers })).text());
    return health.caller;
  };
  const { name, headers } = await guarded.token({ scopes: ['runs:read'], tenant: 'acme' });
  expect(await callerOf(headers)).toEqual({ name, scopes: ['runs:read'], tenant: 'acme' });
  expect(await callerOf({})).toEqual({ name: 'anonymous', scopes: [], tenant: '' });
});

test('only an admin of all tenants sees the folders of sources', async () => {
  const folders = async (token: Parameters<typeof server.token>[0]): Promise<unknown> => {
    const { headers } = await server.token(token);
    const info: { sources: unknown } = JSON.parse(await (await server.fetch('/system/info', { headers })).text());
    return info.sources;
  };
  expect(await folders({ scopes: ['admin'], tenant: '*' })).toEqual([
    { name: 'local-fs', type: 'fs', path: join(server.root, 'jobs'), trusted: true },
  ]);
  for (const token of [
    { scopes: ['admin'], tenant: 'acme' },
    { scopes: ['jobs:read', 'runs:write'], tenant: '*' },
  ] as const) {
    expect(await folders(token)).toEqual([{ name: 'local-fs', type: 'fs', trusted: true }]);
  }
});

test('system information has the full paths of sources', async () => {
  const text = await (await server.fetch('/system/info')).text();
  expect(JSON.parse(text)).toEqual({
    version: '1.2.3',
    timezone: 'UTC',
    sources: [{ name: 'local-fs', type: 'fs', path: join(server.root, 'jobs'), trusted: true }],
    name: 'examples',
    extensions: ['mcp'],
    caller: { name: 'local', scopes: expect.arrayContaining(['runs:approve', 'admin']), tenant: '*' },
    storage: { database: 'sqlite', blobs: 'file' },
    queue: {
      depth: 0,
      running: 0,
      limits: { global_concurrency: 4, job_concurrency: null, max_depth: null },
    },
    executors: {
      proc: expect.objectContaining({ available: expect.any(Boolean) }),
      container: { available: false, detail: expect.any(String) },
    },
    isolation: {
      secure: expect.objectContaining({ available: expect.any(Boolean) }),
      permissive: expect.objectContaining({ available: expect.any(Boolean) }),
      disabled: expect.objectContaining({ available: expect.any(Boolean) }),
    },
    host: { checks: [{ name: 'seccomp', status: 'ok', detail: 'system calls can be filtered', fix: null }] },
    limits: {
      body_bytes: 65_536,
      sync_wait: '1m',
      run: {
        cpu: { by: 'none', detail: 'not in this test' },
        memory: { by: 'none', detail: 'not in this test' },
        pids: { by: 'none', detail: 'not in this test' },
        workspace: {
          by: 'polling',
          detail: 'the workspace is measured from time to time, so it may grow past its limit',
        },
      },
    },
    workers: [{ id: expect.any(String), host: expect.any(String), running: 0 }],
  });
  expect(text.replace(join(server.root, 'jobs'), '')).not.toContain(server.root);
});

test('the list of workers has one entry, which is the server itself', async () => {
  expect(await (await server.fetch('/workers')).json()).toEqual({
    workers: [
      {
        id: expect.any(String),
        host: expect.any(String),
        version: '1.2.3',
        labels: {},
        concurrency: expect.any(Number),
        running: 0,
        seen_at: expect.stringMatching(/^20\d\d-.*Z$/),
      },
    ],
  });
});

test('storage information says what is stored, to callers who may see the whole instance', async () => {
  const run = await server.addRun();
  await server.addArtifact(run, { name: 'a.txt', content: 'twelve bytes' });
  expect(await (await server.fetch('/health/storage')).json()).toEqual({
    ok: true,
    driver: 'sqlite',
    schema_version: expect.any(Number),
    bytes_used: expect.any(Number),
    max_bytes: 0,
    eviction_active: false,
    log_bytes: expect.any(Number),
    retention: {
      runs: null,
      logs: null,
      artifacts: null,
      workspaces: null,
      snapshots: null,
      events: null,
      audit: null,
      stats: null,
    },
    artifacts: { count: 1, bytes: 12, quota_soft_bytes: null, quota_hard_bytes: 2 ** 30 },
  });
  const ofOneTenant = await server.token({ scopes: ['metrics:read'] });
  expect((await server.fetch('/health/storage', { headers: ofOneTenant.headers })).status).toBe(403);

  const { failure } = server.store.db;
  Object.assign(server.store.db, { failure: () => 'the disk is full' });
  const broken = await server.fetch('/health/storage');
  Object.assign(server.store.db, { failure });
  expect([broken.status, await broken.json()]).toMatchObject([
    503,
    { type: 'https://flowd.org/problems/not-ready', detail: 'Nothing can be stored: the disk is full.' },
  ]);
});

test('health is degraded while artifacts take more than their soft quota', async () => {
  await using other = await startServing({ quotaSoftBytes: 10 });
  const artifactsOf = async () => JSON.parse(await (await other.fetch('/health')).text()).checks.artifacts;
  expect(await artifactsOf()).toEqual({ status: 'ok' });
  await other.addArtifact(await other.addRun(), { name: 'a.txt', content: 'twelve bytes' });
  expect(await artifactsOf()).toEqual({
    status: 'degraded',
    detail: 'artifacts take 12 B, more than persistence.artifacts.quota_soft, 10 B',
  });
});

test('/docs is a page without scripts and without anything from other hosts', async () => {
  const response = await server.fetch('//docs');
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  const html = await response.text();
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).not.toMatch(/<script|https?:\/\/(?!flowd\.org\/problems\/)/);
});

test('/docs lists every operation, every parameter and every problem', async () => {
  const html = await (await server.fetch('//docs')).text();
  for (const text of [
    'POST /api/v1/runs/{run_id}/cancel',
    'POST /hooks/{token}',
    'Idempotency-Key',
    'next_cursor',
    'events-expired',
  ]) {
    expect(html).toContain(text);
  }
});
