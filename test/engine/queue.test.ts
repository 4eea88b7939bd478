// The queue with real runs: which run starts next, what a job's concurrency allows, and what waiting runs say.

import { expect, onTestFinished, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { createId } from '../../src/lib/ids.ts';
import { DatabaseFailure } from '../../src/store/database.ts';
import { bash } from '../support/jobs.ts';
import { fillDisk } from '../support/small-disk.ts';
import { caller, dataFolder, type Opened, openEngine, testOnSqliteWithDisk } from './an-engine.ts';
import { steps } from './step-jobs.ts';

const hold = bash('echo held; sleep 8015');
const keyed = (on_conflict: string, limit = 1) =>
  bash('echo held; [ "$target" = quick ] || sleep 8015', {
    argspec: { type: 'object', properties: { target: { type: 'string' } } },
    concurrency: { limit, key: 'args.target', on_conflict },
  });

async function holds(opened: Opened, jobId = 'hold', args = {}): Promise<string> {
  const runId = await opened.create(jobId, args);
  await expect.poll(() => opened.messages(runId)).toEqual(['held']);
  return runId;
}

/** Run ids in the order in which they started. */
async function started({ store }: Opened): Promise<string[]> {
  const events = await store.journal.read({ afterId: 0, limit: 10_000 });
  return events.flatMap(({ type, runId }) => (type === 'run.started' && runId !== null ? [runId] : []));
}

test('a higher priority goes first, and runs of the same priority start in the order in which they came', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { hold, quick: bash('true') },
    limits: { globalConcurrency: 1 },
  });
  const holder = await holds(opened);
  const ids: string[] = [];
  for (const priority of [0, -5, 10, 0, 10]) ids.push(await opened.create('quick', {}, { priority }));
  await opened.engine.cancel(holder, localPrincipal);
  for (const runId of ids) await opened.finished(runId);
  expect((await started(opened)).slice(1)).toEqual([2, 4, 0, 3, 1].map((at) => ids[at]));
});

test('slots are shared among tenants by their weights, however many runs one of them has waiting', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { hold, quick: bash('true') },
    limits: { globalConcurrency: 1, weightOf: (tenant) => (tenant === 'big' ? 3 : 1) },
  });
  const holder = await holds(opened);
  const tenantOf = new Map<string, string>();
  for (let n = 0; n < 12; n++) tenantOf.set(await opened.create('quick', {}, { tenant: 'big' }), 'big');
  for (let n = 0; n < 4; n++) tenantOf.set(await opened.create('quick', {}, { tenant: 'small' }), 'small');
  await opened.engine.cancel(holder, localPrincipal);
  for (const runId of tenantOf.keys()) await opened.finished(runId);
  const turns = (await started(opened)).slice(1).map((runId) => tenantOf.get(runId));
  for (const upTo of [4, 8, 12, 16]) {
    expect(turns.slice(0, upTo).filter((tenant) => tenant === 'small')).toHaveLength(upTo / 4);
  }
});

test('a concurrency key has at most 256 characters, because waiting runs show it', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { keyed: keyed('queue') } });
  await expect(opened.create('keyed', { target: 'x'.repeat(257) })).rejects.toMatchObject({
    slug: 'validation-error',
    members: {
      errors: [
        {
          pointer: '/args',
          message: "the job's `concurrency.key`, args.target: its value is longer than 256 characters",
        },
      ],
    },
  });
  await holds(opened, 'keyed', { target: 'x'.repeat(256) });
});

test('on_conflict: reject refuses another run with the same key, across restarts, and no other key', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { keyed: keyed('reject') } });
  await holds(opened, 'keyed', { target: 'a' });
  const conflict = {
    slug: 'concurrency-conflict',
    message:
      "1 of 1 runs of keyed with the concurrency key 'a' already run or wait, and the job says on_conflict: reject.",
  };
  await expect(opened.create('keyed', { target: 'a' })).rejects.toMatchObject(conflict);
  await holds(opened, 'keyed', { target: 'b' });
  await opened.close();

  const next = await openEngine(root);
  await expect.poll(() => next.engine.queue().running).toBe(2);
  await expect(next.create('keyed', { target: 'a' })).rejects.toMatchObject(conflict);
  expect(await next.finished(await next.create('keyed', { target: 'quick' }))).toMatchObject({ status: 'success' });
  for (const runId of await next.running()) await next.engine.cancel(runId, localPrincipal);
  await next.engine.cancel(await holds(next, 'keyed', { target: 'a' }), localPrincipal);
});

