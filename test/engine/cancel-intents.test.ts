// Cancels in every state of a run and across restarts. The request is stored in the database, and a server acts on it.

import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import type { Run } from '../../src/domain/run.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { caller, dataFolder, type Opened, openEngine, openStoreIn } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';
import { byId, script, steps } from './step-jobs.ts';

const nap = `sleep 8011.${process.pid}`;
const hold = bash(`echo held; ${nap}`);

async function holds({ create, messages }: Opened, jobId = 'hold'): Promise<string> {
  const runId = await create(jobId);
  await expect.poll(() => messages(runId)).toEqual(['held']);
  return runId;
}

/** Requests cancels as another process would while no server runs. */
async function requestCancels(root: string, runIds: readonly string[]): Promise<void> {
  const dataDir = join(root, 'data');
  const store = await openStoreIn(dataDir, {
    blobsDir: dataDir,
    clock: systemClock,
    log: pino({ enabled: false }),
    onCommit: () => undefined,
  });
  for (const runId of runIds)
    await store.db.transact((tx) => store.runs.requestCancel(tx, runId, { atMs: Date.now(), by: 'mara' }));
  await store.close();
}

test('a run that waits for its next attempt is cancelled at once, and no attempt follows', async () => {
  const jobs = { flaky: bash('echo tried; exit 1', { retry: { limit: 3, backoff: 'fixed', delay: '1m' } }) };
  const { create, engine, messages, store, when } = await openEngine(dataFolder(), { jobs });
  const runId = await create('flaky');
  await when(runId, (run) => run.steps[0]?.attempt === 2);
  expect(await engine.cancel(runId, localPrincipal)).toEqual({ status: 'cancelled' });
  const run = await store.runs.get(runId);
  expect(run).toMatchObject({
    status: 'cancelled',
    steps: [{ attempt: 2, status: 'skipped', reason: 'run_ended', started_at: null }],
  });
  expect(await messages(runId)).toEqual(['tried']);
});

test('a run whose deadline passes while its next attempt is being written does not start that attempt', async () => {
  const jobs = {
    flaky: bash('echo tried; exit 1', {
      timeouts: { run: '10m' },
      retry: { limit: 3, backoff: 'fixed', delay: '100ms' },
    }),
  };
  const clock = movableClock();
  const { create, finished, messages, store } = await openEngine(dataFolder(), { jobs, clock });
  // The retry is decided before the deadline, but stored after it.
  const { promise: past, resolve: markPast } = Promise.withResolvers<void>();
  const { pastDeadline } = store.runs;
  const { apply } = store.runs;
  Object.assign(store.runs, {
    async apply(...given: Parameters<typeof apply>) {
      if (given[2].changes.some(({ kind }) => kind === 'retry')) {
        clock.forward(600_000);
        await past;
      }
      return apply(...given);
    },
  });
  Object.assign(store.runs, {
    async pastDeadline(nowMs: number) {
      const found = await pastDeadline(nowMs);
      if (found.length > 0) setImmediate(markPast);
      return found;
    },
  });
  const runId = await create('flaky');
  expect(await finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    steps: [{ attempt: 2, status: 'skipped', started_at: null }],
  });
  expect(await messages(runId)).toEqual(['tried']);
});

test('a run can be cancelled while it waits for an approval or for slots, and starts nothing afterwards', async () => {
  const jobs = {
    hold,
    gated: steps(
      { steps: [{ id: 'ok', approval: { text: 'Go?' } }, script('ship', { needs: ['ok'] })] },
      { ship: 'true' },
    ),
    wide: steps(
      {
        steps: [
          { id: 'ok', approval: { text: 'Go?' } },
          script('a', { needs: ['ok'] }),
          script('b', { needs: ['ok'] }),
        ],
      },
      { a: 'echo a', b: 'echo b' },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 1 } });
  const { create, engine, messages, store, when } = opened;
  const [gated, wide] = [await create('gated'), await create('wide')];
  const isGated = (run: Run) => byId(run).ok?.status === 'waiting_approval';
  for (const runId of [gated, wide]) await when(runId, isGated);
  const holder = await holds(opened);
  await engine.approve(wide, { step_id: 'ok', decision: 'approve' }, caller);
  expect(await engine.cancel(gated, localPrincipal)).toEqual({ status: 'cancelled' });
  expect(byId((await store.runs.get(gated)) ?? missing())).toMatchObject({
    ok: { status: 'cancelled', reason: null },
    ship: { status: 'skipped', reason: 'run_ended' },
  });
  expect(await engine.cancel(wide, localPrincipal)).toEqual({ status: 'cancelled' });
  const run = (await store.runs.get(wide)) ?? missing();
  expect(run).toMatchObject({ status: 'cancelled', termination: null });
  expect(byId(run)).toMatchObject({ a: { status: 'skipped' }, b: { status: 'skipped', reason: 'run_ended' } });
  expect(await engine.cancel(holder, localPrincipal)).toEqual({ status: 'cancelled' });
  expect(await messages(wide)).toEqual([]);
  expect(engine.queue()).toMatchObject({ running: 0, depth: 0 });
});

