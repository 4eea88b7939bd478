// API reference, Runs › Create Run: runs that have to wait, say why, and get their turn.

import { expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

test('a waiting run says why it waits and starts later, and a run beyond max_depth gets 429 queue-full', async () => {
  await using small = await startServer({
    jobs: { hold: bash('sleep 60'), quick: bash('true') },
    config: { scheduler: { global_concurrency: 1, queue: { max_depth: 1 } } },
  });
  const holder = await small.start('hold');
  await small.runWhen(holder, (run) => run.status === 'running');
  const waiting = await small.start('quick');
  expect(await small.runWhen(waiting, (run) => run.waiting !== null)).toMatchObject({
    status: 'pending',
    started_at: null,
    waiting: expect.stringMatching(/1 of 1 slots/),
  });
  const refused = await small.fetch('/runs', { body: { job_id: 'quick' } });
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ type: 'https://flowd.org/problems/queue-full' });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await small.json('/health')).toMatchObject({ status: 'degraded' });
  await small.fetch(`/runs/${holder}/cancel`, { method: 'POST' });
  expect(await small.finished(waiting)).toMatchObject({ status: 'success', waiting: null });
});

test('a run that waits longer than timeouts.queue fails with the reason timeout', async () => {
  await using small = await startServer({
    jobs: { hold: bash('sleep 60'), hasty: bash('true', { timeouts: { queue: '300ms' } }) },
    config: { scheduler: { global_concurrency: 1 } },
  });
  const holder = await small.start('hold');
  await small.runWhen(holder, (run) => run.status === 'running');
  expect(await small.finished(await small.start('hasty'))).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    started_at: null,
  });
  await small.fetch(`/runs/${holder}/cancel`, { method: 'POST' });
});

test('job_concurrency delays only runs of the job that has reached it', async () => {
  await using small = await startServer({
    jobs: { hold: bash('sleep 60'), quick: bash('true') },
    config: { scheduler: { job_concurrency: 1 } },
  });
  const first = await small.start('hold');
  await small.runWhen(first, (run) => run.status === 'running');
  const second = await small.start('hold');
  expect(await small.runWhen(second, (run) => run.waiting !== null)).toMatchObject({
    status: 'pending',
    waiting: expect.stringMatching(/only one run of hold at a time/),
  });
  expect(await small.run('quick')).toMatchObject({ status: 'success' });
  for (const runId of [second, first]) await small.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
});
