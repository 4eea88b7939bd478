// Days as values of --since and --until.

import { expect, test } from 'vitest';
import { readInstant } from '../../src/cli/option-values.ts';

const read = (text: string) => Date.parse(readInstant(new Map([['since', [text]]]), 'since') ?? '');
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