test('on_conflict: reject applies to a run requested while the server is still resuming the first one', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { keyed: keyed('reject') } });
  const first = await holds(opened, 'keyed', { target: 'a' });
  await opened.close();
  const next = await openEngine(root);
  await expect(next.create('keyed', { target: 'a' })).rejects.toMatchObject({ slug: 'concurrency-conflict' });
  await next.when(first, ({ status }) => status === 'running');
  await expect.poll(() => next.engine.cancel(first, localPrincipal)).toEqual({ status: 'cancelled' });
});

test('on_conflict: cancel_running replaces running and waiting runs with the newest, across restarts', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { keyed: keyed('cancel_running') } });
  const first = await holds(opened, 'keyed', { target: 'a' });
  const other = await holds(opened, 'keyed', { target: 'b' });
  const [second, third] = [
    await opened.create('keyed', { target: 'a' }),
    await opened.create('keyed', { target: 'a' }),
  ];
  expect(await opened.finished(first)).toMatchObject({
    status: 'cancelled',
    cancel_requested_by: `run:${second}`,
    termination: { remaining: 0 },
  });
  expect(await opened.finished(second)).toMatchObject({ status: 'cancelled', cancel_requested_by: `run:${third}` });
  await expect.poll(() => opened.messages(third)).toEqual(['held']);
  await opened.close();

  const next = await openEngine(root);
  await expect.poll(() => next.engine.queue().running).toBe(2);
  const fourth = await holds(next, 'keyed', { target: 'a' });
  expect(await next.finished(third)).toMatchObject({ status: 'cancelled' });
  expect(await next.store.runs.get(other)).toMatchObject({ status: 'running' });
  for (const runId of [other, fourth]) await next.engine.cancel(runId, localPrincipal);
});

test('on_conflict: cancel_running spares running and waiting runs of another tenant, across restarts', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { keyed: keyed('cancel_running') } });
  const target = { target: 'a' };
  const theirs = await holds(opened, 'keyed', target);
  const [waits, own] = [
    await opened.create('keyed', target, { tenant: 'acme' }),
    await opened.create('keyed', target, { tenant: 'beta' }),
  ];
  const newest = await opened.create('keyed', target, { tenant: 'beta' });
  expect(await opened.finished(own)).toMatchObject({ status: 'cancelled', started_at: null });
  await opened.close();

  const next = await openEngine(root);
  await expect.poll(() => next.engine.queue()).toMatchObject({ running: 1, depth: 2 });
  const last = await next.create('keyed', target, { tenant: 'beta' });
  expect(await next.finished(newest)).toMatchObject({ status: 'cancelled', started_at: null });
  const statuses = await Promise.all([theirs, waits, last].map((runId) => next.store.runs.summary(runId)));
  expect(statuses.map((run) => run?.status)).toEqual(['running', 'pending', 'pending']);
  for (const runId of [last, waits, theirs]) await next.engine.cancel(runId, localPrincipal);
});

test('on_conflict applies between runs that are requested at the same moment, even if none of them can start yet', async () => {
  const jobs = { hold, rejects: keyed('reject'), replaces: keyed('cancel_running') };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 1 } });
  const holder = await holds(opened);
  const asks = (jobId: string) => Promise.allSettled([1, 2, 3].map(() => opened.create(jobId, { target: 'quick' })));
  const rejected = await asks('rejects');
  expect(rejected.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  const replaced = await asks('replaces');
  expect(replaced.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  await expect.poll(() => opened.engine.queue().depth).toBe(2);
  await opened.engine.cancel(holder, localPrincipal);
  await expect.poll(() => opened.store.runs.counts()).toEqual({ pending: 0, running: 0 });
  const { runs } = await opened.store.runs.list({ jobId: 'replaces', limit: 10, offset: 0 });
  expect(runs.map(({ status }) => status).toSorted()).toEqual(['cancelled', 'cancelled', 'success']);
});

