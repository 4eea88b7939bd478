// Delays of the server are reported, but do not change how a run ends that ended in time.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import type { Store } from '../../src/store/open.ts';
import { bash } from '../support/jobs.ts';
import { fillDisk, testWithDisk } from '../support/small-disk.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';

const told = 'echo ready; until [ -e go ]; do sleep 0.02; done; seq 20000';

testWithDisk(
  'a script that ended in time does not time out, even if its log could only be stored much later',
  async () => {
    const clock = movableClock();
    const [root, logs] = [dataFolder(), dataFolder({ sizeMiB: 1 })];
    const jobs = { told: bash(told, { timeouts: { run: '1h' }, cancel: { grace: '100ms' } }) };
    const opened = await openEngine(root, { jobs, clock, blobsDir: logs });
    const runId = await opened.create('told');
    await expect.poll(() => opened.messages(runId)).toEqual(['ready']);
    const free = fillDisk(logs);
    writeFileSync(join(root, 'data', 'runs', runId, 'workspace', 'go'), '');
    await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain('a run waits until its data can be stored');
    await expect.poll(() => opened.engine.queue().running).toBe(0);
    const { pastDeadline } = opened.store.runs;
    let looks = 0;
    Object.assign(opened.store.runs, {
      async pastDeadline(nowMs: number) {
        const found = await pastDeadline(nowMs);
        if (found.includes(runId)) looks += 1;
        return found;
      },
    });
    clock.forward(2 * 3_600_000);
    await expect.poll(() => looks).toBeGreaterThan(2);
    expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'running' });
    free();
    expect(await opened.finished(runId)).toMatchObject({ status: 'success', error: null });
    expect(await opened.messages(runId)).toHaveLength(10_000);
  },
);

/** Holds back the queries with which the engine begins to resume runs, until the test calls `letGo`. */
function heldResume() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const beforeStart = ({ runs }: Store): void => {
    const { running } = runs;
    Object.assign(runs, { running: (owner: string) => promise.then(() => running(owner)) });
  };
  return { beforeStart, letGo: resolve };
}

test('runs that are requested while the server resumes its runs show afterwards what they wait for', async () => {
  const root = dataFolder();
  const limits = { globalConcurrency: 1 };
  const opened = await openEngine(root, { jobs: { hold: bash('echo held; sleep 8019'), quick: bash('true') }, limits });
  const holder = await opened.create('hold');
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  await opened.close();

  const { beforeStart, letGo } = heldResume();
  const next = await openEngine(root, { limits, beforeStart });
  const early = await Promise.all([next.create('quick'), next.create('quick'), next.create('quick')]);
  for (const runId of early) {
    expect(await next.store.runs.get(runId)).toMatchObject({ waiting: 'the server is starting or stopping' });
  }
  letGo();
  for (const runId of early) await next.when(runId, ({ waiting }) => waiting === '1 of 1 slots are taken');
  await next.engine.cancel(holder, localPrincipal);
  for (const runId of early) expect(await next.finished(runId)).toMatchObject({ status: 'success' });
});

test.each(['reject', 'cancel_running'])(
  'on_conflict: %s also counts running and pending runs that the server has not resumed yet',
  async (on_conflict) => {
    const root = dataFolder();
    const limits = { globalConcurrency: 1 };
    const jobs = {
      hold: bash('echo held; sleep 8021'),
      one: bash('echo held; sleep 8022', { concurrency: { limit: 1, on_conflict } }),
    };
    const opened = await openEngine(root, { jobs, limits });
    const holder = await opened.create('hold');
    await expect.poll(() => opened.messages(holder)).toEqual(['held']);
    const first = await opened.create('one');
    await opened.close();

    const { beforeStart, letGo } = heldResume();
    const next = await openEngine(root, { limits, beforeStart });
    const second = next.create('one').then(
      () => 'created',
      ({ slug }) => slug,
    );
    // Once this run has been created, the creation of the other run has come as far as it can.
    await next.engine.cancel(await next.create('hold'), localPrincipal);
    letGo();
    expect(await second).toBe(on_conflict === 'reject' ? 'concurrency-conflict' : 'created');
    await next.when(first, ({ status }) => status === (on_conflict === 'reject' ? 'pending' : 'cancelled'));
    await next.engine.cancel(holder, localPrincipal);
    await expect.poll(() => next.running()).toHaveLength(1);
    for (const runId of await next.running()) await next.engine.cancel(runId, localPrincipal);
  },
);

test('health reports when resuming the runs of an earlier server takes more than five seconds', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { hold: bash('echo held; sleep 8020') } });
  const holder = await opened.create('hold');
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  await opened.close();

  const clock = movableClock();
  const { beforeStart, letGo } = heldResume();
  const next = await openEngine(root, { clock, beforeStart });
  expect(next.engine.health().queue).toEqual({ status: 'ok' });
  clock.forward(7_000);
  expect(next.engine.health().queue).toEqual({
    status: 'degraded',
    detail: 'no run starts until the runs from before the restart have been resumed',
  });
  letGo();
  await expect.poll(() => next.engine.health().queue).toEqual({ status: 'ok' });
  await next.when(holder, ({ status }) => status === 'running');
  await expect.poll(() => next.engine.cancel(holder, localPrincipal)).toEqual({ status: 'cancelled' });
});
