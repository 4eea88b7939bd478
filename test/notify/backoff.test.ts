import { expect, test } from 'vitest';
import { delayAfter, mostAttempts } from '../../src/notify/backoff.ts';

test('15 attempts are spread over 22 hours', () => {
  const delays = Array.from({ length: mostAttempts - 1 }, (_, n) => delayAfter(n + 1, null, 0.5) / 1000);
  expect(delays).toEqual([5, 15, 45, 135, 405, 1215, 3645, 10800, 10800, 10800, 10800, 10800, 10800, 10800]);
  expect(delays.reduce((sum, seconds) => sum + seconds, 0) / 3600).toBeCloseTo(22.5, 1);
});

test('a random factor makes each delay up to a fifth shorter or longer', () => {
  expect([delayAfter(1, null, 0), delayAfter(1, null, 0.999_999_9)]).toEqual([4_000, 6_000]);
});
