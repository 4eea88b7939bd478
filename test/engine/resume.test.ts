// The next engine resumes what an engine has left: the same attempts, the same log and waiting runs. Also tests what
// cannot be resumed.

import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { bash } from '../support/jobs.ts';
import { killProcessesWith, processesOf, processesWith } from '../support/processes.ts';
import { caller, dataFolder, type Opened, openEngine } from './an-engine.ts';
import { byId, script, steps } from './step-jobs.ts';

const nap = `sleep 8013.${process.pid}`;
/** Prints `ready`, and `done` once a file with its step's name tells it to. */
const told =
  'echo "ready $FLWD_STEP_ID"; until [ -e "go-$FLWD_STEP_ID" ]; do sleep 0.02; done; echo "done $FLWD_STEP_ID"';

function tell(root: string, runId: string, stepId: string): void {
  writeFileSync(join(root, 'data', 'runs', runId, 'workspace', `go-${stepId}`), '');
}

/**
 * The current time by the clock of the file system, from which the end of a script is read. That clock is some
 * milliseconds behind.
 */
function fileClockMs(root: string): number {
  const path = join(root, 'now');
  writeFileSync(path, '');
  return Math.floor(statSync(path).mtimeMs);
}

/** The shim and the bubblewrap of the attempt that is running. */
function pidsOf(root: string, runId: string): { shim: number; bwrap: number } {
  const runDir = join(root, 'data', 'runs', runId);
  for (const name of readdirSync(runDir)) {
    const { shim, bwrapPid, isOver } = readStatus(join(runDir, name)) ?? {};
    if (shim && bwrapPid !== undefined && !isOver) return { shim: shim.pid, bwrap: bwrapPid };
  }
  throw new Error(`no attempt of ${runId} is running`);
}

async function lines({ store }: Opened, runId: string) {
  return (await store.logs.page(runId, { limit: 10_000 })).lines;
}

test('a server does not touch a run that another process has taken over, nor its processes and log', async () => {
  const root = dataFolder();
  const jobs = { wide: steps({ steps: [script('a'), script('b')] }, { a: told, b: told }) };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('wide');
  await expect.poll(async () => (await opened.messages(runId)).toSorted()).toEqual(['ready a', 'ready b']);

  const { store } = opened;
  const owner = (await store.runs.execution(runId))?.owner ?? '';
  const takeover = { owner, worker: 'another', epoch: 1 };
  expect(await store.db.transact((tx) => store.runs.take(tx, runId, takeover))).toBe(true);
  tell(root, runId, 'a');
  await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain('another process has taken the run over');

  // No other process drives the run, so this process finds it again and continues.
  tell(root, runId, 'b');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  expect((await opened.messages(runId)).filter((message) => message.startsWith('done'))).toHaveLength(2);
});

