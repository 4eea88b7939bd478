// Durations and ages, as every interface writes them.

import { expect, test } from 'vitest';
import { outlookOf } from '../../src/client/run-outlook.ts';
import { awayWords, spanWords, wholeWords, workWords } from '../../src/client/took.ts';

const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 26, 10, 0, seconds)).toISOString();
const nowMs = Date.parse(at(1_800));
const run = { started_at: at(0), finished_at: null, waiting_approval: [], approval_ms: 0 };
const asking = { step_id: 'ask', question: null, since: at(600) };

test('a duration is written with at most two units', () => {
  const spans = [340, 4_060, 9_940, 22_400, 60_000, 252_000, 6_120_000, 86_400_000, 183_600_000];
  const words = ['340 ms', '4.1 s', '9.9 s', '22 s', '1 min', '4 min 12 s', '1 h 42 min', '1 d', '2 d 3 h'];
  expect(spans.map(spanWords)).toEqual(words);
});

test('an age is written with one unit', () => {
  expect([-500, -12_000, 300_000, -7_200_000].map(awayWords)).toEqual(['1 s ago', '12 s ago', 'in 5 min', '2 h ago']);
});

test('the time of a run leaves out its waits for approvals, but during such a wait it is the whole time so far', () => {
  expect([
    workWords({ ...run, started_at: null }, nowMs),
    workWords(run, nowMs),
    workWords({ ...run, approval_ms: 1_080_000 }, nowMs),
    workWords({ ...run, approval_ms: 60_000, waiting_approval: [asking] }, nowMs),
    workWords({ ...run, finished_at: at(1_200), approval_ms: 1_080_000 }, nowMs),
  ]).toEqual(['', '30 min', '12 min', '30 min', '2 min']);
});

test('a run that has ended says how long it waited for approvals, if that is a second or more', () => {
  expect([
    wholeWords({ ...run, finished_at: at(1_200), approval_ms: 1_080_000 }),
    wholeWords({ ...run, finished_at: at(1_200), approval_ms: 900 }),
    wholeWords({ ...run, started_at: null, finished_at: at(1_200) }),
  ]).toEqual(['2 min of work, 18 min waiting for approval', '19 min 59 s', '']);
});

test('the remaining time of a run is shown in whole seconds, and in larger steps when it is longer', () => {
  const words = (elapsedMs: number, usualMs: number): string =>
    outlookOf({ ...run, started_at: new Date(nowMs - elapsedMs).toISOString(), progress: null }, usualMs, nowMs).words;
  const left = [
    [800, 2_000],
    [1_500, 2_000],
    [3_000, 12_400],
    [0, 12_400],
    [0, 58_000],
    [0, 252_000],
    [0, 6_119_000],
  ] as const;
  expect(left.map(([elapsedMs, usualMs]) => words(elapsedMs, usualMs))).toEqual([
    'about 1 s left',
    'less than 1 s left',
    'about 9 s left',
    'about 10 s left',
    'about 1 min left',
    'about 4 min 10 s left',
    'about 1 h 42 min left',
  ]);
  const longer = [
    [2_001, 2_000],
    [2_900, 2_000],
    [3_000, 2_000],
    [5_600, 2_000],
    [62_000, 2_000],
  ] as const;
  expect(longer.map(([elapsedMs, usualMs]) => words(elapsedMs, usualMs))).toEqual([
    'a little longer than usual',
    'a little longer than usual',
    '1 s longer than usual',
    '4 s longer than usual',
    '1 min longer than usual',
  ]);
});

test('the time of a run in progress has no fractions of a second', () => {
  const since = (ms: number): string => workWords({ ...run, started_at: new Date(nowMs - ms).toISOString() }, nowMs);
  expect([900, 2_900, 9_990, 65_500].map(since)).toEqual(['0 s', '2 s', '9 s', '1 min 5 s']);
});
