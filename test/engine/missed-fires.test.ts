// Which times were missed, and when a schedule with jitter starts.

import { assert, constantFrom, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { newestTimes, startsAtMs } from '../../src/engine/schedule/schedule-due.ts';
import { parseCron } from '../../src/lib/cron/cron.ts';

const minuteMs = 60_000;
const patterns = constantFrom('* * * * *', '*/7 3-5 * * *', '30 2 * * *', '* 4 * * 3', '0 2,14 * * 1', '15 4 1 * *');

function timesOf(pattern: string) {
  const times = parseCron(pattern, 'Europe/Berlin');
  if ('problem' in times) throw new Error(times.problem);
  return times;
}

test('the newest times of a span are found without walking through all of it', () => {
  const startMs = Date.parse('2026-03-25T00:00:00Z');
  assert(
    property(
      patterns,
      integer({ min: 0, max: 2 * 1440 }),
      integer({ min: 0, max: 2 * 1440 }),
      integer({ min: 1, max: 40 }),
      (pattern, skipped, length, limit) => {
        const times = timesOf(pattern);
        const afterMs = startMs + skipped * minuteMs;
        const untilMs = afterMs + length * minuteMs;
        const all: number[] = [];
        for (let at = times.next(afterMs); at !== null && at <= untilMs; at = times.next(at)) all.push(at);
        expect(newestTimes(times, { afterMs, untilMs, limit })).toEqual({
          times: all.slice(-limit),
          isCut: all.length > limit,
        });
      },
    ),
    { numRuns: 30 },
  );
});

test('finding the missed times of ten years does not walk through each minute', () => {
  let asked = 0;
  const { next } = timesOf('* * * * *');
  const counted = {
    next(afterMs: number) {
      asked += 1;
      return next(afterMs);
    },
  };
  const untilMs = Date.UTC(2036, 0, 1);
  const { times, isCut } = newestTimes(counted, { afterMs: Date.UTC(2026, 0, 1), untilMs, limit: 100 });
  expect(times).toHaveLength(100);
  expect(times.at(-1)).toBe(untilMs);
  expect(isCut).toBe(true);
  expect(asked).toBeLessThan(1_000);
});

test('finding many times of long ago does not walk through the time since then', () => {
  let asked = 0;
  const firstMs = Date.UTC(2020, 0, 1);
  const times = {
    /** Every minute of two years that are long over. */
    next(afterMs: number) {
      asked += 1;
      const at = Math.max(firstMs, (Math.floor(afterMs / minuteMs) + 1) * minuteMs);
      return at < Date.UTC(2022, 0, 1) ? at : null;
    },
  };
  const lastMs = Date.UTC(2021, 11, 31, 23, 59);
  for (let limit = 1; limit <= 40; limit += 1) {
    asked = 0;
    const found = newestTimes(times, { afterMs: Date.UTC(2019, 0, 1), untilMs: Date.UTC(2026, 0, 1), limit });
    const newest = Array.from({ length: limit }, (_, n) => lastMs - (limit - 1 - n) * minuteMs);
    expect(found).toEqual({ times: newest, isCut: true });
    expect(asked).toBeLessThan(5_000);
  }
});

test('the jitter of a time is always the same, within its limit, and ends before the next time', () => {
  assert(
    property(
      patterns,
      integer({ min: 0, max: 400_000 }),
      integer({ min: 1, max: 90 * minuteMs }),
      (pattern, at, jitterMs) => {
        const times = timesOf(pattern);
        const nominalAtMs = times.next(Date.parse('2026-03-25T00:00:00Z') + at * minuteMs) ?? 0;
        const schedule = { id: 'schedule_1', jitterMs };
        const startMs = startsAtMs(schedule, nominalAtMs, times);
        expect(startMs).toBe(startsAtMs(schedule, nominalAtMs, times));
        expect(startMs).toBeGreaterThanOrEqual(nominalAtMs);
        expect(startMs - nominalAtMs).toBeLessThan(jitterMs);
        expect(startMs).toBeLessThan(times.next(nominalAtMs) ?? 0);
      },
    ),
    { numRuns: 200 },
  );
});

test('schedules with the same pattern are spread over the jitter', () => {
  const times = timesOf('0 3 * * *');
  const nominalAtMs = times.next(Date.parse('2026-06-01T00:00:00Z')) ?? 0;
  const delays = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(
    (id) => startsAtMs({ id, jitterMs: 600_000 }, nominalAtMs, times) - nominalAtMs,
  );
  expect(new Set(delays).size).toBe(8);
  expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(200_000);
});