test('a run that is cancelled while its start is being written is cancelled by the server that starts it', async () => {
  const wide = steps({ steps: [script('a'), script('b')] }, { a: 'echo a', b: 'echo b' });
  const opened = await openEngine(dataFolder(), { jobs: { hold, wide }, limits: { globalConcurrency: 1 } });
  const { create, engine, log, store } = opened;
  const holder = await holds(opened);
  const runId = await create('wide');
  const execution = store.runs.execution.bind(store.runs);
  let cancelled: Promise<unknown> | undefined;
  vi.spyOn(store.runs, 'execution').mockImplementation((id) => {
    // The run has left the queue, and the engine is reading it to start it. In SQLite, one commit stores the start and
    // the cancel.
    if (id === runId) cancelled ??= engine.cancel(runId, localPrincipal);
    return execution(id);
  });
  expect(await engine.cancel(holder, localPrincipal)).toEqual({ status: 'cancelled' });
  await expect.poll(() => cancelled).toBeDefined();
  expect(await cancelled).toEqual({ status: 'cancelled' });
  expect(log.map(({ msg }) => msg)).not.toContain('another process has taken the run over');
  await expect.poll(() => engine.queue()).toMatchObject({ running: 0, depth: 0 });
});

test('a cancel of a run reaches a pending run at the end of a chain of sub-runs', async () => {
  const jobs = {
    hold,
    leaf: bash('echo never'),
    middle: steps({
      steps: [
        { id: 'ok', approval: { text: 'Go?' } },
        { id: 'sub', job: 'leaf', needs: ['ok'] },
      ],
    }),
    top: steps({ steps: [{ id: 'sub', job: 'middle' }] }),
  };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 1 } });
  const { create, engine, finished, store, when } = opened;
  const top = await create('top');
  const middle = (await when(top, (run) => run.steps[0]?.child_run_id !== null)).steps[0]?.child_run_id ?? '';
  await when(middle, (run) => byId(run).ok?.status === 'waiting_approval');
  const holder = await holds(opened);
  await engine.approve(middle, { step_id: 'ok', decision: 'approve' }, caller);
  const leaf = byId(await when(middle, (run) => byId(run).sub?.child_run_id !== null)).sub?.child_run_id ?? '';
  expect(await store.runs.get(leaf)).toMatchObject({ status: 'pending' });
  expect(await engine.cancel(top, localPrincipal)).toEqual({ status: 'cancelled' });
  for (const runId of [middle, leaf]) expect(await finished(runId)).toMatchObject({ status: 'cancelled' });
  expect(await store.runs.get(leaf)).toMatchObject({ started_at: null });
  await engine.cancel(holder, localPrincipal);
});