test('on_conflict: queue starts as many runs with one key as the limit allows, and the others say what they wait for', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { keyed: keyed('queue', 2) } });
  const first = await holds(opened, 'keyed', { target: 'a' });
  await holds(opened, 'keyed', { target: 'a' });
  const waiting = await opened.create('keyed', { target: 'a' });
  const sentence = "only 2 runs of keyed with the concurrency key 'a' at a time";
  expect(await opened.store.runs.get(waiting)).toMatchObject({ status: 'pending', waiting: sentence });
  await opened.close();

  const next = await openEngine(root);
  await expect.poll(() => next.engine.queue()).toMatchObject({ running: 2, depth: 1 });
  expect(await next.store.runs.get(waiting)).toMatchObject({ status: 'pending', waiting: sentence });
  expect(await next.engine.plan({ job_id: 'keyed', args: { target: 'a' } }, caller)).toMatchObject({
    waiting: sentence,
  });
  await next.engine.cancel(first, localPrincipal);
  await next.when(waiting, ({ status, waiting: words }) => status === 'running' && words === null);
  for (const runId of await next.running()) await next.engine.cancel(runId, localPrincipal);
});

test('job_concurrency counts runs from start to end, including those resumed after a restart', async () => {
  const root = dataFolder();
  const limits = { jobConcurrency: 1 };
  const gated = steps({ steps: [{ id: 'ok', approval: { text: 'Go?' } }] });
  const opened = await openEngine(root, { jobs: { gated, quick: bash('true') }, limits });
  const first = await opened.create('gated');
  await opened.when(first, (run) => run.steps[0]?.status === 'waiting_approval');
  const second = await opened.create('gated');
  const sentence = 'only one run of gated at a time';
  expect(await opened.store.runs.get(second)).toMatchObject({ waiting: sentence });
  await opened.close();
  const next = await openEngine(root, { limits });
  expect(await next.finished(await next.create('quick'))).toMatchObject({ status: 'success' });
  expect(await next.store.runs.get(second)).toMatchObject({ status: 'pending', waiting: sentence });
  await next.engine.cancel(first, localPrincipal);
  await next.when(second, ({ status }) => status === 'running');
  await next.engine.cancel(second, localPrincipal);
});

test('when the reason for which the first run of a queue waits changes, the run shows the new reason', async () => {
  const jobs = { hold, keyed: keyed('queue') };
  const opened = await openEngine(dataFolder(), { jobs, limits: { globalConcurrency: 2 } });
  const [holder, first] = [await holds(opened), await holds(opened, 'keyed', { target: 'a' })];
  const second = await opened.create('keyed', { target: 'a' });
  const key = "only one run of keyed with the concurrency key 'a' at a time";
  expect(await opened.store.runs.get(second)).toMatchObject({ waiting: key });
  // Next, the key of the second run becomes free, but the other run takes the slot.
  const other = await opened.create('hold', {}, { priority: 10 });
  await opened.engine.cancel(first, localPrincipal);
  await expect.poll(() => opened.messages(other)).toEqual(['held']);
  expect(await opened.when(second, ({ waiting }) => waiting === '2 of 2 slots are taken')).toBeDefined();
  for (const runId of [second, other, holder]) await opened.engine.cancel(runId, localPrincipal);
});

test('a full queue does not refuse sub-runs', async () => {
  const jobs = {
    hold,
    child: bash('true'),
    parent: steps({ steps: [{ id: 'sub', job: 'child' }] }),
    quick: bash('true'),
  };
  const gate = { id: 'ok', approval: { text: 'Go?' } };
  const gated = steps({ steps: [gate, { id: 'sub', job: 'child', needs: ['ok'] }] });
  const opened = await openEngine(dataFolder(), {
    jobs: { ...jobs, gated },
    limits: { globalConcurrency: 1, maxDepth: 1 },
  });
  const parent = await opened.create('gated');
  await opened.when(parent, (run) => run.steps[0]?.status === 'waiting_approval');
  const holder = await holds(opened);
  await opened.create('quick');
  await expect(opened.create('quick')).rejects.toMatchObject({ slug: 'queue-full' });
  await opened.engine.approve(parent, { step_id: 'ok', decision: 'approve' }, caller);
  const childId =
    (await opened.when(parent, (run) => run.steps[1]?.child_run_id !== null)).steps[1]?.child_run_id ?? '';
  expect(await opened.store.runs.get(childId)).toMatchObject({ status: 'pending' });
  await opened.engine.cancel(holder, localPrincipal);
  expect(await opened.finished(parent)).toMatchObject({ status: 'success' });
});

