import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engines, nowMs, type Opened } from './engines.ts';

describe.each(engines)('heartbeats on $engine', ({ open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-heartbeats-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const put = (scheduleId: string, runId: string, atMs: number): Promise<void> =>
    store.database.transact((tx) =>
      store.heartbeats.put(
        tx,
        { scheduleId, tenant: 'default', to: { secret: 'ping' }, runId, successAtMs: atMs },
        atMs,
      ),
    );
  const find = async (scheduleId: string) => {
    const found = await store.heartbeats.find(scheduleId);
    if (!found) throw new Error(`no heartbeat of ${scheduleId}`);
    return found;
  };

  test('the call for a newer success replaces that of an earlier one, and the results of the last calls stay', async () => {
    await put('schedule_1', 'run_1', nowMs);
    const first = await find('schedule_1');
    await store.database.transact((tx) =>
      store.heartbeats.settle(tx, first, { atMs: nowMs + 1, error: 'the answer was 503', nextAtMs: nowMs + 60 }),
    );
    expect(await find('schedule_1')).toEqual({
      ...first,
      attempts: 1,
      nextAtMs: nowMs + 60,
      lastFailure: { atMs: nowMs + 1, error: 'the answer was 503' },
    });

    await put('schedule_1', 'run_2', nowMs + 10);
    await store.database.transact((tx) =>
      store.heartbeats.settle(tx, first, { atMs: nowMs + 11, error: null, nextAtMs: null }),
    );
    expect(await find('schedule_1')).toMatchObject({
      to: { secret: 'ping' },
      runId: 'run_2',
      attempts: 0,
      nextAtMs: nowMs + 10,
      lastCall: { atMs: nowMs + 11 },
      lastFailure: { atMs: nowMs + 1 },
    });
  });

  test('due calls are returned in order, without those of busy schedules, and move when the clock is set', async () => {
    await put('schedule_1', 'run_1', nowMs + 2);
    await put('schedule_2', 'run_2', nowMs + 1);
    await put('schedule_3', 'run_3', nowMs + 9);
    const due = async (busy: readonly string[]) =>
      (await store.heartbeats.due(nowMs + 5, busy, 10)).map(({ scheduleId }) => scheduleId);
    expect(await due([])).toEqual(['schedule_2', 'schedule_1']);
    expect(await due(['schedule_2'])).toEqual(['schedule_1']);
    expect(await store.heartbeats.nextDueAtMs(nowMs + 5)).toBe(nowMs + 9);

    await store.database.transact((tx) => store.heartbeats.moveDues(tx, 100));
    expect(await due([])).toEqual([]);
    expect(await find('schedule_3')).toMatchObject({ nextAtMs: nowMs + 109, successAtMs: nowMs + 109 });
  });
});
