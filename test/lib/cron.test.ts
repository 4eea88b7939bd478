// When patterns fire, especially around changes of daylight saving: docs/adr/0011-schedules.md.

import { Cron } from 'croner';
import { array, assert, constantFrom, integer, property, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { type CronTimes, parseCron, shortestGapMs, toLocalTimestamp } from '../../src/lib/cron/cron.ts';

const dayMs = 86_400_000;

function timesOf(pattern: string, timezone: string): CronTimes {
  const times = parseCron(pattern, timezone);
  if ('problem' in times) throw new Error(times.problem);
  return times;
}

function firesOf(pattern: string, timezone: string, from: string, until: string): string[] {
  const times = timesOf(pattern, timezone);
  const found: string[] = [];
  for (let at = times.next(Date.parse(from)); at !== null && at < Date.parse(until); at = times.next(at)) {
    found.push(toLocalTimestamp(at, timezone).replace(':00+', '+').replace(':00-', '-'));
  }
  return found;
}

test.each([
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-03-28T00:00Z',
    ['2026-03-28T02:30+01:00', '2026-03-29T03:00+02:00', '2026-03-30T02:30+02:00'],
  ],
  [
    'America/New_York',
    '30 2 * * *',
    '2026-03-07T06:00Z',
    ['2026-03-07T02:30-05:00', '2026-03-08T03:00-04:00', '2026-03-09T02:30-04:00'],
  ],
  [
    'Australia/Lord_Howe',
    '15 2 * * *',
    '2026-10-02T14:00Z',
    ['2026-10-03T02:15+10:30', '2026-10-04T02:30+11:00', '2026-10-05T02:15+11:00'],
  ],
])(
  'in %s, %s fires right after the gap on the day on which its time does not exist',
  (timezone, pattern, from, fires) => {
    const until = new Date(Date.parse(from) + 2.8 * dayMs).toISOString();
    expect(firesOf(pattern, timezone, from, until)).toEqual(fires);
  },
);

test.each([
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-10-23T23:00Z',
    ['2026-10-24T02:30+02:00', '2026-10-25T02:30+02:00', '2026-10-26T02:30+01:00'],
  ],
  [
    'America/New_York',
    '30 1 * * *',
    '2026-10-31T04:00Z',
    ['2026-10-31T01:30-04:00', '2026-11-01T01:30-04:00', '2026-11-02T01:30-05:00'],
  ],
  [
    'Australia/Lord_Howe',
    '45 1 * * *',
    '2026-04-03T14:00Z',
    ['2026-04-04T01:45+11:00', '2026-04-05T01:45+11:00', '2026-04-06T01:45+10:30'],
  ],
])(
  'in %s, %s fires once on the day on which its time comes twice, at the first of the two',
  (timezone, pattern, from, fires) => {
    const until = new Date(Date.parse(from) + 2.8 * dayMs).toISOString();
    expect(firesOf(pattern, timezone, from, until)).toEqual(fires);
  },
);

test('after the first of two equal times, a daily schedule does not fire again on that day', () => {
  const { next } = timesOf('30 2 * * *', 'Europe/Berlin');
  expect(next(Date.parse('2026-10-25T00:45:00Z'))).toBe(Date.parse('2026-10-26T01:30:00Z'));
  expect(next(Date.parse('2026-10-25T01:29:59.999Z'))).toBe(Date.parse('2026-10-26T01:30:00Z'));
});

test.each([
  ['Europe/Berlin', '2026-03-29T00:00Z', '2026-10-25T00:00Z'],
  ['America/New_York', '2026-03-08T06:00Z', '2026-11-01T05:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T14:30Z', '2026-04-04T14:00Z'],
])('in %s, a pattern for every 15 minutes fires every 15 minutes through both changes', (timezone, ...changes) => {
  const { next } = timesOf('*/15 * * * *', timezone);
  for (const from of changes) {
    let at = Date.parse(from);
    for (let quarter = 0; quarter < 16; quarter += 1) {
      expect(next(at)).toBe(at + 900_000);
      at += 900_000;
    }
  }
});

