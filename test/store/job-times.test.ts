import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewRun } from '../../src/store/run/runs.ts';
import { createStatsStore } from '../../src/store/stats/stats.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

let dir: string;
let store: Opened;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-times-'));
});
afterEach(async () => {
  await store.database.close();
  await rm(dir, { recursive: true });
});

/** A run that waits a second and then works for `tookMs`. */
async function ran(over: Partial<NewRun>, tookMs: number, by: 'succeed' | 'fail' = 'succeed'): Promise<string> {
  const run = aRun({ jobId: 'shop/release', ...over });
  const startedAtMs = run.createdAtMs + 1_000;
  await store.database.transact(async (tx) => {
    await store.runs.add(tx, run);
    await moveRun(tx, store.runs, run.id, 'claim', { atMs: startedAtMs });
    await moveRun(tx, store.runs, run.id, by, { atMs: startedAtMs + tookMs });
  });
  return run.id;
}

describe.each(engines)('the times of a job on $engine', ({ open }) => {
  const all = { jobId: 'shop/release', sinceMs: 0, limit: 10 };

  test('are those of its ended runs, newest first, without the time that they waited', async () => {
    store = await open(dir);
    const first = await ran({}, 5_000);
    const revised = { source: { name: 'local-fs', type: 'fs' as const, revision: 'sha256:def' } };
    const second = await ran({ createdAtMs: nowMs + 60_000, ...revised }, 9_000, 'fail');
    await ran({ jobId: 'shop/other' }, 1_000);
    await store.database.transact((tx) => store.runs.add(tx, aRun({ jobId: 'shop/release' })));

    const times = await store.runs.times(all);

    expect(times.runs).toEqual([
      expect.objectContaining({ run_id: second, status: 'failed', work_ms: 9_000, revision: 'sha256:def' }),
      expect.objectContaining({ run_id: first, status: 'success', work_ms: 5_000, revision: 'sha256:abc' }),
    ]);
    expect(times.steps).toEqual([
      {
        step_id: 'step_01',
        slowest_instance: null,
        instances: 1,
        runs: 2,
        failed: 1,
        median_ms: 5_000,
        p95_ms: 9_000,
      },
    ]);
    expect(times.more).toBe(false);
  });

  test('can be limited to a time, a number and a tenant, and say whether there are more', async () => {
    store = await open(dir);
    await ran({ tenant: 'acme' }, 1_000);
    const other = await ran({ createdAtMs: nowMs + 1, tenant: 'other' }, 2_000);
    const newest = await ran({ createdAtMs: nowMs + 2, tenant: 'other' }, 3_000);
    const idsOf = async (query: object): Promise<unknown> => {
      const { runs, more } = await store.runs.times({ ...all, ...query });
      return { ids: runs.map(({ run_id: id }) => id), more };
    };
    expect(await idsOf({ tenant: 'other' })).toEqual({ ids: [newest, other], more: false });
    expect(await idsOf({ limit: 1 })).toEqual({ ids: [newest], more: true });
    expect(await idsOf({ sinceMs: nowMs + 1 })).toEqual({ ids: [newest, other], more: false });
  });
});

describe.each(engines)('the recent work of a job on $engine', ({ open }) => {
  const of = { jobId: 'shop/release', tenant: 'default' };

  test('is that of its last 20 successes in its tenant, the shortest first', async () => {
    store = await open(dir);
    for (let n = 1; n <= 22; n += 1) await ran({ createdAtMs: nowMs + n }, (30 - n) * 1_000);
    await ran({ createdAtMs: nowMs + 30 }, 99_000, 'fail');
    await ran({ createdAtMs: nowMs + 31, tenant: 'other' }, 98_000);
    await ran({ createdAtMs: nowMs + 32, jobId: 'shop/other' }, 97_000);
    const expected = Array.from({ length: 20 }, (_, n) => (n + 8) * 1_000);
    expect(await store.runs.recentWork(of)).toEqual(expected);
    expect(await store.runs.recentWork({ ...of, jobId: 'shop/never' })).toEqual([]);
  });

  test('does not count the time in which approvals waited', async () => {
    store = await open(dir);
    const id = await ran({}, 60_000);
    await store.database.transact((tx) =>
      tx.db
        .updateTable('steps')
        .set({ kind: 'approval', started_at: nowMs + 11_000, finished_at: nowMs + 51_000 })
        .where('run_id', '=', id)
        .execute(),
    );
    expect(await store.runs.recentWork(of)).toEqual([20_000]);
  });

  const step = { step_id: 'step_01', n: 1, name: 'ship', kind: 'command', needs: [] } as const;
  const kept = { status: 'success', exit_code: null, outputs: '{}', sealed: null } as const;
  const asked = {
    step_id: 'ask',
    n: 2,
    name: 'ask',
    kind: 'approval',
    needs: [],
    kept: { ...kept, started_at: nowMs - 9_000, finished_at: nowMs - 1_000 },
  } as const;
  const built = {
    step_id: 'build',
    n: 3,
    name: 'build',
    kind: 'command',
    needs: [],
    kept: { ...kept, started_at: nowMs - 60_000, finished_at: nowMs - 9_000 },
  } as const;
  const hourMs = 3_600_000;
  const tookMs = async (): Promise<number | null> => {
    const day = { span: 'hour', fromMs: nowMs - 9 * hourMs, toMs: nowMs + hourMs } as const;
    return (await createStatsStore(store.database).times({}, day)).whole.duration.p50;
  };

  test('leaves out reruns that kept steps, however many there are, and the statistics leave them out as well', async () => {
    store = await open(dir);
    for (let n = 1; n <= 25; n += 1) await ran({ createdAtMs: nowMs + n, steps: [step, asked, built] }, 5_000);
    expect(await store.runs.recentWork(of)).toEqual([]);
    expect(await tookMs()).toBe(null);
    await ran({}, 20_000);
    expect(await store.runs.recentWork(of)).toEqual([20_000]);
    expect(await tookMs()).toBeGreaterThan(18_000);
  });

  test('does not count the time in which a kept approval waited', async () => {
    store = await open(dir);
    const id = await ran({ steps: [step, asked] }, 5_000);
    expect(await store.runs.recentWork(of)).toEqual([5_000]);
    expect(await tookMs()).toBeGreaterThan(4_700);
    expect(await store.runs.summary(id)).toMatchObject({ approval_ms: 0 });
    expect(await store.runs.get(id)).toMatchObject({ approval_ms: 0 });
  });

  test('leaves out a rerun that kept steps, whose own times say so and cover only the steps that it executed', async () => {
    store = await open(dir);
    await ran({ steps: [step, asked, built] }, 5_000);
    await ran({ createdAtMs: nowMs - 1, steps: [step, asked] }, 6_000);
    const { runs, steps } = await store.runs.times({ jobId: of.jobId, sinceMs: 0, limit: 10 });
    expect(runs).toMatchObject([
      { work_ms: 5_000, kept_steps: true },
      { work_ms: 6_000, kept_steps: false },
    ]);
    expect(steps.map(({ step_id: stepId }) => stepId)).toEqual(['step_01']);
  });
});
