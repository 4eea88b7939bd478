import { expect, test } from 'vitest';
import { type DayRule, isDate, onDays } from '../../src/lib/cron/calendar-days.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';

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

test('a time is on the day that the wall clock of its zone shows', () => {
  const except = new Set(['2026-12-25']);
  // In Auckland it is December 25 from 11:00 UTC on December 24 until 11:00 UTC on December 25.
  expect(times('0 */6 * * *', 'Pacific/Auckland', { except }, '2026-12-24T04:00Z', 3)).toEqual([
    '2026-12-24T05:00',
    '2026-12-25T11:00',
    '2026-12-25T17:00',
  ]);
});

test('days on which the clocks change lose no time', () => {
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

test('a day of both lists is left out, and the last day ends the times', () => {
  const only = new Set(['2026-05-01', '2026-05-02']);
  const except = new Set(['2026-05-02']);
  expect(times('0 9 * * *', 'UTC', { only, except }, '2026-01-01T00:00Z', 9)).toEqual(['2026-05-01T09:00']);
});

test('ten years without a day cost no more than a few steps', () => {
  const days = Array.from({ length: 3_650 }, (_, n) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10));
  const startedMs = performance.now();
  expect(times('* * * * *', 'Europe/Berlin', { except: new Set(days) }, '2026-01-01T12:00Z', 1)).toEqual([
    '2035-12-29T23:00',
  ]);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});

test.each([
  ['2028-02-29', true],
  ['2026-02-29', false],
  ['2026-13-01', false],
  ['2026-1-1', false],
])('%s is a date: %s', (text, is) => expect(isDate(text)).toBe(is));
