import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunListQuery } from '../../src/store/run/run-list.ts';
import type { NewRun, RunChange } from '../../src/store/run/runs.ts';
import { endStep, startStep, stepStore } from '../../src/store/run/step-moves.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

describe.each(engines)('the list of runs on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-list-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  /** Adds a run, ends it if `change` is given, and returns its id. */
  async function add(over: Partial<NewRun> = {}, failure?: Omit<RunChange, 'atMs'>): Promise<string> {
    const run = aRun(over);
    await store.database.transact(async (tx) => {
      await store.runs.add(tx, run);
      if (failure) await moveRun(tx, store.runs, run.id, 'expire', { atMs: nowMs, ...failure });
    });
    return run.id;
  }

  async function idsOf(query: Partial<RunListQuery>): Promise<string[]> {
    const { runs, total, isTotalExact, nextCursor } = await store.runs.list({ limit: 100, ...query });
    expect({ total, isTotalExact }).toEqual({ total: runs.length, isTotalExact: true });
    expect(nextCursor).toBeNull();
    return runs.map((run) => run.run_id);
  }

  test('is empty at first', async () => {
    expect(await store.runs.list({ limit: 100 })).toEqual({
      runs: [],
      total: 0,
      isTotalExact: true,
      nextCursor: null,
    });
  });

  test('shows the newest first, even among runs of the same millisecond', async () => {
    const ids = [await add({ createdAtMs: nowMs - 1 }), await add(), await add()];

    expect(await idsOf({})).toEqual(ids.toReversed());
  });

  test('finds the runs with an open approval, in pages, with their total, and combined with any other filter', async () => {
    const steps = [{ step_id: 'ask', n: 1, name: '', kind: 'approval' as const, needs: [] }];
    const asking: string[] = [];
    for (const tenant of ['acme', 'acme', 'beta']) {
      const id = await add({ tenant, steps, labels: { team: 'ops' } });
      const about = { runId: id, jobId: 'backup/daily', tenant };
      await store.database.transact(async (tx) => {
        await store.runs.claim(tx, id, { atMs: nowMs, owner: 'owner-1', worker: 'host-1', deadlineAtMs: null });
        const start = { status: 'waiting_approval' as const, atMs: nowMs, worker: null, deadlineAtMs: null };
        await startStep(tx, about, { stepId: 'ask', attempt: 1 }, { ...start, message: 'Really?' });
      });
      asking.push(id);
    }
    const [first, second, third] = asking;
    const running = await add();
    await store.database.transact((tx) => moveRun(tx, store.runs, running, 'claim', { atMs: nowMs }));
    const ended = await add({}, { reason: 'exit' });

    const filter = { status: 'running', stepStatus: 'waiting_approval' } as const;
    expect(await idsOf(filter)).toEqual([third, second, first]);
    expect(await idsOf({ ...filter, tenant: 'acme' })).toEqual([second, first]);
    expect(await idsOf({ ...filter, label: { key: 'team' }, sinceMs: nowMs, q: 'backup' })).toEqual([
      third,
      second,
      first,
    ]);
    expect(await idsOf({ ...filter, untilMs: nowMs })).toEqual([]);
    const page = await store.runs.list({ limit: 2, ...filter });
    const asked = { step_id: 'ask', question: 'Really?', since: '2024-01-15T10:30:00.000Z' };
    expect(page).toMatchObject({
      total: 3,
      runs: [{ run_id: third, status: 'running', waiting_approval: [asked] }, { run_id: second }],
    });
    const rest = await store.runs.list({ limit: 2, ...filter, ...(page.nextCursor && { cursor: page.nextCursor }) });
    expect(rest).toMatchObject({ total: 3, runs: [{ run_id: first }], nextCursor: null });
    expect(await idsOf({ status: 'running' })).toEqual([running, third, second, first]);
    expect(await idsOf({ status: 'failed' })).toEqual([ended]);

    const about = { runId: String(second), jobId: 'backup/daily', tenant: 'acme' };
    const answered = { status: 'success', reason: null, atMs: nowMs + 5_000 } as const;
    await store.database.transact((tx) => endStep(tx, about, { stepId: 'ask', attempt: 1, epoch: 1 }, answered));
    expect(await idsOf(filter)).toEqual([third, first]);
    const waited = { waiting_approval: [], approval_ms: 5_000 };
    expect(await store.runs.summary(String(second))).toMatchObject(waited);
    expect(await store.runs.get(String(second))).toMatchObject(waited);
    expect(await store.runs.summary(String(third))).toMatchObject({ waiting_approval: [asked], approval_ms: 0 });
  });

  test('shows summaries of runs', async () => {
    const id = await add({ labels: { env: 'prod' } }, { reason: 'exit', exitCode: 3, error: { message: 'exited' } });
    const small = {
      run_id: id,
      job_id: 'backup/daily',
      tenant: 'default',
      status: 'failed',
      reason: 'exit',
      waiting: null,
      waiting_approval: [],
      approval_ms: 0,
      args_text: 'target=/mnt/backup',
      created_at: '2024-01-15T10:30:00.000Z',
      started_at: null,
      finished_at: '2024-01-15T10:30:00.000Z',
      exit_code: 3,
      attempt: 1,
      priority: 0,
      trigger: { type: 'api' },
      created_by: 'local',
      labels: { env: 'prod' },
      progress: null,
      error: { message: 'exited' },
    };

    expect((await store.runs.list({ limit: 1 })).runs).toEqual([small]);
    expect(await store.runs.summary(id)).toEqual(small);
    expect(await store.runs.summary('run_missing')).toBeUndefined();
  });

  test('can be filtered by job, status, tenant and source, and by any combination of them', async () => {
    const git = { name: 'jobs-git', type: 'git', revision: 'abc' } as const;
    const plain = await add();
    const ofJob = await add({ jobId: 'report' });
    const ofTenant = await add({ tenant: 'acme' });
    const ofSource = await add({ source: git });
    const failed = await add({}, { reason: 'exit' });
    const all = await add({ jobId: 'report', tenant: 'acme', source: git }, { reason: 'exit' });

    expect(await idsOf({ jobId: 'report' })).toEqual([all, ofJob]);
    expect(await idsOf({ tenant: 'acme' })).toEqual([all, ofTenant]);
    expect(await idsOf({ source: 'jobs-git' })).toEqual([all, ofSource]);
    expect(await idsOf({ status: 'failed' })).toEqual([all, failed]);
    expect(await idsOf({ status: 'pending', jobId: 'backup/daily', tenant: 'default', source: 'local-fs' })).toEqual([
      plain,
    ]);
    expect(await idsOf({ status: 'failed', jobId: 'report', tenant: 'acme', source: 'jobs-git' })).toEqual([all]);
    expect(await idsOf({ status: 'success' })).toEqual([]);
  });

  test('can be filtered by the key of a label, with or without its value, combined with other conditions', async () => {
    const prod = await add({ labels: { env: 'prod', team: 'a' } });
    const test = await add({ labels: { env: 'test' } });
    const failed = await add({ labels: { env: 'prod' }, jobId: 'report' }, { reason: 'exit' });
    await add();

    expect(await idsOf({ label: { key: 'env' } })).toEqual([failed, test, prod]);
    expect(await idsOf({ label: { key: 'env', value: 'prod' } })).toEqual([failed, prod]);
    expect(await idsOf({ label: { key: 'env', value: '' } })).toEqual([]);
    expect(await idsOf({ label: { key: 'env' }, status: 'failed' })).toEqual([failed]);
    expect(await idsOf({ label: { key: 'env', value: 'prod' }, q: 'report' })).toEqual([failed]);
  });

  test('can be filtered by who or what started a run, by namespace, and by a label that a run must not have', async () => {
    const nightly = await add({ jobId: 'shop/nightly', createdBy: 'schedule:1', trigger: { type: 'schedule' } });
    const mara = await add({
      jobId: 'shop',
      createdBy: 'mara',
      trigger: { type: 'console' },
      labels: { kind: 'drill' },
    });
    const failed = await add({ jobId: 'shop/deep/er', createdBy: 'mara' }, { reason: 'exit' });
    const other = await add({ jobId: 'shopping/list', tenant: 'acme', createdBy: 'mara' });

    expect(await idsOf({ createdBy: 'mara' })).toEqual([other, failed, mara]);
    expect(await idsOf({ createdBy: 'mara', status: 'failed' })).toEqual([failed]);
    expect(await idsOf({ createdBy: 'mara', trigger: 'console' })).toEqual([mara]);
    expect(await idsOf({ createdBy: 'mara', tenant: 'acme' })).toEqual([other]);
    expect(await idsOf({ createdBy: 'mar' })).toEqual([]);
    expect(await idsOf({ trigger: 'schedule' })).toEqual([nightly]);
    expect(await idsOf({ trigger: 'api', sinceMs: nowMs })).toEqual([other, failed]);
    expect(await idsOf({ namespace: 'shop' })).toEqual([failed, nightly]);
    expect(await idsOf({ namespace: 'shop', createdBy: 'mara' })).toEqual([failed]);
    expect(await idsOf({ notLabel: { key: 'kind' } })).toEqual([other, failed, nightly]);
    expect(await idsOf({ notLabel: { key: 'kind', value: 'test' } })).toEqual([other, failed, mara, nightly]);
    expect(await idsOf({ label: { key: 'kind' }, createdBy: 'mara' })).toEqual([mara]);
    expect(await idsOf({ label: { key: 'kind' }, notLabel: { key: 'kind', value: 'drill' } })).toEqual([]);
  });

  test('can leave out sub-runs, and counts the other runs without reading them', async () => {
    const sub = { trigger: { type: 'job' } as const, jobId: 'part', labels: { env: 'prod' } };
    const top = await add({ labels: { env: 'prod' } });
    await add(sub);
    await add({ ...sub, tenant: 'acme' }, { reason: 'exit' });
    const failed = await add({ jobId: 'part', createdAtMs: nowMs + 7_200_000 }, { reason: 'exit' });
    await add({ ...sub, createdAtMs: nowMs + 7_200_000 }, { reason: 'exit' });

    const isTopLevel = true as const;
    expect(await idsOf({ isTopLevel })).toEqual([failed, top]);
    expect(await idsOf({ isTopLevel, status: 'failed' })).toEqual([failed]);
    expect(await idsOf({ isTopLevel, status: 'pending' })).toEqual([top]);
    expect(await idsOf({ isTopLevel, jobId: 'part' })).toEqual([failed]);
    expect(await idsOf({ isTopLevel, tenant: 'acme' })).toEqual([]);
    expect(await idsOf({ isTopLevel, sinceMs: nowMs + 1 })).toEqual([failed]);
    expect(await idsOf({ isTopLevel, untilMs: nowMs + 7_200_000 })).toEqual([top]);
    expect(await idsOf({ isTopLevel, label: { key: 'env' } })).toEqual([top]);
    expect(await idsOf({ isTopLevel, q: 'part' })).toEqual([failed]);
    const [page, next] = [await store.runs.list({ limit: 1, isTopLevel }), { limit: 1, isTopLevel }];
    expect(page).toMatchObject({ total: 2, runs: [{ run_id: failed }] });
    expect(await store.runs.list({ ...next, cursor: page.nextCursor ?? '' })).toMatchObject({
      total: 2,
      runs: [{ run_id: top }],
      nextCursor: null,
    });
    // The label by which sub-runs are counted is not shown.
    expect((await store.runs.list({ limit: 9, trigger: 'job' })).runs[0]?.labels).toEqual({ env: 'prod' });
  });

  test('shows the beginning of long arguments, and nothing of very long arguments', async () => {
    await add({ args: { text: 'two words', list: [1, { a: 'b' }], long: 'x'.repeat(300) } });
    await add({ args: { text: 'x'.repeat(5_000) } });

    const { runs } = await store.runs.list({ limit: 2 });
    expect(runs.map((run) => run.args_text)).toEqual([
      '…',
      `text="two words" list=[1,{"a":"b"}] long=${'x'.repeat(59)}…`,
    ]);
  });

  test('a list of approvals across runs shows waiting ones, longest first, and then those that have ended', async () => {
    const steps = [{ step_id: 'ask', n: 1, name: 'Ask', kind: 'approval' as const, needs: [] }];
    const { plan } = aRun();
    const [first] = plan.job.steps;
    if (!first) throw new Error('The job has no step.');
    const ask = { ...first, id: 'ask', action: { kind: 'approval' as const, text: 'Really?', by: ['mara'] } };
    const asking = { steps, plan: { ...plan, job: { ...plan.job, steps: [ask] } } };
    const ids: string[] = [];
    for (const [tenant, atMs] of [
      ['acme', nowMs + 5],
      ['beta', nowMs],
      ['acme', nowMs + 2],
    ] as const) {
      const id = await add({ tenant, ...asking });
      ids.push(id);
      const about = { runId: id, jobId: 'backup/daily', tenant };
      await store.database.transact(async (tx) => {
        await store.runs.claim(tx, id, { atMs, owner: 'owner-1', worker: 'host-1', deadlineAtMs: null });
        const start = { status: 'waiting_approval' as const, atMs, worker: null, deadlineAtMs: nowMs + 60_000 };
        await startStep(tx, about, { stepId: 'ask', attempt: 1 }, { ...start, message: 'Really?' });
      });
    }
    const [last, longest, second = ''] = ids;

    const idsIn = async (query: Parameters<typeof store.runs.approvals>[0]) => {
      const { approvals, total } = await store.runs.approvals(query);
      return { ids: approvals.map((one) => one.run_id), total };
    };
    expect(await idsIn({ state: 'waiting', limit: 9 })).toEqual({ ids: [longest, second, last], total: 3 });
    expect(await idsIn({ state: 'waiting', limit: 1 })).toEqual({ ids: [longest], total: 3 });
    expect(await idsIn({ state: 'waiting', limit: 9, tenant: 'acme' })).toEqual({ ids: [second, last], total: 2 });
    expect(await idsIn({ state: 'waiting', limit: 9, jobId: 'none' })).toEqual({ ids: [], total: 0 });
    expect(await idsIn({ state: 'answered', limit: 9 })).toEqual({ ids: [], total: 0 });
    const waiting = { question: 'Really?', by: ['mara'], deadline: '2024-01-15T10:31:00.000Z', answer: null };
    expect((await store.runs.approvals({ state: 'waiting', limit: 1 })).approvals).toMatchObject([waiting]);

    await store.database.transact(async (tx) => {
      const approval = { decision: 'approve' as const, by: 'mara', comment: 'go' };
      const about = { runId: second, jobId: 'backup/daily', tenant: 'acme' };
      const ending = { status: 'success' as const, reason: null, atMs: nowMs + 9, message: 'approved', approval };
      await stepStore.end(tx, about, { stepId: 'ask', attempt: 1, epoch: 1 }, ending);
    });
    expect(await idsIn({ state: 'waiting', limit: 9 })).toEqual({ ids: [longest, last], total: 2 });
    expect(await store.runs.approvals({ state: 'answered', limit: 9 })).toMatchObject({
      total: 1,
      approvals: [
        {
          question: 'Really?',
          deadline: null,
          answer: { decision: 'approve', by: 'mara', comment: 'go', at: '2024-01-15T10:30:00.009Z' },
          finished_at: '2024-01-15T10:30:00.009Z',
        },
      ],
    });
  });

  test('of very many approvals, only the first ones are searched and counted', async () => {
    const id = await add();
    const { transact } = store.database;
    await transact(async ({ db }) => {
      await db.updateTable('steps').set({ kind: 'approval', status: 'failed', finished_at: nowMs }).execute();
      const copied = ['run_id', 'attempt', 'name', 'status', 'needs', 'outputs', 'kind', 'epoch'] as const;
      for (let times = 1; times < 16_384; times *= 2) {
        const copies = db
          .selectFrom('steps')
          .select(copied)
          .select([
            sql<string>`step_id || ${sql.lit(`-${times}`)}`.as('step_id'),
            sql<number>`n + ${sql.lit(times)}`.as('n'),
            sql<number>`finished_at + ${sql.lit(times)}`.as('finished_at'),
          ]);
        await db
          .insertInto('steps')
          .columns([...copied, 'step_id', 'n', 'finished_at'])
          .expression(copies)
          .execute();
      }
    });

    const page = await store.runs.approvals({ state: 'answered', limit: 2 });
    expect(page).toMatchObject({ total: 10_000, isTotalExact: false, approvals: [{ run_id: id }, { run_id: id }] });
    expect(page.approvals[0]?.finished_at).toBe(new Date(nowMs + 16_383).toISOString());
    const none = { approvals: [], total: 0, isTotalExact: false };
    expect(await store.runs.approvals({ state: 'answered', limit: 2, jobId: 'none' })).toEqual(none);
  });

  test('of one tenant never shows or counts runs of another tenant, even by label, time or text', async () => {
    const over = { labels: { env: 'prod' }, args: { target: 'needle' } };
    const own = await add({ tenant: 'acme', ...over });
    await add({ tenant: 'beta', ...over });
    const label = { key: 'env' };
    const filters = [
      {},
      { jobId: 'backup/daily' },
      { status: 'pending' as const },
      { source: 'local-fs' },
      { label },
      { label: { ...label, value: 'prod' }, status: 'pending' as const },
      { sinceMs: 0 },
      { q: 'needle' },
      { q: 'needle', label },
      { createdBy: 'local' },
      { trigger: 'api' as const },
      { isTopLevel: true as const },
      { notLabel: { key: 'none' } },
      { namespace: 'backup' },
    ];
    for (const filter of filters) expect(await idsOf({ tenant: 'acme', ...filter })).toEqual([own]);
    expect(await store.runs.counts({ tenant: 'acme' })).toEqual({ pending: 1, running: 0 });
  });

  test('`since` is inclusive and `until` is exclusive, also with other filters', async () => {
    const ids = [];
    for (const offset of [0, 1, 2]) ids.push(await add({ createdAtMs: nowMs + offset, labels: { env: 'prod' } }));
    const [first, second, third] = ids;

    expect(await idsOf({ sinceMs: nowMs + 1 })).toEqual([third, second]);
    expect(await idsOf({ untilMs: nowMs + 1 })).toEqual([first]);
    expect(await idsOf({ sinceMs: nowMs + 1, untilMs: nowMs + 2 })).toEqual([second]);
    expect(await idsOf({ sinceMs: nowMs + 2, untilMs: nowMs + 2 })).toEqual([]);
    expect(await idsOf({ sinceMs: nowMs + 1, jobId: 'backup/daily', status: 'pending' })).toEqual([third, second]);
    expect(await idsOf({ untilMs: nowMs + 2, label: { key: 'env' } })).toEqual([second, first]);
  });

  test('free text finds ids, jobs, arguments and errors, with any characters', async () => {
    const byId = await add({ args: {} });
    const byJob = await add({ jobId: 'reports/100%_done' });
    const byArgs = await add({ args: { path: 'C:\\data "new"', list: [{ deep: 'Zürich' }] } });
    const byError = await add({}, { reason: 'exit', error: { message: 'cannot open "/etc/x_y"' } });

    expect(await idsOf({ q: byId.slice(6) })).toEqual([byId]);
    expect(await idsOf({ q: 'REPORTS/' })).toEqual([byJob]);
    expect(await idsOf({ q: '100%_' })).toEqual([byJob]);
    expect(await idsOf({ q: '100%_%' })).toEqual([]);
    expect(await idsOf({ q: 'C:\\data "new"' })).toEqual([byArgs]);
    expect(await idsOf({ q: 'Zürich' })).toEqual([byArgs]);
    expect(await idsOf({ q: '"/etc/x_y"' })).toEqual([byError]);
    expect(await idsOf({ q: '/etc/x-y' })).toEqual([]);
    expect(await idsOf({ q: "'; drop table runs; --" })).toEqual([]);
  });

  test('cursor pages show every run once while runs are added and others end', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) ids.push(await add({ createdAtMs: nowMs + Math.floor(n / 3) }));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await store.runs.list({ limit: 4, ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.runs.map((run) => run.run_id));
      cursor = page.nextCursor;
      await add({ createdAtMs: nowMs + 1_000 });
      const [oldest = ''] = ids;
      await store.database.transact((tx) => moveRun(tx, store.runs, oldest, 'withdraw', { atMs: nowMs }));
    } while (cursor !== null);

    expect(seen).toEqual(ids.toReversed());
  });

  test('a cursor works with every filter, and takes precedence over an offset', async () => {
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await add({ labels: { env: 'prod' } }));
    const newest = ids.toReversed();
    const filters = [
      {},
      { jobId: 'backup/daily' },
      { label: { key: 'env' } },
      { q: 'backup' },
      { sinceMs: 0 },
      { untilMs: nowMs + 1 },
      { createdBy: 'local' },
      { trigger: 'api' as const },
      { isTopLevel: true as const },
      { notLabel: { key: 'none' } },
    ];
    for (const filter of filters) {
      const first = await store.runs.list({ limit: 2, ...filter });
      const second = await store.runs.list({ limit: 2, cursor: first.nextCursor ?? '', offset: 3, ...filter });
      const third = await store.runs.list({ limit: 2, cursor: second.nextCursor ?? '', ...filter });

      expect([first, second, third].map(({ runs }) => runs.map((run) => run.run_id))).toEqual([
        newest.slice(0, 2),
        newest.slice(2, 4),
        newest.slice(4),
      ]);
      expect([first.total, second.total, third.total]).toEqual([5, 5, 5]);
      expect(third.nextCursor).toBeNull();
    }
  });

  test('a cursor that is newer than `until` shows no run newer than `until`', async () => {
    const [old] = [await add({ createdAtMs: nowMs - 9 }), await add(), await add()];
    const { nextCursor } = await store.runs.list({ limit: 1 });
    const { runs, total } = await store.runs.list({ limit: 5, cursor: nextCursor ?? '', untilMs: nowMs });

    expect({ ids: runs.map((run) => run.run_id), total }).toEqual({ ids: [old], total: 1 });
  });

  test('an offset skips runs, combined with any filter', async () => {
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await add({ labels: { env: 'prod' } }));
    for (const filter of [{}, { jobId: 'backup/daily' }, { label: { key: 'env' } }, { q: 'backup' }]) {
      const page = await store.runs.list({ limit: 2, offset: 2, ...filter });

      expect(page.runs.map((run) => run.run_id)).toEqual(ids.toReversed().slice(2, 4));
      expect(page.total).toBe(5);
      expect(page.nextCursor).not.toBeNull();
    }
    expect(await store.runs.list({ limit: 2, offset: 99 })).toMatchObject({ runs: [], total: 5, nextCursor: null });
  });

  test('free text finds runs far down the list, and counts them all', async () => {
    const needle = await add({ args: { target: 'needle' } });
    await store.database.transact(async (tx) => {
      for (let n = 1; n <= 800; n++) await store.runs.add(tx, aRun({ createdAtMs: nowMs + n }));
    });
    const second = await add({ args: { target: 'needle' }, createdAtMs: nowMs + 5_000 });

    expect(await idsOf({ q: 'needle' })).toEqual([second, needle]);
    const page = await store.runs.list({ limit: 1, q: 'mnt' });
    expect(page.total).toBe(800);
    const next = await store.runs.list({ limit: 1, q: 'needle', cursor: page.nextCursor ?? '' });
    expect(next.runs.map((run) => run.run_id)).toEqual([needle]);
    expect(next.total).toBe(2);
  });

  test.each(['', 'x', 'bm8tY3Vyc29y', '../../etc/passwd', 'MTcwNTMxNDYwMDAwMA'])(
    'the cursor %j is refused',
    async (cursor) => {
      await expect(store.runs.list({ limit: 1, cursor })).rejects.toMatchObject({
        slug: 'validation-error',
        members: { errors: [{ pointer: '?cursor', message: 'is not a cursor of this list', keyword: 'cursor' }] },
      });
    },
  );
});
