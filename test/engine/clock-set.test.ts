// The wall clock is set forward and back while runs are running. Only the time that passes counts.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { openOwnerId } from '../../src/instance/owner-id.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';
import { byId, script, steps } from './step-jobs.ts';

const hourMs = 3_600_000;
const untilGo = 'echo held; until [ -e go ]; do sleep 0.02; done';
const ofStep = { steps: [script('work', { timeout: '10m' })] };

test.each([2 * hourMs, -24 * hourMs])(
  'a clock set by %d ms ends no run, step or wait too early or too late',
  async (setMs) => {
    const clock = movableClock();
    const jobs = {
      ofRun: bash(untilGo, { timeouts: { run: '10m' } }),
      ofStep: steps(ofStep, { work: untilGo }),
      ofQueue: bash('true', { timeouts: { queue: '5m' } }),
    };
    const { create, finished, log, messages, store } = await openEngine(dataFolder(), {
      jobs,
      clock,
      limits: { globalConcurrency: 2 },
    });
    const running = [await create('ofRun'), await create('ofStep')];
    for (const runId of running) await expect.poll(() => messages(runId)).toEqual(['held']);
    const waiting = await create('ofQueue');

    clock.setBy(setMs);
    const said = () => log.filter(({ msg }) => msg === 'the clock was set; the deadlines of runs move with it');
    await expect.poll(said).toMatchObject([{ by_ms: expect.closeTo(setMs, -2) }]);
    // The deadlines in the database are moved slightly after this is logged.
    const nowMs = clock.now();
    const isLeft = (atMs: number | null) => Number(atMs) > nowMs + 4 * 60_000 && Number(atMs) <= nowMs + 5 * 60_000;
    await expect.poll(() => store.runs.nextDeadline(nowMs)).toSatisfy(isLeft);
    expect(await store.runs.pastDeadline(clock.now())).toEqual([]);
    for (const runId of [...running, waiting]) expect((await store.runs.summary(runId))?.finished_at).toBeNull();

    clock.forward(6 * 60_000);
    expect(await finished(waiting)).toMatchObject({ status: 'failed', reason: 'timeout' });
    for (const runId of running) expect((await store.runs.summary(runId))?.finished_at).toBeNull();
    clock.forward(5 * 60_000);
    for (const runId of running) expect(await finished(runId)).toMatchObject({ status: 'failed', reason: 'timeout' });
  },
);

test('the duration of a run is the time that passed, however the clock was set meanwhile', async () => {
  const clock = movableClock();
  const jobs = { told: steps(ofStep, { work: untilGo }) };
  const { create, finished, messages, engine } = await openEngine(dataFolder(), { jobs, clock });
  const runId = await create('told');
  await expect.poll(() => messages(runId)).toEqual(['held']);
  clock.setBy(-24 * hourMs);
  clock.forward(60_000);
  await engine.cancel(runId, localPrincipal);
  const run = await finished(runId);
  const tookMs = Date.parse(run.finished_at ?? '') - Date.parse(run.started_at ?? '');
  expect(tookMs).toBeGreaterThanOrEqual(60_000);
  expect(tookMs).toBeLessThan(90_000);
  const { started_at, finished_at } = byId(run).work ?? {};
  expect(Date.parse(finished_at ?? '') - Date.parse(started_at ?? '')).toBeGreaterThanOrEqual(60_000);
});

test('the pause before a retry keeps its length, also for a server that starts after the clock was set', async () => {
  const clock = movableClock();
  const root = dataFolder();
  const jobs = { flaky: bash('exit 1', { retry: { limit: 1, backoff: 'fixed', delay: '10m' } }) };
  const first = await openEngine(root, { jobs, clock });
  const runId = await first.create('flaky');
  await first.when(runId, (run) => run.steps[0]?.attempt === 2);
  clock.setBy(2 * hourMs);
  const nowMs = clock.now();
  const notBefore = async () => (await first.store.runs.execution(runId))?.attempts.at(-1)?.not_before;
  await expect.poll(notBefore).toBeGreaterThan(nowMs + 9 * 60_000);
  expect(await notBefore()).toBeLessThanOrEqual(nowMs + 10 * 60_000);
  await first.close();

  const next = await openEngine(root, { clock });
  await expect.poll(() => next.engine.health().queue).toEqual({ status: 'ok' });
  await expect(next.engine.cancel(runId, localPrincipal)).resolves.toEqual({ status: 'cancelled' });
  expect(await next.store.runs.get(runId)).toMatchObject({ attempt: 2, steps: [{ attempt: 2, started_at: null }] });
});

test('a run keeps its full time in the queue even if its creation is the first to notice that the clock was set', async () => {
  const set = movableClock();
  let isArmed = false;
  const now = () => {
    if (isArmed) set.setBy(-2 * hourMs);
    isArmed = false;
    return set.now();
  };
  const jobs = { hold: bash(untilGo), queued: bash('true', { timeouts: { queue: '10m' } }) };
  const limits = { globalConcurrency: 1 };
  const { create, log, messages, store } = await openEngine(dataFolder(), { jobs, limits, clock: { ...set, now } });
  const held = await create('hold');
  await expect.poll(() => messages(held)).toEqual(['held']);
  isArmed = true;
  await create('queued');
  expect(log.map(({ msg }) => msg)).toContain('the clock was set; the deadlines of runs move with it');
  const nextDeadline = await store.runs.nextDeadline(set.now());
  expect(nextDeadline).toBeGreaterThan(set.now() + 9 * 60_000);
  expect(nextDeadline).toBeLessThanOrEqual(set.now() + 10 * 60_000);
});

test('a deadline that is still in the database but was moved does not end the run', async () => {
  const clock = movableClock();
  const root = dataFolder();
  const jobs = { held: bash(untilGo, { timeouts: { run: '10m' } }) };
  const { create, messages, store } = await openEngine(root, { jobs, clock });
  const runId = await create('held');
  await expect.poll(() => messages(runId)).toEqual(['held']);
  const { pastDeadline } = store.runs;
  let looks = 0;
  await store.db.transact((tx) => store.runs.moveDeadlines(tx, -hourMs, openOwnerId(join(root, 'data'))));
  Object.assign(store.runs, {
    async pastDeadline(nowMs: number) {
      clock.forward(60_000);
      looks += 1;
      return pastDeadline(nowMs);
    },
  });
  await expect.poll(() => looks).toBeGreaterThan(3);
  expect(await store.runs.summary(runId)).toMatchObject({ status: 'running' });
});
