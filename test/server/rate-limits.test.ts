import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

test('every API answer says how many requests are left, and past the limit the answer is 429 until the window ends', async () => {
  await using server = await startServing({ rateLimit: { limit: 5, windowMs: 60_000 } });
  const run = await server.addRun();
  await run.move('claim');
  await run.finish();
  const paths = ['/jobs', '/runs?limit=0', '/nowhere', `/runs/${run.id}/logs?follow=true`, '/health'];
  for (const [at, path] of paths.entries()) {
    const { headers } = await server.fetch(path);
    expect(headers.get('x-ratelimit-limit')).toBe('5');
    expect(headers.get('x-ratelimit-remaining')).toBe(String(4 - at));
    const resetInMs = Number(headers.get('x-ratelimit-reset')) * 1000 - Date.now();
    expect(resetInMs).toBeGreaterThan(30_000);
    expect(resetInMs).toBeLessThanOrEqual(61_000);
  }
  const refused = await server.fetch('/jobs');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
  expect(await refused.json()).toMatchObject({
    type: 'https://flowd.org/problems/rate-limited',
    status: 429,
    detail: 'There were more than 5 requests in a minute; try again later.',
  });
  expect((await server.fetch('//healthz')).status).toBe(204);
});

test('after the window a new one starts', async () => {
  await using server = await startServing({ rateLimit: { limit: 1, windowMs: 300 } });
  const status = async () => (await server.fetch('/jobs')).status;
  await expect.poll(status, { interval: 5 }).toBe(429);
  await expect.poll(status).toBe(200);
});

test('each caller has a limit of its own', async () => {
  await using server = await startServing({ rateLimit: { limit: 2, windowMs: 60_000 } });
  const one = await server.token({ name: 'one' });
  const other = await server.token({ name: 'other' });
  const asked = async (headers: Readonly<Record<string, string>>) => (await server.fetch('/jobs', { headers })).status;
  expect([await asked(one.headers), await asked(one.headers), await asked(one.headers)]).toEqual([200, 200, 429]);
  expect(await asked({ authorization: 'Bearer flwd_x' })).toBe(401);
  expect(await asked({ via: '1.1 proxy' })).toBe(401);
  expect(await asked({ via: '1.1 proxy' })).toBe(429);
  expect(await asked(other.headers)).toBe(200);
  expect(await asked({})).toBe(200);
});

test('unknown callers are limited by address, which does not affect other callers', async () => {
  await using server = await startServing({ rateLimit: { limit: 2, windowMs: 60_000 } });
  const foreign = { headers: { origin: 'https://evil.example' } };
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await server.fetch('/health', foreign)).status);
  expect(statuses).toEqual([403, 403, 429, 429]);
  expect((await server.fetch('/health')).status).toBe(200);
});

test('the rate limit of a profile other than the default limits the runs that start in that profile', async () => {
  const permissive = { rateLimit: { limit: 2, windowMs: 60_000 } };
  await using server = await startServing({
    jobs: { open: bash('true', { security_profile: 'permissive' }), closed: bash('true') },
    profiles: { permissive },
    executes: true,
  });
  const start = (body: object, key = '') =>
    server.post('/runs', { async: false, ...body }, key === '' ? {} : { 'idempotency-key': key });

  const first = await start({ job_id: 'open' }, 'k');
  expect(first.status).toBe(201);
  const { run_id: runId }: { run_id: string } = JSON.parse(await first.text());
  // Replays, refused requests and runs in other profiles do not count towards the limit.
  expect((await start({ job_id: 'open' }, 'k')).headers.get('idempotent-replay')).toBe('true');
  expect((await start({ job_id: 'open', security_profile: 'disabled' })).status).toBe(422);
  expect((await start({ job_id: 'open', security_profile: 'secure' })).status).toBe(201);
  expect((await server.post(`/runs/${runId}/rerun`, {})).status).toBe(201);
  for (const refused of [await start({ job_id: 'open' }), await server.post(`/runs/${runId}/rerun`, {})]) {
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining("runs of the profile 'permissive'") });
  }
  expect((await start({ job_id: 'closed' })).status).toBe(201);
});

test('a caller may open a limited number of streams, and another one once it has closed one', async () => {
  await using server = await startServing();
  const { headers } = await server.token({ scopes: ['runs:read'] });
  const open: AbortController[] = [];
  const follow = async () => {
    const controller = new AbortController();
    open.push(controller);
    return server.fetch('/events/runs', { headers, signal: controller.signal });
  };
  const opened = await Promise.all(Array.from({ length: 100 }, follow));
  expect(opened.every(({ status }) => status === 200)).toBe(true);
  const refused = await follow();
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('This caller has 100 streams open') });
  const others = new AbortController();
  open.push(others);
  expect((await server.fetch('/events/runs', { signal: others.signal })).status).toBe(200);

  open[0]?.abort();
  await expect.poll(async () => (await follow()).status).toBe(200);
  for (const controller of open) controller.abort();
});
