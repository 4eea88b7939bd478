// API reference, Runs › Create Run: the same request twice, with the same Idempotency-Key, makes one run.

import { afterAll, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

const server = await startServer({ jobs: { quick: bash('true'), slow: bash('sleep 60') } });
afterAll(() => server.close());

const keyed = (key: string, body: unknown) => server.fetch('/runs', { body, headers: { 'idempotency-key': key } });

test('requests with the same key and body make one run, and all get its answer', async () => {
  const first = await keyed('deploy-1', { job_id: 'quick', labels: { key: 'deploy-1' } });
  const second = await keyed('deploy-1', { job_id: 'quick', labels: { key: 'deploy-1' } });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(first.headers.get('idempotent-replay')).toBeNull();
  expect(second.headers.get('idempotent-replay')).toBe('true');
  expect(await second.text()).toBe(await first.text());
  expect(await server.json('/runs?label=key=deploy-1')).toMatchObject({ total: 1 });
});

test('ten requests at once with one key make one run', async () => {
  const all = await Promise.all(
    Array.from({ length: 10 }, () => keyed('burst', { job_id: 'quick', labels: { key: 'burst' } })),
  );
  expect(new Set(all.map((response) => response.status))).toSatisfy((seen: Set<number>) =>
    [...seen].every((status) => status === 201 || status === 409),
  );
  expect(await server.json('/runs?label=key=burst')).toMatchObject({ total: 1 });
});

test('the same key with another body is a conflict', async () => {
  await keyed('deploy-2', { job_id: 'quick' });
  const response = await keyed('deploy-2', { job_id: 'quick', labels: { other: 'body' } });
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/idempotency-conflict', status: 409 });
});

test('while the first request is in progress, a second one with its key gets an error', async () => {
  const first = keyed('deploy-3', { job_id: 'slow', async: false, labels: { key: 'deploy-3' } });
  await expect.poll(() => server.json('/runs?label=key=deploy-3')).toMatchObject({ total: 1 });
  const second = await keyed('deploy-3', { job_id: 'slow', async: false, labels: { key: 'deploy-3' } });
  expect(second.status).toBe(409);
  expect(second.headers.get('retry-after')).toBe('1');
  expect(await second.json()).toMatchObject({ type: 'https://flowd.org/problems/idempotency-in-flight', status: 409 });
  const { runs } = await server.json<{ runs: { run_id: string }[] }>('/runs?label=key=deploy-3');
  expect((await server.fetch(`/runs/${runs[0]?.run_id}/cancel`, { method: 'POST' })).status).toBe(200);
  expect(await (await first).json()).toMatchObject({ status: 'cancelled' });
});

test('each tenant has its own keys', async () => {
  const first = await keyed('deploy-4', { job_id: 'quick', tenant: 'acme' });
  const second = await keyed('deploy-4', { job_id: 'quick', tenant: 'globex' });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.headers.get('idempotent-replay')).toBeNull();
});

test('a refused request does not use up its key', async () => {
  expect((await keyed('deploy-5', { job_id: 'quick', labels: 1 })).status).toBe(400);
  expect((await keyed('deploy-5', { job_id: 'quick' })).status).toBe(201);
});

test('a rerun may have a key too: repeating it makes no second run', async () => {
  const made = await keyed('rerun-0', { job_id: 'quick', async: false, labels: { of: 'rerun' } });
  const { run_id: runId } = JSON.parse(await made.text());
  const again = (key: string, body: unknown = {}) =>
    server.fetch(`/runs/${runId}/rerun`, { body, headers: { 'idempotency-key': key } });
  const first = await again('rerun-1');
  const second = await again('rerun-1');
  expect([first.status, second.status]).toEqual([201, 201]);
  expect([first, second].map(({ headers }) => headers.get('idempotent-replay'))).toEqual([null, 'true']);
  expect(second.headers.get('location')).toBe(first.headers.get('location'));
  expect(await second.text()).toBe(await first.text());
  expect((await again('rerun-1', { revision: 'latest' })).status).toBe(409);
  // A run and a rerun with the same key are different requests.
  expect((await keyed('rerun-1', { job_id: 'quick' })).status).toBe(409);
  expect((await again('')).status).toBe(400);
  expect(await server.json('/runs?label=of=rerun')).toMatchObject({ total: 2 });
});

test.each(['', 'x'.repeat(256), 'tab\tinside'])('%j is not a valid key', async (key) => {
  expect((await keyed(key, { job_id: 'quick' })).status).toBe(400);
});

test('a key survives a SIGKILL of the server', async () => {
  const first = await (await keyed('deploy-6', { job_id: 'quick' })).text();
  await server.stop('SIGKILL');
  await server.startAgain();
  const second = await keyed('deploy-6', { job_id: 'quick' });
  expect(second.headers.get('idempotent-replay')).toBe('true');
  expect(await second.text()).toBe(first);
});
