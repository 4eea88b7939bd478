import { expect, test } from 'vitest';
import { type DayRule, isDate, isTooFar, onDays } from '../../src/lib/cron/calendar-days.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';
import { expectWithin, msOf } from '../support/goes.ts';

const everyDay: DayRule = { only: null, except: new Set() };

function times(cron: string, zone: string, rule: Partial<DayRule>, from: string, count: number): string[] {
  const parsed = parseCron(cron, zone);
  if ('problem' in parsed) throw new Error(parsed.problem);
  const { next } = onDays(parsed, { ...everyDay, ...rule }, zone);
  const found: string[] = [];
  for (let at = next(Date.parse(from)); at !== null && found.length < count; at = next(at))
    found.push(new Date(at).toISOString().slice(0, 16));
  return found;
}

test('a time belongs to the day that the wall clock of its zone shows', () => {
  const except = new Set(['2026-12-25']);
  // In Auckland it is December 25 from 11:00 UTC on December 24 until 11:00 UTC on December 25.
  expect(times('0 */6 * * *', 'Pacific/Auckland', { except }, '2026-12-24T04:00Z', 3)).toEqual([
    '2026-12-24T05:00',
    '2026-12-25T11:00',
    '2026-12-25T17:00',
  ]);
});

test('days on which the clocks change have all their times', () => {
  const only = new Set(['2026-03-29', '2026-10-25']);
  expect(times('0 0,3,23 * * *', 'Europe/Berlin', { only }, '2026-01-01T00:00Z', 9)).toEqual([
    '2026-03-28T23:00',
    '2026-03-29T01:00',
    '2026-03-29T21:00',
    '2026-10-24T22:00',
    '2026-10-25T02:00',
    '2026-10-25T22:00',
  ]);
});

test('a day in both lists is left out, and there are no times after the last day', () => {
  const only = new Set(['2026-05-01', '2026-05-02']);
  const except = new Set(['2026-05-02']);
  expect(times('0 9 * * *', 'UTC', { only, except }, '2026-01-01T00:00Z', 9)).toEqual(['2026-05-01T09:00']);
});

test('skipping ten years of left-out days takes no more than a few steps', async () => {
  const days = Array.from({ length: 3_650 }, (_, n) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10));
  await expectWithin(1_000, () =>
    msOf(() =>
      expect(times('* * * * *', 'Europe/Berlin', { except: new Set(days) }, '2026-01-01T12:00Z', 1)).toEqual([
        '2035-12-29T23:00',
      ]),
    ),
  );
});

/** Counts how often the pattern is asked. */
function counted(cron: string, rule: Partial<DayRule>) {
  const parsed = parseCron(cron, 'Europe/Berlin');
  if ('problem' in parsed) throw new Error(parsed.problem);
  let asked = 0;
  const next = (afterMs: number): number | null => {
    asked += 1;
    return parsed.next(afterMs);
  };
  return { ...onDays({ next }, { ...everyDay, ...rule }, 'Europe/Berlin'), asked: () => asked };
}

test('finding a day thousands of years ahead takes no longer than finding tomorrow', async () => {
  await expectWithin(500, async () => {
    const { next, asked } = counted('* * * * *', { only: new Set(['9998-12-31']) });
    const tookMs = await msOf(() => expect(next(Date.UTC(2026, 0, 1))).toBeNull());
    expect(asked()).toBe(2);
    return tookMs;
  });
});

test('when a pattern misses every day of its calendar, each day is tried once and never again', () => {
  const even = Array.from({ length: 1_000 }, (_, n) =>
    new Date(Date.UTC(2026, 0, 2 + 2 * n)).toISOString().slice(0, 10),
  );
  const mondays = even.filter((day) => new Date(day).getUTCDay() === 1);
  const { next, asked } = counted('0 9 * * 2', { only: new Set(mondays) });
  for (let n = 0; n < 100; n += 1) expect(next(Date.UTC(2026, 0, 1) + n)).toBeNull();
  expect(asked()).toBeLessThanOrEqual(mondays.length + 1);
});

test('a calendar whose days are all left out has no time', () => {
  const days = new Set(['2026-05-01', '2027-05-01']);
  const { next, asked } = counted('0 9 * * *', { only: days, except: days });
  expect(next(Date.UTC(2026, 0, 1))).toBeNull();
  expect(asked()).toBe(1);
});

test('times can also be found from the first years of the calendar', () => {
  expect(times('0 9 * * *', 'UTC', { only: new Set(['2031-05-01']) }, '0005-01-01T00:00:00Z', 2)).toEqual([
    '2031-05-01T09:00',
  ]);
});

test.each([
  ['2076-11-29', false],
  ['2076-11-30', true],
  ['9999-12-31', true],
  ['1999-12-31', false],
])('on 29 November 2026, whether %s is too far ahead is %s', (date, is) =>
  expect(isTooFar(date, Date.UTC(2026, 10, 29, 12))).toBe(is),
);

test.each([
  ['2028-02-29', true],
  ['2026-02-29', false],
  ['2026-13-01', false],
  ['2026-1-1', false],
])('whether %s is a date is %s', (text, is) => expect(isDate(text)).toBe(is));
