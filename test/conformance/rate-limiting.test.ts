// API reference, Rate Limiting.

import { afterAll, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const plain = await startServer();
afterAll(() => plain.close());

const limited = (limit: number, window: string) =>
  startServer({
    jobs: { quick: bash('true') },
    config: { security: { profiles: { secure: { rate_limit: { limit, window } } } } },
  });

const headers = (response: Response) => ({
  limit: Number(response.headers.get('x-ratelimit-limit')),
  remaining: Number(response.headers.get('x-ratelimit-remaining')),
  reset: Number(response.headers.get('x-ratelimit-reset')),
});

test('every API answer has the limit, the remaining requests, and the reset time in epoch seconds', async () => {
  shows('rate.limit', 'rate.remaining', 'rate.reset');
  for (const path of ['/jobs', '/health', '/runs/run_01HX', '/runs?limit=0', '/nothing']) {
    const before = Date.now() / 1000;
    const response = await plain.fetch(path);
    const after = Date.now() / 1000;
    const { limit, remaining, reset } = headers(response);
    expect([path, limit]).toEqual([path, 1000]);
    expect(remaining).toBeGreaterThan(900);
    expect(remaining).toBeLessThan(1000);
    expect(Number.isInteger(reset)).toBe(true);
    expect(reset).toBeGreaterThan(before - 1);
    expect(reset).toBeLessThan(after + 3);
  }
});

test('the remaining requests count down, and above the limit the answer is 429 rate-limited with Retry-After', async () => {
  shows('rate.configured');
  await using server = await limited(5, '1m');
  const answers: Response[] = [];
  for (let i = 0; i < 7; i++) answers.push(await server.fetch('/jobs'));
  expect(answers.map((response) => response.status)).toEqual([200, 200, 200, 200, 200, 429, 429]);
  expect(answers.map((response) => headers(response).remaining)).toEqual([4, 3, 2, 1, 0, 0, 0]);
  const refused = answers[6];
  expect(refused?.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(30);
  expect(Number(refused?.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  expect(refused && headers(refused).limit).toBe(5);
  expect(await refused?.json()).toMatchObject({
    type: 'https://flowd.org/problems/rate-limited',
    title: 'Rate Limited',
    status: 429,
    instance: '/api/v1/jobs',
  });
});

test('all operations share the limit, and probes do not count', async () => {
  await using server = await limited(3, '1m');
  const statuses: number[] = [];
  for (const path of ['/jobs', '/runs', '/nothing', '/system/info']) statuses.push((await server.fetch(path)).status);
  expect(statuses).toEqual([200, 200, 404, 429]);
  expect((await server.fetch('/runs', { body: { job_id: 'quick' } })).status).toBe(429);
  for (let i = 0; i < 5; i++) expect((await server.fetch('//healthz')).status).toBe(204);
});

test('after the window requests are accepted again', async () => {
  await using server = await limited(2, '1s');
  await expect.poll(async () => (await server.fetch('/jobs')).status).toBe(429);
  await expect.poll(async () => (await server.fetch('/jobs')).status).toBe(200);
});

test('of many requests at once, exactly as many as the limit are accepted', async () => {
  await using server = await limited(20, '1m');
  const answers = await Promise.all(Array.from({ length: 60 }, () => server.fetch('/jobs')));
  expect(answers.filter((response) => response.status === 200)).toHaveLength(20);
});
