import { expect, test } from 'vitest';
import { startServing } from './serving.ts';

test('every answer of the API says what is left; past the limit it is 429 until the window is over', async () => {
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
  expect(await refused.json()).toMatchObject({ type: 'https://flowd.org/problems/rate-limited', status: 429 });
  expect((await server.fetch('//healthz')).status).toBe(204);
});

test('the window starts anew', async () => {
  await using server = await startServing({ rateLimit: { limit: 1, windowMs: 300 } });
  const status = async () => (await server.fetch('/jobs')).status;
  await expect.poll(status, { interval: 5 }).toBe(429);
  await expect.poll(status).toBe(200);
});

test('each caller has a limit of its own: one that is used up keeps nobody else out', async () => {
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
