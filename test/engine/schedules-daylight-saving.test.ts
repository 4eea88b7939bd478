// Schedules of a server that runs through both changes of daylight saving, and of one that is off during a change.

import { randomInt } from 'node:crypto';
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

/** Changes of a whole hour, of half an hour, and at midnight. */
const changes: readonly (readonly [timezone: string, at: string])[] = [
  ['Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z'],
  ['America/New_York', '2026-11-01T06:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['America/Havana', '2026-03-08T05:00:00Z'],
];

test.each(changes)(
  'any time of day starts one run a day over the change in %s at %s, with the server on and off',
  async (timezone, changeAt) => {
    // Most changes are before four o'clock.
    const times = [4, 4, 4, 24].map((hours) => [randomInt(hours), 15 * randomInt(4)] as const);
    const of = (more: object) =>
      Object.fromEntries(
        times.map(([hour, minute], n) => [
          `job${n}`,
          scheduled({ cron: `${minute} ${hour} * * *`, timezone, ...more }),
        ]),
      );
    const awayFromChange = (hours: number) => new Date(Date.parse(changeAt) + hours * 60 * minuteMs).toISOString();
    const [from, until] = [awayFromChange(-36), awayFromChange(36)];
    const expected = times.map(([hour, minute]) =>
      startsOf(timezone, [hour, minute], Date.parse(from), Date.parse(until)),
    );

    const on = await openClocked(dataFolder(), from, { jobs: of({}) });
    await on.walk(until, 15 * minuteMs);
    const root = dataFolder();
    await (await openClocked(root, from, { jobs: of({ catch_up: 'all' }) })).close();
    const off = await openClocked(root, until);
    for (const { fires } of [on, off]) {
      const seen = await Promise.all(times.map((_, n) => fires(`job${n}`)));
      expect({ times, seen }).toEqual({ times, seen: expected });
    }
  },
);

/** The first minute of each local day that is not before the time. So a time that comes twice counts once. */
function startsOf(
  timeZone: string,
  [hour, minute]: readonly [number, number],
  fromMs: number,
  untilMs: number,
): string[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const time = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
  const reached = new Set<string>();
  const starts: number[] = [];
  for (let ms = fromMs - 26 * 60 * minuteMs; ms <= untilMs; ms += minuteMs) {
    const [day = '', now = ''] = format.format(ms).split(' ');
    if (reached.has(day) || now < time) continue;
    reached.add(day);
    starts.push(ms);
  }
  return starts.filter((ms) => ms > fromMs).map((ms) => new Date(ms).toISOString().replace(':00.000Z', 'Z'));
}
