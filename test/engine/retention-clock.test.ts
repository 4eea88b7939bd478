// The time of retention on a machine so busy that reading its clocks takes a while.

import { expect, test } from 'vitest';
import { createRetentionClock } from '../../src/engine/retention/retention-clock.ts';

const hourMs = 3_600_000;

/** `readings` has the duration of each reading. The last duration applies to all later readings. */
function busyClock() {
  let passedMs = 0;
  let setMs = 0;
  let readingsMs: number[] = [0];
  const clock = {
    now: () => 1_000_000 + passedMs + setMs,
    monotonicMs() {
      const [next = 0] = readingsMs;
      if (readingsMs.length > 1) readingsMs.shift();
      passedMs += next;
      return passedMs;
    },
  };
  return {
    clock,
    setBy: (ms: number) => {
      setMs += ms;
    },
    readingsTake: (...ms: number[]) => {
      readingsMs = ms;
    },
    rightNow: () => 1_000_000 + passedMs,
  };
}

test('a clock that was put forward is not trusted while reading the clock is slow, nor after that', () => {
  const { clock, setBy, readingsTake, rightNow } = busyClock();
  const retention = createRetentionClock(clock);
  setBy(1_000 * hourMs);
  for (const readingMs of [25, 1, 25]) {
    readingsTake(readingMs);
    expect(retention.now()).toBeLessThanOrEqual(rightNow());
    expect(retention.now()).toBeGreaterThan(rightNow() - 1_000);
  }
});

test('a clock that was set back is used at once, even if reading the clock is slow', () => {
  const { clock, setBy, readingsTake } = busyClock();
  const retention = createRetentionClock(clock);
  setBy(-1_000 * hourMs);
  readingsTake(25);
  expect(retention.now()).toBeLessThanOrEqual(clock.now());
});

test('a clock that was put forward is noticed by the first reading that is quick enough', () => {
  const { clock, setBy, readingsTake, rightNow } = busyClock();
  const retention = createRetentionClock(clock);
  setBy(1_000 * hourMs);
  readingsTake(0, 25, 0);
  expect(retention.now()).toBeLessThanOrEqual(rightNow());
  readingsTake(24 * hourMs, 0);
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(24 * hourMs);
  expect(retention.now()).toBeGreaterThan(rightNow() + 999 * hourMs);
});
