// The time limits of runs, steps and waits: they end what takes too long, in any state and across restarts.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';
import { byId, script, steps } from './step-jobs.ts';

const nap = `sleep 8010.${process.pid}`;

test('timeouts.run ends the running step with the signals of the job, and later steps never start', async () => {
  const jobs = {
    long: steps(
      {
        timeouts: { run: '10m' },
        cancel: { grace: '200ms' },
        steps: [
          script('first'),
          script('slow', { needs: ['first'] }),
          script('after', { needs: ['slow'] }),
          script('clean', { needs: ['after'], always: true }),
        ],
      },
      {
        first: 'true',
        slow: `trap "" TERM; echo held; while :; do ${nap} || true; done`,
        after: 'true',
        clean: 'echo cleaned',
      },
    ),
  };
  const clock = movableClock();
  const { create, finished, messages, store } = await openEngine(dataFolder(), { jobs, clock });
  const runId = await create('long');
  await expect.poll(() => messages(runId)).toEqual(['held']);
  clock.forward(600_000);
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    error: { message: 'the run did not end within 10m', step_id: 'slow' },
    termination: { signals: [{ signal: 'TERM' }, { signal: 'KILL' }], remaining: 0 },
  });
  expect(byId(run)).toMatchObject({
    first: { status: 'success' },
    slow: { status: 'failed', reason: 'timeout', message: 'the run did not end within 10m' },
    after: { status: 'skipped', reason: 'run_ended', message: 'the run ended while this step was waiting' },
    clean: { status: 'skipped', reason: 'run_ended' },
  });
  expect(processesWith(nap)).toEqual([]);
  expect(await messages(runId)).toEqual(['held']);
  const signals = (await store.journal.read({ afterId: 0, runId, limit: 100 })).flatMap((entry) =>
    entry.type === 'run.cancelling' ? [entry.data] : [],
  );
  expect(signals).toMatchObject([
    { signal: 'TERM', step_id: 'slow' },
    { signal: 'KILL', step_id: 'slow' },
  ]);
});

test('the profile limits the time of its runs, and a job can only lower the limit', async () => {
  const jobs = {
    open: bash(nap),
    shorter: bash('true', { timeouts: { run: '100ms' } }),
    longer: bash('true', { timeouts: { run: '1h' } }),
  };
  const security = { runTimeoutMs: () => 600 };
  const { create, engine, finished } = await openEngine(dataFolder(), { jobs, security });
  expect(await finished(await create('open'))).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    error: { message: 'did not end within 600ms' },
  });
  const planned = async (job_id: string) => (await engine.plan({ job_id, args: {} }, caller)).timeouts.run;
  expect([await planned('open'), await planned('shorter'), await planned('longer')]).toEqual([
    '600ms',
    '100ms',
    '600ms',
  ]);
});

test('the time limit of a run also counts while its steps wait for a slot or for their next attempt', async () => {
  const clock = movableClock();
  const limit = { timeouts: { run: '10m' } };
  const jobs = {
    hold: bash(`echo held; ${nap}`),
    queued: steps(
      { ...limit, steps: [{ id: 'ok', approval: { text: 'Go?' } }, script('work', { needs: ['ok'] })] },
      { work: 'true' },
    ),
    flaky: bash('exit 1', { ...limit, retry: { limit: 3, backoff: 'fixed', delay: '1h' } }),
  };
  const opened = await openEngine(dataFolder(), { jobs, clock, limits: { globalConcurrency: 1 } });
  const { create, engine, finished, messages, when } = opened;
  const flaky = await create('flaky');
  await when(flaky, (run) => run.steps[0]?.attempt === 2);
  clock.forward(600_000);
  expect(await finished(flaky)).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    attempt: 2,
    error: { message: 'did not end within 10m' },
    steps: [{ status: 'skipped', reason: 'run_ended', attempt: 2 }],
  });

  const queued = await create('queued');
  await when(queued, (run) => byId(run).ok?.status === 'waiting_approval');
  const holder = await create('hold');
  await expect.poll(() => messages(holder)).toEqual(['held']);
  await engine.approve(queued, { step_id: 'ok', decision: 'approve' }, caller);
  await when(queued, (run) => byId(run).ok?.status === 'success');
  clock.forward(600_000);
  const run = await finished(queued);
  expect(run).toMatchObject({ status: 'failed', reason: 'timeout' });
  expect(byId(run)).toMatchObject({ work: { status: 'skipped', reason: 'run_ended', started_at: null } });
  expect(engine.queue()).toMatchObject({ running: 1, depth: 0 });
  await engine.cancel(holder, localPrincipal);
  expect(engine.queue()).toMatchObject({ running: 0 });
});

