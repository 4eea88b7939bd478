import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoredSchedule } from '../../src/store/schedule/schedules.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

const nightly: StoredSchedule = {
  id: 'schedule_1',
  name: 'Nightly',
  jobId: 'backup/daily',
  tenant: 'default',
  source: 'api',
  held: false,
  cron: '0 3 * * *',
  atMs: null,
  calendar: null,
  except: [],
  timezone: 'Europe/Berlin',
  args: { target: '/mnt/backup' },
  catchUp: 'last',
  jitterMs: 30_000,
  enabled: true,
  labels: { team: 'ops' },
  createdAtMs: nowMs,
  updatedAtMs: nowMs,
  createdBy: 'local',
  boundTo: { tokenId: 'token_1', isAgent: true },
};

describe.each(engines)('schedules on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-schedules-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const begin = (id = 'schedule_1') => store.database.transact((tx) => store.schedules.begin(tx, id, nowMs));
  const fire = (nominalAtMs: number, runId = 'run_1') =>
    store.database.transact((tx) =>
      store.schedules.fire(tx, 'schedule_1', { nominalAtMs, atMs: nominalAtMs + 7, runId }),
    );
  const state = async () => (await store.schedules.states()).get('schedule_1');

  test('a schedule is stored unchanged, even across a restart, until it is replaced or removed', async () => {
    await store.database.transact((tx) => store.schedules.put(tx, nightly));
    await store.database.close();
    store = await open(dir);
    expect(await store.schedules.all()).toEqual([nightly]);

    const weekly = { ...nightly, name: null, cron: '0 3 * * 1', enabled: false, updatedAtMs: nowMs + 1 };
    await store.database.transact((tx) => store.schedules.put(tx, weekly));
    expect(await store.schedules.all()).toEqual([weekly]);
    expect(await store.schedules.find('schedule_1')).toEqual(weekly);
    expect(await store.schedules.find('schedule_2')).toBeUndefined();

    await begin();
    await store.database.transact((tx) => store.schedules.remove(tx, 'schedule_1'));
    expect(await store.schedules.all()).toEqual([]);
    expect(await state()).toBeUndefined();
  });

  test('a nominal time fires once, and earlier times do not fire afterwards', async () => {
    await begin();
    expect(await fire(nowMs + minuteMs)).toBe(true);
    expect(await fire(nowMs + minuteMs, 'run_2')).toBe(false);
    expect(await fire(nowMs, 'run_3')).toBe(false);
    await store.database.transact((tx) => store.schedules.setJob(tx, 'schedule_1', 'etl/load'));
    expect(await state()).toEqual({
      sinceMs: nowMs,
      settledAtMs: nowMs + minuteMs,
      idleSinceMs: null,
      held: null,
      notBeforeMs: null,
      lastFire: { nominalAtMs: nowMs + minuteMs, atMs: nowMs + minuteMs + 7, runId: 'run_1' },
      lastError: null,
      jobId: 'etl/load',
    });
  });

  test('a schedule that is held, disabled or removed does not fire, and stays held until somebody releases it', async () => {
    await begin();
    await store.database.transact((tx) => store.schedules.hold(tx, 'schedule_1', nowMs + 1));
    expect(await fire(nowMs + minuteMs)).toBe(false);
    await store.database.transact((tx) => store.schedules.settle(tx, 'schedule_1', nowMs + minuteMs, null));
    expect(await state()).toMatchObject({ held: true, idleSinceMs: nowMs + 1, settledAtMs: null });
    await store.database.transact((tx) => store.schedules.forget(tx, ['schedule_1'], nowMs + 900 * dayMs));
    const release = { sinceMs: nowMs + 2, notBeforeMs: nowMs + 3, idleSinceMs: null };
    await store.database.transact((tx) => store.schedules.release(tx, 'schedule_1', release));
    expect(await state()).toMatchObject({ held: false, ...release });
    expect(await fire(nowMs + minuteMs)).toBe(true);
    await store.database.transact((tx) => store.schedules.rest(tx, 'schedule_1', nowMs + dayMs));
    expect(await fire(nowMs + 2 * minuteMs)).toBe(false);
  });

  test('two requests to fire for the same time make one run', async () => {
    await begin();
    expect(await Promise.all([fire(nowMs + minuteMs), fire(nowMs + minuteMs, 'run_2')])).toEqual([true, false]);
  });

  test('if the run of a fire is not added, the schedule has not fired', async () => {
    await begin();
    const broken = store.database.transact(async (tx) => {
      await store.schedules.fire(tx, 'schedule_1', { nominalAtMs: nowMs, atMs: nowMs, runId: 'run_1' });
      await store.runs.add(tx, aRun({ id: 'run_1' }));
      await store.runs.add(tx, aRun({ id: 'run_1' }));
    });
    await expect(broken).rejects.toThrow();
    expect(await state()).toMatchObject({ settledAtMs: null, lastFire: null });
    expect(await store.runs.get('run_1')).toBeUndefined();
    expect(await fire(nowMs, 'run_2')).toBe(true);
  });

  test('an error is shown until the next run starts, and the failed time is not tried again', async () => {
    await begin();
    const error = { nominalAtMs: nowMs + minuteMs, atMs: nowMs + minuteMs, type: 'job-not-found', detail: 'gone' };
    await store.database.transact((tx) => store.schedules.settle(tx, 'schedule_1', nowMs + minuteMs, error));
    expect(await state()).toMatchObject({ settledAtMs: nowMs + minuteMs, lastFire: null, lastError: error });
    expect(await fire(nowMs + minuteMs)).toBe(false);
    expect(await fire(nowMs + 2 * minuteMs)).toBe(true);
    expect(await state()).toMatchObject({ lastError: null, lastFire: { runId: 'run_1' } });
  });

  test('a schedule that returns still has its state, unless it was gone for long', async () => {
    await begin();
    await fire(nowMs + minuteMs);
    await store.database.transact((tx) => store.schedules.rest(tx, 'schedule_1', nowMs + dayMs));
    expect(await state()).toMatchObject({ idleSinceMs: nowMs + dayMs });
    const forget = (beforeMs: number) =>
      store.database.transact((tx) => store.schedules.forget(tx, ['schedule_1'], beforeMs));
    await forget(nowMs + dayMs);
    await store.database.transact((tx) => store.schedules.begin(tx, 'schedule_1', nowMs + 2 * dayMs));
    expect(await state()).toMatchObject({
      sinceMs: nowMs + 2 * dayMs,
      settledAtMs: nowMs + minuteMs,
      idleSinceMs: null,
    });

    await forget(nowMs + 9 * dayMs);
    expect(await state()).toBeDefined();
    await store.database.transact((tx) => store.schedules.rest(tx, 'schedule_1', nowMs + 3 * dayMs));
    await forget(nowMs + 9 * dayMs);
    expect(await state()).toBeUndefined();
  });
});
