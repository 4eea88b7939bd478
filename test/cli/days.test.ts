// Days as values of --since and --until.

import { expect, test } from 'vitest';
import { readInstant } from '../../src/cli/option-values.ts';

const read = (text: string, zone?: string) =>
  Date.parse(readInstant(new Map([['since', [text]]]), 'since', zone) ?? '');
const midnight = (daysAgo: number) => {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - daysAgo);
  return day.getTime();
};

test('a day begins at midnight in the time zone of the host', () => {
  expect(read('2026-11-29')).toBe(new Date(2026, 10, 29).getTime());
  for (const [word, daysAgo] of [
    ['today', 0],
    ['yesterday', 1],
  ] as const) {
    const before = midnight(daysAgo);
    expect([before, midnight(daysAgo)]).toContain(read(word));
  }
  expect(() => read('2026-02-30')).toThrow('--since 2026-02-30 is neither a time');
});

test('a day begins at midnight in the time zone that is asked for', () => {
  const zone = 'Pacific/Kiritimati';
  expect(read('2026-11-29', zone)).toBe(Date.parse('2026-11-28T10:00:00Z'));
  const shiftMs = 14 * 3_600_000;
  const midnightThere = () => Math.floor((Date.now() + shiftMs) / 86_400_000) * 86_400_000 - shiftMs;
  const before = midnightThere();
  expect([before, midnightThere()]).toContain(read('today', zone));
});
