import { expect, test } from 'vitest';
import { parseTimestampUs, toMicroTimestamp } from '../../src/lib/clock.ts';

test.each([
  ['1970-01-01T00:00:00Z', 0],
  ['1970-01-01T00:00:00.000001Z', 1],
  ['1970-01-01T00:00:00.1234567Z', 123_456],
  ['1970-01-01t01:00:00+01:00', 0],
  ['2024-02-29T23:59:59.5z', 1_709_251_199_500_000],
])('%s is %i µs after the epoch', (text, atUs) => {
  expect(parseTimestampUs(text)).toBe(atUs);
});

test.each([
  '',
  'yesterday',
  '2024-01-15',
  '2024-01-15T10:30:00',
  '2024-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '2024-13-01T00:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T00:60:00Z',
  '2024-01-01T00:00:00+99:99',
  '2024-01-01 00:00:00Z',
  '1700000000',
])('%j is not an instant', (text) => {
  expect(parseTimestampUs(text)).toBeUndefined();
});

test('the time of a log line parses back to the microsecond', () => {
  const atUs = 1_709_251_199_123_456;
  expect(parseTimestampUs(toMicroTimestamp(atUs))).toBe(atUs);
});
