import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewLate } from '../../src/store/late.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

describe.each(engines)('late runs and successes on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-late-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const job = { tenant: 'default', jobId: 'backup/daily' };
  const one: NewLate = {
    ...job,
    kind: 'by',
    key: '2024-01-15',
    atMs: nowMs,
    runId: null,
    scheduleId: null,
    detail: 'No run succeeded by 06:00.',
  };
  const add = (over: Partial<NewLate> = {}): Promise<boolean> =>
    store.database.transact((tx) => store.late.add(tx, { ...one, ...over }));
  const keys = async (query: Partial<Parameters<Opened['late']['list']>[0]> = {}) =>
    (await store.late.list({ limit: 10, ...query })).map(({ key }) => key);

  test('each entry is stored once, can end, and can be opened again with a new text', async () => {
    expect(await add()).toBe(true);
    expect(await add({ detail: 'again' })).toBe(false);
    await add({ key: '2024-01-16', atMs: nowMs + 1, tenant: 'acme' });
    await store.database.transact((tx) => store.late.end(tx, { ...one, overAtMs: null }, nowMs + 5));
    expect(await store.late.list({ limit: 10, ...job })).toEqual([{ ...one, overAtMs: nowMs + 5 }]);
    expect(await keys({ isOpen: true })).toEqual(['2024-01-16']);

    const again = { ...one, atMs: nowMs + 9, detail: 'No run succeeded by 07:00.' };
    await store.database.transact((tx) => store.late.reopen(tx, again));
    expect(await store.late.list({ limit: 1 })).toEqual([{ ...again, overAtMs: null }]);
    expect(await store.late.removeOld(nowMs + 9, 10)).toBe(1);
    expect(await keys()).toEqual(['2024-01-15']);
  });

  test('the channels that were told are stored for each job and for each kind of lateness', async () => {
    const late = { ...one, overAtMs: null };
    await add();
    await add({ kind: 'missed', key: '0600' });
    await add({ key: '2024-01-16', atMs: nowMs + 1 });
    const tell = (key: string, told: Readonly<Record<string, number>>) =>
      store.database.transact((tx) => store.late.setTold(tx, { ...late, key }, told));
    await tell('2024-01-15', { team: 1, ops: 2 });
    expect((await store.late.untold(10)).map(({ key }) => key)).toEqual(['0600', '2024-01-16']);
    await tell('2024-01-16', { team: 3 });
    expect(await store.late.lastTold(late)).toEqual(
      new Map([
        ['team', 3],
        ['ops', 2],
      ]),
    );
    expect(await store.late.lastTold({ ...late, kind: 'missed' })).toEqual(new Map());
  });

  test('the jobs that expect a success are known, and so are their running and successful runs', async () => {
    const expecting = { jobId: job.jobId, terms: 'by 06:00', sinceMs: nowMs };
    const begun = [expecting, { ...expecting, jobId: 'shop/release' }];
    await store.database.transact((tx) => store.late.setExpecting(tx, { begun, ended: [] }));
    await store.database.transact((tx) => store.late.setExpecting(tx, { begun: [], ended: ['shop/release'] }));
    expect(await store.late.expecting()).toEqual([expecting]);

    const run = aRun();
    await store.database.transact(async (tx) => {
      await store.runs.add(tx, run);
      await moveRun(tx, store.runs, run.id, 'claim', { atMs: nowMs + 1_000 });
    });
    expect(await store.late.running()).toEqual([{ ...job, runId: run.id, startedAtMs: nowMs + 1_000 }]);
    expect(await store.late.lastSuccessAtMs(job)).toBeNull();
    await store.database.transact((tx) => moveRun(tx, store.runs, run.id, 'succeed', { atMs: nowMs + 2_000 }));
    expect(await store.late.lastSuccessAtMs(job)).toBe(nowMs + 2_000);
    expect(await store.late.hasSuccess(job, { fromMs: nowMs, toMs: nowMs + 5_000 })).toBe(true);
    expect(await store.late.hasSuccess(job, { fromMs: nowMs + 3_000, toMs: nowMs + 5_000 })).toBe(false);
  });
});
