// The counters of ended runs: what a run adds when it ends, what they answer, and what retention removes.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RunMove } from '../../src/domain/run.ts';
import { countStats } from '../../src/store/migrations/0018-run-stats.ts';
import { createRetentionStore } from '../../src/store/retention.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { startStep, stepStore } from '../../src/store/run/step-moves.ts';
import { createStatsStore } from '../../src/store/stats/stats.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const thisHour = nowMs - (nowMs % hourMs);
const today = nowMs - (nowMs % dayMs);
const lastDay = { span: 'hour', fromMs: thisHour - 23 * hourMs, toMs: thisHour + hourMs } as const;
const lastMonth = { span: 'day', fromMs: today - 29 * dayMs, toMs: today + dayMs } as const;

describe.each(engines)('the statistics on $engine', ({ open }) => {
  async function opened(): Promise<Opened> {
    const dir = await mkdtemp(join(tmpdir(), 'flwd-stats-'));
    const store = await open(dir);
    onTestFinished(async () => {
      await store.database.close();
      await rm(dir, { recursive: true });
    });
    return store;
  }

  /** Adds a run that has started after `waitedMs` and ended after `tookMs` more. */
  async function ended(
    { database, runs }: Opened,
    over: Partial<NewRun> & { readonly waitedMs?: number; readonly tookMs?: number; readonly by?: RunMove } = {},
  ): Promise<string> {
    const { waitedMs = 10, tookMs = 1_000, by = 'succeed', ...rest } = over;
    const run = aRun(rest);
    const startedAtMs = run.createdAtMs + waitedMs;
    await database.transact(async (tx) => {
      await runs.add(tx, run);
      const hasStarted = by !== 'expire' && by !== 'withdraw';
      if (hasStarted) await moveRun(tx, runs, run.id, 'claim', { atMs: startedAtMs });
      await moveRun(tx, runs, run.id, by, { atMs: startedAtMs + tookMs });
    });
    return run.id;
  }

  const within = (ms: number) => expect.toSatisfy((found: number) => Math.abs(found / ms - 1) <= 0.05);

  test('count runs by hour and status, and are accurate within 5 % about how long runs took and waited', async () => {
    const store = await opened();
    const stats = createStatsStore(store.database);
    for (const tookMs of [1_000, 2_000, 3_000, 60_000]) await ended(store, { tookMs });
    await ended(store, { createdAtMs: nowMs - hourMs, by: 'fail', tookMs: (7 * hourMs) / 10, waitedMs: 9_000 });
    await ended(store, { by: 'cancel' });
    await ended(store, { by: 'expire', waitedMs: 0 });
    await ended(store, { createdAtMs: nowMs - 2 * dayMs });
    expect(await stats.counts({}, lastDay)).toEqual([{ at: thisHour, success: 4, failed: 2, cancelled: 1 }]);
    const { whole, spans } = await stats.times({}, lastDay);
    expect(whole.duration).toEqual({ p50: within(2_000), p95: within(60_000) });
    expect(whole.waiting).toEqual({ p50: within(10), p95: within(9_000) });
    expect(spans).toHaveLength(1);
    expect(await stats.counts({}, lastMonth)).toEqual([
      { at: today - 2 * dayMs, success: 1, failed: 0, cancelled: 0 },
      { at: today, success: 4, failed: 2, cancelled: 1 },
    ]);
    expect(await stats.times({ tenant: 'acme' }, lastDay)).toEqual({
      whole: { duration: { p50: null, p95: null }, waiting: { p50: null, p95: null } },
      spans: [],
    });
  });

  test('count a sub-run only for its own job, and find namespaces by whole names', async () => {
    const store = await opened();
    const stats = createStatsStore(store.database);
    const parent = await ended(store, { jobId: 'shop/release' });
    await ended(store, {
      jobId: 'shop/deploy/web',
      trigger: { type: 'job' },
      parent: { run_id: parent, step_id: 'deploy' },
    });
    await ended(store, { jobId: 'shopping/list' });
    await ended(store, { jobId: 'report', tenant: 'acme' });
    const runsOf = async (filter: Parameters<typeof stats.counts>[0]) =>
      (await stats.counts(filter, lastDay)).reduce((sum, { success }) => sum + success, 0);
    expect(await runsOf({})).toBe(3);
    expect(await runsOf({ tenant: 'default' })).toBe(2);
    expect(await runsOf({ namespace: 'shop' })).toBe(2);
    expect(await runsOf({ jobId: 'shop/deploy/web' })).toBe(1);
    expect(await runsOf({ jobId: 'shop/deploy/web', tenant: 'acme' })).toBe(0);
    expect(await runsOf({ jobId: 'shop/deploy/web', namespace: 'shop' })).toBe(1);
    expect(await runsOf({ jobId: 'report', namespace: 'shop' })).toBe(0);
    const byTenant = await stats.groups('tenant', {}, lastDay);
    expect(byTenant.map(({ of, success }) => [of, success])).toEqual([
      ['acme', 1],
      ['default', 2],
    ]);
    const byJob = await stats.groups('job_id', { tenant: 'default' }, lastDay);
    expect(byJob.map(({ of }) => of)).toEqual(['shop/deploy/web', 'shop/release', 'shopping/list']);
    expect(await stats.groups('job_id', { namespace: 'shop', jobId: 'report' }, lastDay)).toEqual([]);
    expect(await stats.groups('job_id', { jobId: 'report' }, lastDay)).toEqual([
      { of: 'report', success: 1, failed: 0, cancelled: 0 },
    ]);
  });

  test('still count a job and its namespace after retention has removed all of its runs', async () => {
    const store = await opened();
    const stats = createStatsStore(store.database);
    const ids = [await ended(store, { jobId: 'shop/release' }), await ended(store, { jobId: 'report' })];
    expect(await createRetentionStore(store.database).removeRuns(ids)).toBe(2);
    const byJob = await stats.groups('job_id', {}, lastDay);
    expect(byJob.map(({ of, success }) => [of, success])).toEqual([
      ['report', 1],
      ['shop/release', 1],
    ]);
    expect(await stats.counts({ namespace: 'shop' }, lastMonth)).toMatchObject([{ success: 1 }]);
    expect((await stats.times({ namespace: 'shop' }, lastMonth)).whole.duration.p50).toEqual(within(1_000));
  });

  test('do not count the time in which approvals waited as work', async () => {
    const store = await opened();
    const { database, runs } = store;
    const ids = ['ask', 'ask-as-well'];
    const run = aRun({
      steps: ids.map((id, index) => ({ step_id: id, n: index + 1, name: id, kind: 'approval', needs: [] })),
    });
    const about = { runId: run.id, jobId: run.jobId, tenant: run.tenant };
    const waits = { status: 'waiting_approval', atMs: nowMs + 1_000, worker: null, deadlineAtMs: null } as const;
    await database.transact(async (tx) => {
      await runs.add(tx, run);
      await runs.claim(tx, run.id, { atMs: nowMs, owner: 'owner-1', worker: 'host-1', deadlineAtMs: null });
      const end = { status: 'success', reason: null, atMs: nowMs + 601_000 } as const;
      for (const stepId of ids) await startStep(tx, about, { stepId, attempt: 1 }, waits);
      for (const stepId of ids) await stepStore.end(tx, about, { stepId, attempt: 1, epoch: 1 }, end);
      await runs.end(tx, run.id, 'succeed', { atMs: nowMs + 605_000 });
    });
    const { whole } = await createStatsStore(database).times({}, lastDay);
    expect(whole.duration.p50).toEqual(within(5_000));
  });

  test('are made from the runs by a migration, and stay when retention removes the runs', async () => {
    const store = await opened();
    const { database } = store;
    const moves = ['succeed', 'fail', 'cancel', 'expire', 'withdraw'] as const;
    const ids: string[] = [];
    for (let n = 0; n < 60; n++) {
      const trigger = { type: n % 7 === 0 ? ('job' as const) : ('api' as const) };
      const over = { jobId: `job-${n % 3}`, tenant: n % 4 === 0 ? 'acme' : 'default', trigger };
      const times = { createdAtMs: nowMs - n * 2_000_000, waitedMs: n ** 2, tookMs: Math.round(1.3 ** n) };
      ids.push(await ended(store, { ...over, ...times, by: n % 2 === 0 ? 'succeed' : (moves[n % 5] ?? 'fail') }));
    }
    const all = async () => [
      await database.read.selectFrom('run_stats').selectAll().execute(),
      await database.read.selectFrom('run_times').selectAll().execute(),
    ];
    const sorted = (tables: readonly (readonly object[])[]) =>
      tables.map((rows) => rows.map((row) => JSON.stringify(row, Object.keys(row).toSorted())).toSorted());
    const counted = sorted(await all());
    await database.transact(async ({ db }) => {
      await db.deleteFrom('run_stats').execute();
      await db.deleteFrom('run_times').execute();
      for (const statement of countStats(db)) await statement.execute();
    });
    expect(sorted(await all())).toEqual(counted);
    expect(await createRetentionStore(database).removeRuns(ids)).toBe(60);
    expect(sorted(await all())).toEqual(counted);
  });

  test('are removed by their own retention, which differs for hours and days', async () => {
    const store = await opened();
    const stats = createStatsStore(store.database);
    for (const days of [0, 20, 60]) {
      for (const jobId of ['a', 'b']) await ended(store, { jobId, createdAtMs: nowMs - days * dayMs });
    }
    const { whole: all, spans } = await stats.times(
      {},
      { span: 'day', fromMs: today - 69 * dayMs, toMs: today + dayMs },
    );
    expect(all.duration.p50).toEqual(within(1_000));
    expect(spans.map(({ at }) => (today - at) / dayMs)).toEqual([60, 20, 0]);
    const hours = { span: 'hour', beforeMs: nowMs - 15 * dayMs } as const;
    const days = { span: 'day', beforeMs: nowMs - 30 * dayMs } as const;
    // There are counters for each of the two jobs, and for all jobs.
    expect([await stats.countOld(hours), await stats.countOld(days)]).toEqual([6, 3]);
    for (const old of [hours, days]) for await (const _ of stats.removeOld(old));
    expect([await stats.countOld(hours), await stats.countOld(days)]).toEqual([0, 0]);
    const whole = { span: 'day', fromMs: 0, toMs: today + dayMs } as const;
    expect(await stats.counts({ jobId: 'a' }, whole)).toMatchObject([{ at: today - 20 * dayMs }, { at: today }]);
    expect(await stats.counts({ jobId: 'a' }, { ...whole, span: 'hour' })).toMatchObject([{ at: thisHour }]);
  });

  test('show for every job its successes, and its median of 30 days and of each day', async () => {
    const store = await opened();
    const stats = createStatsStore(store.database);
    for (const tookMs of [1_000, 1_000, 4_000]) await ended(store, { jobId: 'a', tookMs });
    await ended(store, { jobId: 'a', by: 'fail' });
    await ended(store, { jobId: 'a', tookMs: 8_000, createdAtMs: nowMs - dayMs });
    await ended(store, { jobId: 'b', tenant: 'acme', createdAtMs: nowMs - 40 * dayMs });
    const of = { fromMs: today - 29 * dayMs, todayMs: today, medianDays: 3 };
    const [a, b] = await stats.jobs(of);
    expect(a).toEqual({
      jobId: 'a',
      success: 4,
      failed: 1,
      cancelled: 0,
      duration: { p50: within(1_000), p95: within(8_000) },
      medians: [null, within(8_000), within(1_000)],
    });
    expect(b).toMatchObject({ jobId: 'b', success: 0, duration: { p50: null }, medians: [null, null, null] });
    expect(await stats.jobs({ ...of, tenant: 'acme' })).toMatchObject([{ jobId: 'b' }]);
    expect(await stats.jobs({ ...of, tenant: 'acme', jobIds: ['a'] })).toMatchObject([{ jobId: 'a', success: 0 }]);
  });

  test('are removed in small parts, even if a job has very many', async () => {
    const { database } = await opened();
    const counters = ['busy', 'calm'].flatMap((job_id) =>
      Array.from({ length: job_id === 'busy' ? 700 : 1 }, (_, n) => {
        const at = thisHour - n * hourMs;
        return { span: 'hour' as const, job_id, at, tenant: 'default', success: 1, failed: 0, cancelled: 0 };
      }),
    );
    await database.transact(({ db }) => db.insertInto('run_stats').values(counters).execute());
    const stats = createStatsStore(database);
    const removed: number[] = [];
    for await (const count of stats.removeOld({ span: 'hour', beforeMs: thisHour })) removed.push(count);
    expect(removed).toEqual([301, 301, 97, 0]);
    expect(await database.read.selectFrom('run_stats').select(['job_id', 'at']).orderBy('job_id').execute()).toEqual([
      { job_id: 'busy', at: thisHour },
      { job_id: 'calm', at: thisHour },
    ]);
  });
});
