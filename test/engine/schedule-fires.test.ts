// What the schedules started, missed and will start between two times.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import type { Fires, FiresQuery } from '../../src/engine/schedule/schedule-fires.ts';
import { dataFolder } from './an-engine.ts';
import { hourMs, openClocked, scheduled } from './schedule-fixture.ts';

const dayMs = 24 * hourMs;

function query(since: string, until: string, more: Partial<FiresQuery> = {}): FiresQuery {
  return { sinceMs: Date.parse(since), untilMs: Date.parse(until), limit: 100, runsKeptMs: null, ...more };
}

function toRows({ fires }: Fires) {
  return fires.map(({ schedule, nominalAtMs, state, isLate, run }) => {
    expect(run !== null).toBe(state === 'started');
    const at = new Date(nominalAtMs).toISOString().slice(0, 16);
    return `${schedule.jobId} ${at} ${state}${isLate ? ' late' : ''}`;
  });
}

test('the view of a week shows what ran, what was missed while the server was off, and what will run', async () => {
  const root = dataFolder();
  const jobs = {
    night: scheduled({ cron: '0 2 * * *', timezone: 'UTC' }),
    noon: scheduled({ cron: '0 12 * * *', timezone: 'UTC', catch_up: 'last' }),
    held: scheduled({ cron: '0 3 * * *', timezone: 'UTC', held: true }),
  };
  const before = await openClocked(root, '2026-06-01T00:00:30Z', { jobs });
  await before.at('2026-06-01T02:00:01Z');
  await before.at('2026-06-01T12:00:01Z');
  await before.close();
  const { engine, at } = await openClocked(root, '2026-06-03T01:00:00Z');
  const week = query('2026-06-01T00:00:00Z', '2026-06-05T00:00:00Z');
  const found = await engine.schedules.fires(week, localPrincipal);
  expect(toRows(found)).toEqual([
    'night 2026-06-01T02:00 started',
    'noon 2026-06-01T12:00 started',
    'night 2026-06-02T02:00 missed',
    'noon 2026-06-02T12:00 started late',
    'night 2026-06-03T02:00 upcoming',
    'noon 2026-06-03T12:00 upcoming',
    'night 2026-06-04T02:00 upcoming',
    'noon 2026-06-04T12:00 upcoming',
  ]);
  expect(found.isComplete).toBe(true);

  const part = await engine.schedules.fires({ ...week, limit: 5 }, localPrincipal);
  expect(toRows(part)).toEqual(toRows(found).slice(0, 5));
  expect(part.isComplete).toBe(false);
  expect(toRows(await engine.schedules.fires({ ...week, jobId: 'noon' }, localPrincipal))).toHaveLength(4);
  expect(toRows(await engine.schedules.fires(week, { tenant: 'other' }))).toEqual([]);
  // A time that is older than the retention of runs does not count as missed, because its run may have been removed.
  await at('2026-06-03T01:00:01Z');
  const forgetful = await engine.schedules.fires({ ...week, runsKeptMs: hourMs }, localPrincipal);
  expect(toRows(forgetful).some((row) => row.includes('missed'))).toBe(false);
});

test('for a schedule that fires every few minutes, the answer has counts instead of single times', async () => {
  const root = dataFolder();
  const jobs = { often: scheduled({ cron: '*/20 * * * *', timezone: 'UTC' }) };
  const before = await openClocked(root, '2026-06-01T00:00:30Z', { jobs });
  await before.walk('2026-06-01T01:00:30Z', 10 * 60_000);
  await before.close();
  const { engine, at } = await openClocked(root, '2026-06-01T02:05:00Z');
  await at('2026-06-01T02:20:01Z');
  const { fires, frequent, isComplete } = await engine.schedules.fires(
    query('2026-06-01T00:00:00Z', '2026-06-02T00:00:00Z'),
    localPrincipal,
  );
  expect(fires).toEqual([]);
  expect(isComplete).toBe(true);
  const [often] = frequent;
  // 00:20, 00:40, 01:00 and 02:20 ran; 01:20, 01:40 and 02:00 did not.
  expect(Object.values(often?.counts ?? {}).reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(often).toMatchObject({
    missed: 3,
    lastMissedAtMs: Date.parse('2026-06-01T02:00:00Z'),
    nextAtMs: Date.parse('2026-06-01T02:40:00Z'),
  });
});

test('a schedule that a person starts now runs with its own arguments, and its next times do not change', async () => {
  const jobs = { night: scheduled({ cron: '0 2 * * *', timezone: 'UTC', labels: { team: 'ops' } }) };
  const { engine, store } = await openClocked(dataFolder(), '2026-06-01T00:00:30Z', { jobs });
  const [view] = await engine.schedules.list(localPrincipal);
  const id = view?.schedule.id ?? '';
  const { runId } = await engine.schedules.run(id, { principal: localPrincipal, requestId: 'req_1' }, undefined);
  expect(await store.runs.summary(runId)).toMatchObject({
    job_id: 'night',
    trigger: { type: 'schedule' },
    created_by: 'local',
    labels: { team: 'ops', schedule_id: id },
  });
  const after = await engine.schedules.get(id, localPrincipal);
  expect(after).toMatchObject({ lastRun: { runId, nominalAtMs: null }, state: { lastFire: null } });
  const sinceMs = Date.parse('2026-06-01T00:00:00Z');
  const day = { sinceMs, untilMs: sinceMs + dayMs, limit: 10, runsKeptMs: null };
  expect(toRows(await engine.schedules.fires(day, localPrincipal))).toEqual(['night 2026-06-01T02:00 upcoming']);
});
