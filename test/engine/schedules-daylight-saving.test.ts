// Schedules of a server that runs through both changes of daylight saving, and of one that is off during a change.

import { expect, test } from 'vitest';
import { dataFolder } from './an-engine.ts';
import { minuteMs, openClocked, scheduled } from './schedule-fixture.ts';

const berlin = { timezone: 'Europe/Berlin' };
const jobs = {
  night: scheduled({ cron: '30 2 * * *', ...berlin }),
  hours: scheduled({ cron: '0 */2 * * *', ...berlin }),
  howe: scheduled({ cron: '15 2 * * *', timezone: 'Australia/Lord_Howe' }),
};

test('in spring, a schedule for 02:30 runs at 03:00 in the night in which 02:30 does not exist', async () => {
  const { walk, fires } = await openClocked(dataFolder(), '2026-03-27T23:00:00Z', { jobs });
  await walk('2026-03-30T12:00:00Z', 10 * minuteMs);
  expect(await fires('night')).toEqual(['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z']);
  expect((await fires('hours')).slice(10, 14)).toEqual([
    '2026-03-28T21:00Z',
    '2026-03-28T23:00Z',
    '2026-03-29T02:00Z',
    '2026-03-29T04:00Z',
  ]);
});

test('in autumn, a schedule for 02:30 runs once in the night in which 02:30 comes twice', async () => {
  const { walk, fires } = await openClocked(dataFolder(), '2026-10-23T22:00:00Z', { jobs });
  await walk('2026-10-26T12:00:00Z', 10 * minuteMs);
  expect(await fires('night')).toEqual(['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z']);
});

test('schedules also run correctly where the clocks change by half an hour', async () => {
  const { walk, fires } = await openClocked(dataFolder(), '2026-10-02T14:00:00Z', { jobs });
  await walk('2026-10-05T12:00:00Z', 15 * minuteMs);
  expect(await fires('howe')).toEqual(['2026-10-02T15:45Z', '2026-10-03T15:30Z', '2026-10-04T15:15Z']);
});

test('catching up across a change of the clocks counts each night once', async () => {
  const root = dataFolder();
  const all = { night: scheduled({ cron: '30 2 * * *', ...berlin, catch_up: 'all' }) };
  const before = await openClocked(root, '2026-10-23T22:00:00Z', { jobs: all });
  await before.close();
  const { fires } = await openClocked(root, '2026-10-26T12:00:00Z');
  expect(await fires('night')).toEqual(['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z']);
});