test('a pending run that was only added to the database is found and started', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { quick: bash('echo ran') } });
  const model = await opened.create('quick');
  await opened.finished(model);
  const { run, plan, concurrency } = (await opened.store.runs.execution(model)) ?? missing();
  const { store } = opened;
  const id = createId('run', Date.now());
  await store.db.transact((tx) =>
    store.runs.add(tx, {
      id,
      jobId: run.job_id,
      tenant: run.tenant,
      createdAtMs: Date.now(),
      args: {},
      sealed: null,
      labels: {},
      priority: 0,
      trigger: run.trigger,
      createdBy: 'another',
      requestId: null,
      source: run.source,
      security: run.security,
      grants: [],
      limits: run.limits,
      waiting: 'it was never told why',
      plan,
      steps: [{ step_id: 'step_01', n: 1, name: 'quick', kind: 'command', needs: [] }],
      concurrency,
      rerunOf: null,
      parent: null,
    }),
  );
  expect(await opened.finished(id)).toMatchObject({ status: 'success', waiting: null });
  expect(await opened.messages(id)).toEqual(['ran']);
});

test('health reports when something could have started for five seconds but has not, until it starts', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { hold, quick: bash('true') },
    limits: { globalConcurrency: 1 },
  });
  const holder = await holds(opened);
  const waiting = await opened.create('quick');
  expect(opened.engine.health().queue).toEqual({ status: 'ok', detail: '1 run waits' });
  const { apply } = opened.store.runs;
  const giveBack = (): void => void Object.assign(opened.store.runs, { apply });
  onTestFinished(giveBack);
  const full = new DatabaseFailure('database or disk is full', { isDamage: false, cause: undefined });
  Object.assign(opened.store.runs, {
    apply: (...given: Parameters<typeof apply>) =>
      given[2].run?.kind === 'claim' ? Promise.reject(full) : apply(...given),
  });
  await opened.engine.cancel(holder, localPrincipal);
  await expect
    .poll(() => opened.engine.health().queue)
    .toEqual({ status: 'degraded', detail: '1 run waits although 1 slot is free' });
  expect(await opened.store.runs.get(waiting)).toMatchObject({ status: 'pending' });
  giveBack();
  expect(await opened.finished(waiting)).toMatchObject({ status: 'success' });
  await expect.poll(() => opened.engine.health().queue).toEqual({ status: 'ok' });
});

testOnSqliteWithDisk('while the disk is full no waiting run starts, and health says why', async () => {
  const root = dataFolder({ sizeMiB: 16 });
  const opened = await openEngine(root, { jobs: { hold, quick: bash('true') }, limits: { globalConcurrency: 1 } });
  const holder = await holds(opened);
  const waiting = await opened.create('quick');
  const free = fillDisk(root);
  const cancelled = opened.engine.cancel(holder, localPrincipal).catch(() => undefined);
  await expect.poll(() => opened.engine.health().database).toMatchObject({ status: 'failing' });
  free();
  await cancelled;
  await expect
    .poll(async () => {
      await opened.engine.cancel(holder, localPrincipal).catch(() => undefined);
      return opened.store.runs.get(holder);
    })
    .toMatchObject({ status: 'cancelled' });
  expect(await opened.finished(waiting)).toMatchObject({ status: 'success' });
  await expect
    .poll(() => opened.engine.health())
    .toMatchObject({ database: { status: 'ok' }, queue: { status: 'ok' } });
});

function missing(): never {
  throw new Error('there is no such run');
}