test('a step that times out is retried as `retry` says, and its last attempt fails the run', async () => {
  // The grace period is so long that no run is killed although the test lets time pass quickly.
  const cancel = { grace: '1h' };
  const jobs = {
    slow: steps(
      { cancel, steps: [script('slow', { timeout: '10m', retry: { limit: 1, backoff: 'fixed', delay: '10ms' } })] },
      { slow: `echo "attempt $FLWD_ATTEMPT"; ${nap}` },
    ),
    heals: steps(
      {
        cancel,
        steps: [
          script('slow', { timeout: '10m', retry: { limit: 3, backoff: 'fixed', delay: '10ms' } }),
          script('next', { needs: ['slow'] }),
        ],
      },
      { slow: `echo "attempt $FLWD_ATTEMPT"; [ "$FLWD_ATTEMPT" = 2 ] || ${nap}`, next: 'true' },
    ),
  };
  const clock = movableClock();
  const { create, finished, messages, store } = await openEngine(dataFolder(), { jobs, clock });
  const runId = await create('slow');
  const timesOut = async (id: string, attempt: number) => {
    await expect.poll(() => messages(id)).toContain(`attempt ${attempt}`);
    clock.forward(600_000);
  };
  await timesOut(runId, 1);
  await timesOut(runId, 2);
  expect(await finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    attempt: 2,
    error: { step_id: 'slow', message: 'did not end within 10m' },
  });
  expect(await store.runs.attempts(runId)).toMatchObject([
    { attempt: 1, status: 'failed', reason: 'timeout', termination: { remaining: 0 } },
    { attempt: 2, status: 'failed', reason: 'timeout', termination: { remaining: 0 } },
  ]);
  expect(await messages(runId)).toEqual(['attempt 1', 'attempt 2']);
  const heals = await create('heals');
  await timesOut(heals, 1);
  expect(await finished(heals)).toMatchObject({ status: 'success', attempt: 2 });
  expect(processesWith(nap)).toEqual([]);
});

test('an approval that times out fails, and steps that do not need it continue', async () => {
  const jobs = {
    gated: steps(
      {
        steps: [
          { id: 'ok', approval: { text: 'Go?' }, timeout: '300ms' },
          script('ship', { needs: ['ok'] }),
          script('other'),
        ],
      },
      { ship: 'true', other: 'sleep 0.6; echo done' },
    ),
  };
  const { create, engine, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('gated');
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    error: { step_id: 'ok', message: 'nobody answered within 300ms' },
  });
  expect(run.error).not.toHaveProperty('hint');
  expect(byId(run)).toMatchObject({
    ok: { status: 'failed', reason: 'timeout', message: 'nobody answered within 300ms', approval: null },
    ship: { status: 'skipped', reason: 'upstream_failed' },
    other: { status: 'success' },
  });
  expect(await messages(runId)).toEqual(['done']);
  await expect(engine.approve(runId, { step_id: 'ok', decision: 'approve' }, caller)).rejects.toMatchObject({
    slug: 'approval-not-pending',
  });
});

test('a sub-run that exceeds the time limit of its step is cancelled, and the step times out', async () => {
  const jobs = {
    child: bash(`echo started; ${nap}`, { cancel: { grace: '200ms' } }),
    parent: steps({ steps: [{ id: 'sub', job: 'child', timeout: '10m' }] }),
  };
  const clock = movableClock();
  const { create, finished, messages, store, when } = await openEngine(dataFolder(), { jobs, clock });
  const runId = await create('parent');
  const { steps: under } = await when(runId, ({ steps: [sub] }) => sub?.child_run_id !== null);
  await expect.poll(() => messages(under[0]?.child_run_id ?? '')).toEqual(['started']);
  clock.forward(600_000);
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    error: { step_id: 'sub', message: 'did not end within 10m' },
  });
  expect(await store.runs.get(run.steps[0]?.child_run_id ?? '')).toMatchObject({
    status: 'cancelled',
    termination: { remaining: 0 },
  });
  expect(processesWith(nap)).toEqual([]);
});