test('a failure is explained from what the script printed before and after a restart', async () => {
  const root = dataFolder();
  const cat = 'cat /srv/data/x || true';
  const waits = 'until [ -e "go-$FLWD_STEP_ID" ]; do sleep 0.02; done';
  const jobs = {
    wide: steps(
      { steps: [script('early'), script('late')] },
      {
        early: `${cat}; echo ready; ${waits}; exit 3`,
        late: `echo ready; ${waits}; ${cat}; exit 3`,
      },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('wide');
  await expect
    .poll(async () => (await opened.messages(runId)).filter((message) => message === 'ready'))
    .toHaveLength(2);
  await opened.close();
  tell(root, runId, 'early');
  tell(root, runId, 'late');
  const next = await openEngine(root, { jobs });
  const run = await next.finished(runId);
  const step = {
    message: 'exited with code 3: cat: /srv/data/x: No such file or directory',
    hint: expect.stringContaining('`permissions: {read: [/srv/data/x]}`'),
  };
  expect(byId(run)).toMatchObject({ early: step, late: step });
  expect(run.error).toEqual({
    ...step,
    step_id: expect.stringMatching(/^early$|^late$/),
    other_failures: { instances: 0, steps: 1 },
  });
});

test('a script that ended while no server was running gets the time at which it ended, and its run gets that time, too', async () => {
  const root = dataFolder();
  const jobs = {
    single: bash(told.replaceAll('$FLWD_STEP_ID', 'it')),
    wide: steps({ steps: [script('a'), script('b')] }, { a: told, b: told }),
    retried: steps(
      { steps: [script('a', { retry: { limit: 1 } })] },
      { a: `[ "$FLWD_ATTEMPT" = 2 ] || { ${told}; exit 3; }` },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const ids = {
    single: await opened.create('single'),
    wide: await opened.create('wide'),
    retried: await opened.create('retried'),
  };
  const ready = async (runId: string) =>
    (await opened.messages(runId)).filter((text) => text.startsWith('ready')).length;
  await expect.poll(() => Promise.all(Object.values(ids).map(ready))).toEqual([1, 2, 1]);
  await opened.close();
  tell(root, ids.single, 'it');
  tell(root, ids.wide, 'b');
  tell(root, ids.retried, 'a');
  // A shim writes the end of its attempt after the last process with the name of the attempt is gone.
  const isOver = (runId: string, attempt: string) =>
    readStatus(join(root, 'data', 'runs', runId, attempt))?.isOver ?? false;
  await expect.poll(() => isOver(ids.wide, '2-1')).toBe(true);
  const betweenMs = fileClockMs(root);
  tell(root, ids.wide, 'a');
  await expect.poll(() => Object.values(ids).map((id) => isOver(id, '1-1'))).toEqual([true, true, true]);
  const endedMs = fileClockMs(root);

  const next = await openEngine(root, { jobs });
  const timeOf = (text: string | null | undefined) => Date.parse(text ?? '');
  const single = await next.finished(ids.single);
  expect(timeOf(single.finished_at)).toBeLessThanOrEqual(endedMs);
  expect(single.steps[0]?.finished_at).toBe(single.finished_at);
  const wide = await next.finished(ids.wide);
  const { a, b } = byId(wide);
  expect(timeOf(b?.finished_at)).toBeLessThanOrEqual(betweenMs);
  expect(timeOf(a?.finished_at)).toBeGreaterThanOrEqual(betweenMs);
  expect(timeOf(a?.finished_at)).toBeLessThanOrEqual(endedMs);
  expect(wide.finished_at).toBe(a?.finished_at);
  // The second attempt of this run ran after the restart.
  expect(timeOf((await next.finished(ids.retried)).finished_at)).toBeGreaterThan(endedMs);
});

test('parallel steps are resumed with the same attempts and the next epoch, and nothing is repeated', async () => {
  const root = dataFolder();
  const jobs = {
    wide: steps(
      { steps: [script('a'), script('b'), script('c'), script('last', { needs: ['a', 'b', 'c'] })] },
      { a: told, b: told, c: told, last: 'echo "last $FLWD_ATTEMPT"' },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('wide');
  await expect.poll(async () => (await opened.messages(runId)).toSorted()).toEqual(['ready a', 'ready b', 'ready c']);
  const shown = await lines(opened, runId);
  await opened.close();
  // Printed while no server runs.
  tell(root, runId, 'b');
  await expect.poll(() => processesWith(join(root, 'data', 'runs', runId, '2-1'))).toEqual([]);

  const resumedAtMs = Date.now();
  const next = await openEngine(root);
  await next.when(runId, (run) => byId(run).b?.status === 'success');
  const { attempts } = (await next.store.runs.execution(runId)) ?? missing();
  expect(attempts.map(({ step_id, attempt, epoch, status }) => [step_id, attempt, epoch, status])).toEqual([
    ['a', 1, 2, 'running'],
    ['b', 1, 2, 'success'],
    ['c', 1, 2, 'running'],
    ['last', 1, 0, 'pending'],
  ]);
  for (const stepId of ['a', 'c']) tell(root, runId, stepId);
  expect(await next.finished(runId)).toMatchObject({ status: 'success', attempt: 1 });
  const all = await lines(next, runId);
  expect(all.slice(0, 3)).toEqual(shown);
  expect(all.map(({ message }) => message).toSorted()).toEqual([
    '3 files (0 B) left in the workspace or /tmp are not kept: go-a, go-b, go-c; artifacts.paths would keep them, permissions.write would put them on the host',
    'done a',
    'done b',
    'done c',
    'last 1',
    'ready a',
    'ready b',
    'ready c',
  ]);
  const gap = all.find(({ message }) => message === 'done b');
  expect(gap).toMatchObject({ recovered: true, step_id: 'b', attempt: 1 });
  expect(Date.parse(gap?.timestamp ?? '')).toBeGreaterThanOrEqual(resumedAtMs);
  expect(all.filter(({ recovered }) => recovered).map(({ message }) => message)).toEqual(['done b']);
  const stamps = all.map(({ timestamp }) => timestamp);
  expect(stamps).toEqual([...new Set(stamps)].toSorted());
  const types = (await next.store.journal.read({ afterId: 0, runId, limit: 200 })).map(({ type }) => type);
  expect(types.filter((type) => type === 'step.started')).toHaveLength(4);
  expect(types.filter((type) => type === 'run.started')).toHaveLength(1);
});

test('delays, approvals, sub-runs, queued steps and a matrix that is half done survive two restarts', async () => {
  const root = dataFolder();
  const jobs = {
    flaky: bash('echo "attempt $FLWD_ATTEMPT"; [ "$FLWD_ATTEMPT" = 2 ] || exit 1', {
      retry: { limit: 1, backoff: 'fixed', delay: '1s' },
    }),
    child: steps({ steps: [script('work')] }, { work: told }),
    parent: steps(
      { steps: [{ id: 'sub', job: 'child' }, script('after', { needs: ['sub'] })] },
      { after: 'echo after' },
    ),
    matrix: steps(
      { steps: [script('m', { matrix: { n: [1, 2, 3, 4] } }), script('sum', { needs: ['m'] })] },
      {
        m: 'echo "ready $FLWD_MATRIX_N"; [ "$FLWD_MATRIX_N" = 1 ] || until [ -e go-m ]; do sleep 0.02; done; flwd_output n "$FLWD_MATRIX_N"',
        sum: 'echo "$FLWD_STEP_M_N"',
      },
    ),
  };
  const limits = { globalConcurrency: 3 };
  const opened = await openEngine(root, { jobs, limits });
  const flaky = await opened.create('flaky');
  await opened.when(flaky, (run) => run.steps[0]?.attempt === 2);
  const parent = await opened.create('parent');
  const childId =
    byId(await opened.when(parent, (run) => byId(run).sub?.child_run_id !== null)).sub?.child_run_id ?? '';
  await expect.poll(() => opened.messages(childId)).toEqual(['ready work']);
  const matrix = await opened.create('matrix');
  // One instance is done, two instances hold the other slots, and one instance waits.
  await opened.when(matrix, (run) => byId(run)['m[n=1]']?.status === 'success');
  await expect.poll(() => opened.messages(matrix)).toHaveLength(3);
  expect(byId((await opened.store.runs.get(matrix)) ?? missing())['m[n=4]']).toMatchObject({ status: 'pending' });
  await opened.close();
  await (await openEngine(root, { limits })).close();

  const next = await openEngine(root, { limits });
  tell(root, childId, 'work');
  tell(root, matrix, 'm');
  expect(await next.finished(parent)).toMatchObject({ status: 'success' });
  expect(await next.messages(parent)).toEqual(['after']);
  const run = await next.finished(matrix);
  expect(run).toMatchObject({ status: 'success' });
  expect((await next.messages(matrix)).toSorted()).toEqual([
    '["1","2","3","4"]',
    'ready 1',
    'ready 2',
    'ready 3',
    'ready 4',
  ]);
  expect((await next.store.runs.attempts(matrix)).map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(await next.finished(flaky)).toMatchObject({ status: 'success', attempt: 2 });
  expect(await next.messages(flaky)).toEqual(['attempt 1', 'attempt 2']);
  expect(next.engine.queue()).toMatchObject({ running: 0, depth: 0 });
});

test('a step that waits for a slot does not start while another process uses the slot, even after a restart', async () => {
  const root = dataFolder();
  const jobs = {
    gated: steps(
      { steps: [{ id: 'ok', approval: { text: 'Go?' } }, script('work', { needs: ['ok'] })] },
      { work: 'echo worked' },
    ),
    hold: bash(`echo held; ${nap}`),
  };
  const limits = { globalConcurrency: 1 };
  const opened = await openEngine(root, { jobs, limits });
  const gated = await opened.create('gated');
  await opened.when(gated, (run) => byId(run).ok?.status === 'waiting_approval');
  const holder = await opened.create('hold');
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  await opened.engine.approve(gated, { step_id: 'ok', decision: 'approve' }, caller);
  await opened.close();

  const next = await openEngine(root, { limits });
  await expect.poll(() => next.engine.queue().running).toBe(1);
  const pending = await next.create('gated');
  await next.when(pending, ({ waiting }) => waiting === '1 of 1 slots are taken');
  expect(byId((await next.store.runs.get(gated)) ?? missing())).toMatchObject({ work: { status: 'pending' } });
  await next.engine.cancel(holder, localPrincipal);
  expect(await next.finished(gated)).toMatchObject({ status: 'success' });
  await next.when(pending, ({ status }) => status === 'running');
  await next.engine.cancel(pending, localPrincipal);
});

test('a step whose shim died with the machine is lost or retried, as the job says, and other steps continue', async () => {
  const root = dataFolder();
  const work = `echo "attempt $FLWD_ATTEMPT"; [ "$FLWD_ATTEMPT" = 2 ] || ${nap}`;
  const two = [script('before'), script('work', { needs: ['before'] }), script('after', { needs: ['work'] })];
  const scripts = { before: 'echo before', work, after: 'echo after' };
  const jobs = { fails: steps({ steps: two }, scripts), retries: steps({ on_lost: 'retry', steps: two }, scripts) };
  const opened = await openEngine(root, { jobs });
  const [fails, retries] = [await opened.create('fails'), await opened.create('retries')];
  for (const runId of [fails, retries]) {
    await expect.poll(() => opened.messages(runId)).toEqual(['before', 'attempt 1']);
  }
  await opened.close();
  for (const runId of [fails, retries]) process.kill(pidsOf(root, runId).shim, 'SIGKILL');
  await expect.poll(() => processesWith(nap)).toEqual([]);

  const next = await openEngine(root);
  const lost = await next.finished(fails);
  expect(lost).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: {
      step_id: 'work',
      message: 'the script’s processes ended without a trace: the machine stopped, or something killed them',
      hint: expect.stringContaining('`on_lost: retry`'),
    },
  });
  expect(byId(lost)).toMatchObject({
    before: { status: 'success' },
    after: { status: 'skipped', reason: 'upstream_failed' },
  });
  expect(await next.finished(retries)).toMatchObject({ status: 'success', attempt: 2 });
  expect(await next.messages(retries)).toEqual(['before', 'attempt 1', 'attempt 2', 'after']);
  expect(
    (await next.store.runs.attempts(retries)).map(({ step_id, attempt, status, reason }) => [
      step_id,
      attempt,
      status,
      reason,
    ]),
  ).toEqual([
    ['before', 1, 'success', null],
    ['work', 1, 'failed', 'lost'],
    ['work', 2, 'success', null],
    ['after', 1, 'success', null],
  ]);
});

test('a run whose bubblewrap was killed while no server was running is lost, and says that it was bubblewrap', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, {
    jobs: { fails: steps({ steps: [script('work')] }, { work: `echo in; ${nap}` }) },
  });
  const runId = await opened.create('fails');
  await expect.poll(() => opened.messages(runId)).toEqual(['in']);
  await opened.close();
  process.kill(pidsOf(root, runId).bwrap, 'SIGKILL');
  await expect.poll(() => processesWith(nap)).toEqual([]);
  const next = await openEngine(root);
  expect(await next.finished(runId)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: { step_id: 'work', message: 'bubblewrap was killed, and its sandbox was ended with it' },
  });
});

test('a process that held an attempt before another server resumed it can no longer change the attempt', async () => {
  const root = dataFolder();
  const jobs = { told: steps({ steps: [script('work')] }, { work: told }) };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('told');
  await expect.poll(() => opened.messages(runId)).toEqual(['ready work']);
  await opened.close();
  const next = await openEngine(root);
  await expect.poll(async () => (await next.store.runs.execution(runId))?.attempts[0]?.epoch).toBe(2);
  const about = { runId, jobId: 'told', tenant: 'default' };
  const ending = { status: 'failed', reason: 'lost', atMs: Date.now() } as const;
  const { store } = next;
  const before = await store.journal.read({ afterId: 0, runId, limit: 100 });
  const end = (epoch: number) =>
    store.db.transact((tx) => store.steps.end(tx, about, { stepId: 'work', attempt: 1, epoch }, ending));
  expect(await end(1)).toBe(false);
  expect(await store.runs.get(runId)).toMatchObject({
    status: 'running',
    steps: [{ status: 'running', reason: null }],
  });
  expect(await store.journal.read({ afterId: 0, runId, limit: 100 })).toEqual(before);
  tell(root, runId, 'work');
  expect(await next.finished(runId)).toMatchObject({ status: 'success' });
  expect(await end(2)).toBe(false);
});

test('a run whose record cannot be read is set aside with the reason, and the others continue', async () => {
  const root = dataFolder();
  const jobs = { told: steps({ steps: [script('work')] }, { work: told }), quick: bash('echo ran') };
  const limits = { globalConcurrency: 2 };
  const opened = await openEngine(root, { jobs, limits });
  const [broken, sound] = [await opened.create('told'), await opened.create('told')];
  for (const runId of [broken, sound]) await expect.poll(() => opened.messages(runId)).toEqual(['ready work']);
  const waiting = [await opened.create('quick'), await opened.create('quick')];
  await spoilPlans(opened, [broken, waiting[0] ?? '']);
  await opened.close();

  const next = await openEngine(root, { limits });
  expect(await next.finished(broken)).toMatchObject({
    status: 'failed',
    reason: 'lost',
    error: { message: 'the run could not be resumed after a restart; the server log says why' },
  });
  expect(processesWith(join(root, 'data', 'runs', broken))).toEqual([]);
  expect(await next.finished(waiting[0] ?? '')).toMatchObject({ status: 'failed', reason: 'start_failed' });
  expect(await next.finished(waiting[1] ?? '')).toMatchObject({ status: 'success' });
  tell(root, sound, 'work');
  expect(await next.finished(sound)).toMatchObject({ status: 'success' });
  expect(await next.messages(sound)).toEqual(['ready work', 'done work']);
});

test('when a parent run cannot be resumed, its sub-run ends with it', async () => {
  const root = dataFolder();
  const jobs = {
    child: bash(`echo held; ${nap}`),
    parent: steps({ steps: [{ id: 'sub', job: 'child' }] }),
  };
  const opened = await openEngine(root, { jobs });
  const parent = await opened.create('parent');
  const childId =
    (await opened.when(parent, (run) => run.steps[0]?.child_run_id !== null)).steps[0]?.child_run_id ?? '';
  await expect.poll(() => opened.messages(childId)).toEqual(['held']);
  await spoilPlans(opened, [parent]);
  await opened.close();

  const next = await openEngine(root);
  expect(await next.finished(parent)).toMatchObject({ status: 'failed', reason: 'lost' });
  expect(await next.finished(childId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
  expect(processesWith(nap)).toEqual([]);
});

/** Damages the plans of runs, so that no later start can read them. */
async function spoilPlans({ store }: Opened, runIds: readonly string[]): Promise<void> {
  await store.db.transact(async ({ db }) => {
    await db.updateTable('run_plans').set({ plan: '{' }).where('run_id', 'in', runIds).execute();
  });
}

function missing(): never {
  throw new Error('there is no such run');
}

test('after a restore, a run that was running or awaiting approval at the backup is lost, whatever on_lost says', async () => {
  const root = dataFolder();
  const jobs = {
    again: bash(`echo held; ${nap}`, { on_lost: 'retry' }),
    gated: steps({ on_lost: 'retry', steps: [{ id: 'ok', approval: { text: 'Go?' } }] }),
  };
  const opened = await openEngine(root, { jobs });
  const running = await opened.create('again');
  const gated = await opened.create('gated');
  await expect.poll(() => opened.messages(running)).toEqual(['held']);
  await opened.when(gated, (run) => byId(run).ok?.status === 'waiting_approval');
  await opened.close();
  killProcessesWith(nap);
  // The killed processes may still write until they are gone.
  await expect.poll(() => processesOf(join(root, 'data', 'runs', running))).toEqual([]);
  // Leaves the runs as `flwd restore` leaves them.
  for (const runId of [running, gated]) {
    const folder = join(root, 'data', 'runs', runId);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(join(folder, 'restored'), '');
  }

  const next = await openEngine(root);
  for (const runId of [running, gated]) {
    expect(await next.finished(runId)).toMatchObject({
      status: 'failed',
      reason: 'lost',
      attempt: 1,
      error: { message: 'it was running when the backup was made' },
      steps: [{ status: 'failed', reason: 'lost', attempt: 1 }],
    });
    await expect
      .poll(() => next.log)
      .toContainEqual(expect.objectContaining({ msg: 'a run failed', run_id: runId, reason: 'lost' }));
  }
});