test('a server that starts acts on stored cancels of runs that are running, waiting, between attempts or awaiting approval', async () => {
  const jobs = {
    hold,
    quick: bash('echo never'),
    flaky: bash('echo tried; exit 1', { retry: { limit: 3, backoff: 'fixed', delay: '1m' } }),
    gated: steps({ steps: [{ id: 'ok', approval: { text: 'Go?' } }] }),
    parent: steps({ steps: [{ id: 'sub', job: 'gated' }] }),
  };
  const root = dataFolder();
  const opened = await openEngine(root, { jobs, limits: { globalConcurrency: 1 } });
  const gated = await opened.create('gated');
  const parent = await opened.create('parent');
  const child = (await opened.when(parent, (run) => run.steps[0]?.child_run_id !== null)).steps[0]?.child_run_id ?? '';
  const flaky = await opened.create('flaky');
  await opened.when(flaky, (run) => run.steps[0]?.attempt === 2);
  const holder = await holds(opened);
  const pending = [await opened.create('quick'), await opened.create('quick')];
  const other = await opened.create('quick');
  await opened.close();
  expect(processesWith(nap)).not.toEqual([]);
  await requestCancels(root, [gated, parent, flaky, holder, ...pending]);

  const next = await openEngine(root, { limits: { globalConcurrency: 1 } });
  for (const runId of [gated, parent, child, flaky, holder, ...pending]) {
    expect(await next.finished(runId)).toMatchObject({
      status: 'cancelled',
      cancel_requested_by: runId === child ? `run:${parent}` : 'mara',
    });
  }
  expect(await next.store.runs.get(holder)).toMatchObject({
    termination: { remaining: 0, signals: [{ signal: 'TERM' }] },
  });
  for (const runId of pending) {
    expect(await next.store.runs.get(runId)).toMatchObject({ started_at: null });
    expect(await next.messages(runId)).toEqual([]);
  }
  expect(processesWith(nap)).toEqual([]);
  expect(await next.finished(other)).toMatchObject({ status: 'success' });
});

test('a cancel that another process stored ends a running run within a second, and a waiting run before it starts', async () => {
  const jobs = { hold, quick: bash('echo never') };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 1 } });
  const holder = await holds(opened);
  const pending = await opened.create('quick');
  const { store } = opened;
  for (const runId of [pending, holder]) {
    await store.db.transact((tx) => store.runs.requestCancel(tx, runId, { atMs: Date.now(), by: 'mara' }));
  }
  expect(await opened.finished(holder)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
  expect(await opened.finished(pending)).toMatchObject({ status: 'cancelled', started_at: null });
});

test('thirty runs that ignore TERM are cancelled at once and leave no process, and each records its signals and proof', async () => {
  const command = `sleep 8012.${process.pid}`;
  const stubborn = `trap "" TERM; (setsid ${command} &); echo held; while :; do ${command} || true; done`;
  const jobs = {
    stubborn: steps({ cancel: { grace: '1s' }, steps: [script('dig')] }, { dig: stubborn }),
  };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 30 } });
  const { create, engine, finished, messages, store } = opened;
  const runIds = await Promise.all(Array.from({ length: 30 }, () => create('stubborn')));
  for (const runId of runIds) await expect.poll(() => messages(runId)).toEqual(['held']);
  // On a busy machine, ending a run can take longer than the grace period and two seconds. Then the answer is
  // `running`.
  await Promise.all(runIds.map((runId) => engine.cancel(runId, localPrincipal)));
  const runs = await Promise.all(runIds.map(finished));
  expect(processesWith(command)).toEqual([]);
  for (const run of runs) {
    expect(run).toMatchObject({ status: 'cancelled', reason: null });
    expect(run.termination).toMatchObject({ remaining: 0, signals: [{ signal: 'TERM' }, { signal: 'KILL' }] });
    expect(byId(run).dig).toMatchObject({ status: 'cancelled', termination: run.termination });
    const events = await store.journal.read({ afterId: 0, runId: run.run_id, limit: 100 });
    const told = events.filter(({ type }) => ['run.cancelling', 'step.finished', 'run.finished'].includes(type));
    expect(told).toMatchObject([
      { type: 'run.cancelling', data: { status: 'running', by: 'local' } },
      {
        type: 'run.cancelling',
        data: { signal: 'TERM', step_id: 'dig', message: expect.stringMatching(/^sent TERM to \d+ processes$/) },
      },
      {
        type: 'run.cancelling',
        data: { signal: 'KILL', step_id: 'dig', message: expect.stringMatching(/^sent KILL to \d+ process(es)?$/) },
      },
      { type: 'step.finished', data: { status: 'cancelled' } },
      { type: 'run.finished', data: { status: 'cancelled' } },
    ]);
  }
  expect(engine.queue()).toMatchObject({ running: 0, depth: 0 });
});

function missing(): never {
  throw new Error('there is no such run');
}
