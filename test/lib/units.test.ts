import { expect, test } from 'vitest';
import { formatDuration, formatSize, nearestSize, parseDuration, parseSize, sizeWords } from '../../src/lib/units.ts';

test.each([
  ['250ms', 250],
  ['1h30m', 5_400_000],
  ['1.5s', 1_500],
  ['30d', 2_592_000_000],
  ['0s', 0],
])('%s is %i milliseconds', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '5', 's', '5 s', '-1s', '1y', '1h 30m', '9999999999999999d'])('%j is not a duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  ['512', 512],
  ['1KiB', 1024],
  ['1.5MiB', 1_572_864],
  ['2GB', 2_000_000_000],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'MiB', '1Mib', '-1B', '1e9'])('%j is not a size', (text) => {
  expect(parseSize(text)).toBeUndefined();
});

test.each([
  ['64M', '64MiB'],
  ['1.5g', '1.5GiB'],
  ['64Mi', '64MiB'],
  ['64mib', '64MiB'],
  ['64KB', '64kB'],
  ['1 gb', '1GB'],
])('%s suggests %s', (text, near) => {
  expect(parseSize(text)).toBeUndefined();
  expect(parseSize(near)).toBeDefined();
  expect(nearestSize(text)).toBe(near);
});

test.each(['64MB', '64', 'big', '-1M', '1e9'])('%j suggests no other size', (text) => {
  expect(nearestSize(text)).toBeUndefined();
});

test.each([
  [0, '0s'],
  [5_400_000, '1h30m'],
  [90_061_001, '1d1h1m1s1ms'],
])('%i milliseconds are written as %s, which parses back', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  [0, '0B', '0 B'],
  [1_023, '1023B', '1023 B'],
  [67_108_864, '64MiB', '64 MiB'],
  [1_500_000, '1.43MiB', '1.4 MiB'],
  [1_099_511_627_776, '1TiB', '1 TiB'],
])('%i bytes are written as %s in a setting, and as %s in a sentence', (bytes, setting, words) => {
  expect(formatSize(bytes)).toBe(setting);
  expect(sizeWords(bytes)).toBe(words);
});