test('in a list of hours, a time in the gap moves behind it, and two times that meet there fire once', () => {
  const spring = ['2026-03-28T23:00Z', '2026-03-29T22:00Z'] as const;
  expect(firesOf('30 2,5 * * *', 'Europe/Berlin', ...spring)).toEqual([
    '2026-03-29T03:00+02:00',
    '2026-03-29T05:30+02:00',
  ]);
  expect(firesOf('0 2,3 * * *', 'Europe/Berlin', ...spring)).toEqual(['2026-03-29T03:00+02:00']);
  expect(firesOf('30 2,3 * * *', 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z')).toEqual([
    '2026-10-25T02:30+02:00',
    '2026-10-25T03:30+01:00',
  ]);
});

test('a pattern with a step skips the gap, and fires twice in the hour that comes twice', () => {
  expect(firesOf('*/30 2 * * *', 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z')).toEqual([]);
  expect(firesOf('*/30 2 * * *', 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z')).toEqual([
    '2026-10-25T02:00+02:00',
    '2026-10-25T02:30+02:00',
    '2026-10-25T02:00+01:00',
    '2026-10-25T02:30+01:00',
  ]);
});

const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'] as const;
/** The days on which the clocks change. Each change is within the day after the instant. */
const changesOf = Map.groupBy(
  zones.flatMap((timezone) => {
    const offset = (atMs: number) => toLocalTimestamp(atMs, timezone).slice(-6);
    const days = Array.from({ length: 8 * 365 + 2 }, (_, day) => Date.UTC(2024, 0, 1) + day * dayMs);
    const found = days.filter((atMs) => offset(atMs) !== offset(atMs + dayMs));
    return found.map((changeMs) => ({ timezone, changeMs }));
  }),
  ({ timezone }) => timezone,
);
const changes = constantFrom(...[...changesOf.values()].flat());

test('the test covers two changes a year in three zones from 2024 to 2031', () => {
  expect(zones.map((timezone) => changesOf.get(timezone)?.length)).toEqual([16, 16, 16]);
});

test('a daily schedule for any time of day fires once on each local day around a change', () => {
  assert(
    property(
      changes,
      integer({ min: 0, max: 59 }),
      integer({ min: 0, max: 23 }),
      ({ timezone, changeMs }, minute, hour) => {
        const { next } = timesOf(`${minute} ${hour} * * *`, timezone);
        const days: string[] = [];
        for (let at = next(changeMs - 4 * dayMs); at !== null && at < changeMs + 5 * dayMs; at = next(at)) {
          days.push(toLocalTimestamp(at, timezone).slice(0, 10));
        }
        expect(new Set(days).size).toBe(days.length);
        const [first = '', last = ''] = [days.at(0), days.at(-1)];
        expect(days.length).toBe((Date.parse(last) - Date.parse(first)) / dayMs + 1);
        expect(days.length).toBeGreaterThanOrEqual(8);
      },
    ),
    { numRuns: 200 },
  );
});

const field = (max: number) =>
  tuple(
    integer({ min: 0, max }),
    integer({ min: 0, max }),
    integer({ min: 1, max: max + 1 }),
    integer({ min: 0, max: 4 }),
  ).map(
    ([a, b, step, form]) =>
      ['*', `*/${step}`, `${a}`, a === b ? `${a}` : `${a},${b}`, `${Math.min(a, b)}-${Math.max(a, b)}`][form],
  );

test('from any instant, the next time is later, is a whole minute, and skips no time', () => {
  assert(
    property(
      changes,
      field(59),
      field(23),
      integer({ min: -2 * dayMs, max: 3 * dayMs }),
      ({ timezone, changeMs }, minutes, hours, askedAtMs) => {
        const { next } = timesOf(`${minutes} ${hours} * * *`, timezone);
        const at = changeMs + askedAtMs;
        const found = next(at);
        if (found === null) throw new Error('a daily pattern ends');
        expect(found).toBeGreaterThan(at);
        expect(found % 60_000).toBe(0);
        // The pattern has no time between `at` and `found`, and a walk that starts before `at` also finds `found`.
        expect(next(found - 1)).toBe(found);
        let walked = next(at - dayMs / 8);
        while (walked !== null && walked <= at) {
          const following = next(walked);
          expect(following).toBeGreaterThan(walked);
          walked = following;
        }
        expect(walked).toBe(found);
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  ['61 * * * *', 'is not a cron pattern: invalid value for minute: 61'],
  ['@every 5m', 'must be five fields: `*/5 * * * *` means every 5 minutes'],
  ['* * * *', 'must be five fields such as `0 3 * * *`'],
  ['* * * * * *', 'must be five fields such as `0 3 * * *`'],
  [
    '@midday',
    'must be five fields such as `0 3 * * *`, or one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, `@reboot`, `@boot`',
  ],
  ['a b c d e', 'is not a cron pattern: configuration entry 1 (a) contains illegal characters'],
  ['0 24 * * *', 'is not a cron pattern: invalid value for hour: 24'],
  ['0 0 30 2 *', 'never fires: there is no such day'],
  ['0 0 1-28 * +1#5', 'never fires: there is no such day'],
])('%s is refused with a sentence', (pattern, problem) => {
  expect(parseCron(pattern, 'UTC')).toEqual({ problem });
});

test('a pattern that never fires is refused, and the search for its times does not stop the server', () => {
  const before = process.threadCpuUsage();
  // The last Sunday of March has no such hour. A search through all years takes two seconds.
  expect(parseCron('0-59/1 2 * 3 +0L', 'Europe/Berlin')).toEqual({ problem: expect.stringContaining('never fires') });
  expect(process.threadCpuUsage(before).user).toBeLessThan(1_000_000);
});

test.each([
  ['0 0 29 2 +1', '2044-02-29'],
  ['0 0 29 2 +6', '2048-02-29'],
  ['0 0 29 2 +2', '2028-02-29'],
])('%s, which fires once in 28 years, fires on %s', (pattern, day) => {
  const at = timesOf(pattern, 'UTC').next(Date.UTC(2026, 0, 1));
  expect(new Date(at ?? 0).toISOString().slice(0, 10)).toBe(day);
});

test.each([
  ['@yearly', '2026-12-31T23:00:00.000Z'],
  ['@monthly', '2026-06-30T22:00:00.000Z'],
  ['@weekly', '2026-06-06T22:00:00.000Z'],
  ['@midnight', '2026-06-01T22:00:00.000Z'],
  ['@hourly', '2026-06-01T13:00:00.000Z'],
])('in Europe/Berlin, %s fires next at %s', (word, next) => {
  const at = timesOf(word, 'Europe/Berlin').next(Date.parse('2026-06-01T12:30:00Z'));
  expect(new Date(at ?? 0).toISOString()).toBe(next);
});

test('the shortest time between two fires is known', () => {
  expect(shortestGapMs(timesOf('*/5 * * * *', 'UTC'))).toBe(300_000);
  expect(shortestGapMs(timesOf('0 3,4 * * 1', 'UTC'))).toBe(3_600_000);
});

test('a pattern gives the same answer for an instant whatever it was asked before', () => {
  const zone = 'Europe/Berlin';
  const cases = tuple(
    constantFrom('30 2 * * *', '*/20 1-3 * * *', '0 0 29 2 *', '15 * * * 0'),
    array(integer({ min: Date.UTC(2026, 2, 27), max: Date.UTC(2026, 3, 1) }), { minLength: 60, maxLength: 60 }),
  );
  assert(
    property(cases, ([pattern, instants]) => {
      const times = timesOf(pattern, zone);
      const fresh = new Cron(pattern, { timezone: zone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true });
      for (const atMs of instants) expect(times.next(atMs)).toBe(fresh.nextRun(new Date(atMs))?.getTime() ?? null);
    }),
    { numRuns: 20 },
  );
});
