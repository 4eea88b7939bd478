import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aBackfill } from './a-backfill.ts';
import { engines, nowMs, type Opened } from './engines.ts';

describe.each(engines)('backfills on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-backfills-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const underWay = { status: 'running', finishedAtMs: null, times: [1, 2, 3], inSpan: 3 } as const;
  const add = (id: string, more: object = {}, most = 9) =>
    store.database.transact((tx) => store.backfills.add(tx, aBackfill({ id, ...more }), most));
  const advance = (cursor: number, how: 'started' | 'left-out' = 'started') =>
    store.database.transact((tx) => store.backfills.advance(tx, { id: 'b1', cursor, tenant: 'default' }, how));
  const pause = (tenant: string) =>
    store.database.transact((tx) => store.schedules.pause(tx, tenant, { atMs: nowMs, by: 'local' }));
  const resume = (tenant: string) => store.database.transact((tx) => store.schedules.resume(tx, tenant));

  test('each time is processed once, and after a restart the remaining times are still there', async () => {
    await add('b1', underWay);
    expect(await Promise.all([advance(0), advance(0)])).toEqual([true, false]);
    expect(await advance(1, 'left-out')).toBe(true);
    await store.database.close();
    store = await open(dir);
    const left = { id: 'b1', times: [1, 2, 3], cursor: 2, started: 1, leftOut: 1, status: 'running' };
    expect(await store.backfills.open()).toMatchObject([left]);
  });

  test('no time is processed while schedules are paused, or after the backfill has ended', async () => {
    await add('b1', underWay);
    for (const tenant of ['default', '*']) {
      await pause(tenant);
      expect(await advance(0)).toBe(false);
      await resume(tenant);
    }
    await pause('other');
    expect(await advance(0)).toBe(true);
    const end = { status: 'cancelled', atMs: nowMs, failedRuns: null, error: null } as const;
    const ended = () => store.database.transact((tx) => store.backfills.end(tx, 'b1', end));
    expect([await ended(), await ended()]).toEqual([true, false]);
    expect(await advance(1)).toBe(false);
    expect(await store.backfills.open()).toEqual([]);
    expect(await store.backfills.find('b1')).toMatchObject({ status: 'cancelled', finishedAtMs: nowMs, started: 1 });
  });

  test('lists can be limited to a tenant and to jobs, and a tenant can have only a given number under way', async () => {
    await add('b1', { ...underWay, createdAtMs: 1 });
    await add('b2', { createdAtMs: 2, jobId: 'other' });
    await add('b3', { createdAtMs: 2, tenant: 'acme' });
    expect(await add('b4', underWay, 1)).toBe(false);
    expect(await add('b5', { ...underWay, tenant: 'acme', createdAtMs: 3 }, 1)).toBe(true);
    const page = async (o: Partial<Parameters<typeof store.backfills.page>[0]>) => {
      const query = {
        tenant: undefined,
        jobIds: undefined,
        scheduleId: undefined,
        status: undefined,
        after: undefined,
        offset: 0,
        limit: 9,
        ...o,
      };
      const { backfills, total } = await store.backfills.page(query);
      return { ids: backfills.map(({ id }) => id), total };
    };
    expect((await page({ status: 'running' })).total).toBe(2);
    expect((await page({ scheduleId: 'another' })).total).toBe(0);
    expect(await page({})).toEqual({ ids: ['b5', 'b3', 'b2', 'b1'], total: 4 });
    expect(await page({ tenant: 'acme', limit: 1 })).toEqual({ ids: ['b5'], total: 2 });
    expect(await page({ after: { createdAtMs: 2, id: 'b3' } })).toEqual({ ids: ['b2', 'b1'], total: 4 });
    expect(await page({ jobIds: ['other'], offset: 0 })).toEqual({ ids: ['b2'], total: 1 });
    expect(await page({ jobIds: [] })).toEqual({ ids: [], total: 0 });
    expect((await store.backfills.jobIds(undefined)).toSorted()).toEqual(['demo', 'other']);
    expect(await store.backfills.jobIds('acme')).toEqual(['demo']);
    expect(await store.backfills.removeOld(2, 9)).toBe(2);
    expect(await page({})).toEqual({ ids: ['b5', 'b1'], total: 2 });
  });
});