test('deadlines of runs, steps, approvals and sub-runs that pass while no server runs are enforced by the next one', async () => {
  const clock = movableClock();
  const jobs = {
    ofRun: bash(`echo held; ${nap}`, { timeouts: { run: '1h' } }),
    ofStep: steps({ steps: [script('work', { timeout: '1h' })] }, { work: `echo held; ${nap}` }),
    ofApproval: steps({ steps: [{ id: 'ok', approval: { text: 'Go?' }, timeout: '1h' }] }),
    child: bash(`echo held; ${nap}`),
    ofChild: steps({ steps: [{ id: 'sub', job: 'child', timeout: '1h' }] }),
    patient: bash('echo held; until [ -e go ]; do sleep 0.05; done', { timeouts: { run: '3h' } }),
  };
  const root = dataFolder();
  const first = await openEngine(root, { jobs, clock, limits: { globalConcurrency: 10 } });
  const held = [await first.create('ofRun'), await first.create('ofStep')];
  for (const runId of held) await expect.poll(() => first.messages(runId)).toEqual(['held']);
  const gate = await first.create('ofApproval');
  await first.when(gate, (run) => run.steps[0]?.status === 'waiting_approval');
  const parent = await first.create('ofChild');
  const withChild = await first.when(parent, (run) => run.steps[0]?.child_run_id !== null);
  const childId = withChild.steps[0]?.child_run_id ?? '';
  await expect.poll(() => first.messages(childId)).toEqual(['held']);
  const patient = await first.create('patient');
  await expect.poll(() => first.messages(patient)).toEqual(['held']);
  await first.close();
  expect(processesWith(nap)).not.toEqual([]);

  clock.forward(2 * 3_600_000);
  const next = await openEngine(root, { clock });
  for (const runId of [...held, gate, parent]) {
    expect(await next.finished(runId)).toMatchObject({ status: 'failed', reason: 'timeout' });
  }
  expect(await next.finished(childId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
  expect(processesWith(nap)).toEqual([]);
  expect(await next.store.runs.get(patient)).toMatchObject({ status: 'running' });
  await next.engine.cancel(patient, localPrincipal);
});

test('a run whose run controller does not respond is ended by the reaper, and its slot is freed', async () => {
  const clock = movableClock();
  const jobs = {
    stuck: steps(
      {
        timeouts: { run: '10m' },
        cancel: { grace: '100ms' },
        concurrency: { limit: 1 },
        steps: [script('work'), script('after', { needs: ['work'] })],
      },
      { work: `echo held; ${nap}`, after: 'true' },
    ),
  };
  const { create, engine, finished, messages, store } = await openEngine(dataFolder(), { jobs, clock });
  // The store hangs: it neither writes nor refuses what the script prints.
  const { openWriter } = store.logs;
  const hang = () => new Promise<never>(() => undefined);
  let isHeld = false;
  Object.assign(store.logs, {
    async openWriter(o: Parameters<typeof openWriter>[0]) {
      const writer = await openWriter(o);
      if (isHeld) return writer;
      isHeld = true;
      return { ...writer, append: hang, release: hang, close: hang };
    },
  });
  const runId = await create('stuck');
  await expect.poll(() => processesWith(nap)).not.toEqual([]);
  clock.forward(600_000);
  await expect.poll(() => processesWith(nap)).toEqual([]);
  expect(await store.runs.get(runId)).toMatchObject({ status: 'running' });

  // The process is gone, but storing what it left may take long. The reaper counts from the moment at which it notices
  // that the time is up, which may be after the first step of the clock.
  const hasEnded = async () => {
    clock.forward(700_000);
    return (await store.runs.get(runId))?.status;
  };
  await expect.poll(hasEnded, { interval: 1_000 }).toBe('failed');
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'timeout',
    error: { message: 'did not end in time; the server ended it by force' },
  });
  expect(byId(run)).toMatchObject({
    work: { status: 'failed', reason: 'timeout' },
    after: { status: 'skipped', reason: 'run_ended' },
  });
  expect(engine.queue()).toMatchObject({ running: 0 });
  const second = await create('stuck');
  await expect.poll(() => messages(second)).toEqual(['held']);
  clock.forward(600_000);
  expect(await finished(second)).toMatchObject({ status: 'failed', error: { step_id: 'work' } });
});
