// Waiting runs: how many there may be, how long they may wait, and what they say.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { caller, dataFolder, type Opened, openEngine } from './an-engine.ts';

const jobs = {
  hold: bash('echo held; sleep 8003'),
  quick: bash('true'),
  hasty: bash('true', { timeouts: { queue: '300ms' } }),
};

async function fullHouse(maxDepth: number | null = null): Promise<Opened & { holder: string }> {
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 1, maxDepth } });
  const holder = await opened.create('hold');
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  return { ...opened, holder };
}

test('at most max_depth runs wait, however many are requested at once', async () => {
  const { create, engine, holder, store } = await fullHouse(3);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => create('quick')));
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(17);
  expect(refused[0]).toMatchObject({
    reason: {
      slug: 'queue-full',
      message: '3 runs wait already; scheduler.queue.max_depth is 3.',
      members: { retry_after: 5 },
    },
  });
  expect(await store.runs.counts()).toEqual({ pending: 3, running: 1 });
  await engine.cancel(holder, localPrincipal);
});

test('a place in the queue is free again when the run is not created', async () => {
  const { create, engine, holder, store } = await fullHouse(1);
  const { transact } = store.db;
  Object.assign(store.db, { transact: () => Promise.reject(new Error('refused')) });
  await expect(create('quick')).rejects.toMatchObject({ slug: 'execution-error' });
  Object.assign(store.db, { transact });
  expect(await create('quick')).toMatch(/^run_/);
  await engine.cancel(holder, localPrincipal);
});

test('a plan says that the queue is full, unless the run would start at once', async () => {
  const { create, engine, finished, holder } = await fullHouse(1);
  const plan = () => engine.plan({ job_id: 'quick' }, caller);
  expect(await plan()).toMatchObject({ waiting: '1 of 1 slots are taken', denied: null });
  const waiting = await create('quick');
  expect(await plan()).toMatchObject({
    waiting: '1 of 1 slots are taken',
    denied: {
      type: 'https://flowd.org/problems/queue-full',
      detail: '1 run waits already; scheduler.queue.max_depth is 1.',
    },
  });
  await engine.cancel(holder, localPrincipal);
  await finished(waiting);
  await expect.poll(plan).toMatchObject({ waiting: null, denied: null });
});

test('a run that has to wait from the start says so in its events', async () => {
  const { create, engine, holder, store } = await fullHouse();
  const runId = await create('quick');
  const entries = await store.journal.read({ afterId: 0, runId, limit: 10 });
  expect(entries).toMatchObject([
    { type: 'run.created', data: { status: 'pending' } },
    { type: 'run.waiting', data: { status: 'pending', message: '1 of 1 slots are taken' } },
  ]);
  await engine.cancel(holder, localPrincipal);
});

test('timeouts.queue is enforced behind hundreds of older runs that may wait longer', async () => {
  const { create, finished, store } = await fullHouse();
  await Promise.all(Array.from({ length: 250 }, () => create('quick')));
  expect(await finished(await create('hasty'))).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    started_at: null,
    error: { message: 'waited longer than timeouts.queue of 300ms' },
  });
  expect((await store.runs.counts()).pending).toBe(250);
});
