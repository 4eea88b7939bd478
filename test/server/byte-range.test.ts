import { expect, test } from 'vitest';
import { parseRange } from '../../src/server/answers/byte-range.ts';

test.each([
  ['bytes=0-', { start: 0, end: 99 }],
  ['bytes=10-19', { start: 10, end: 19 }],
  ['bytes=90-1000', { start: 90, end: 99 }],
  ['bytes=-10', { start: 90, end: 99 }],
  ['bytes=-1000', { start: 0, end: 99 }],
  ['bytes=99-99', { start: 99, end: 99 }],
])('for an artifact of 100 bytes, %s is a valid range', (header, range) => {
  expect(parseRange(header, 100)).toEqual(range);
});

test.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])(
  'for an artifact of 100 bytes, %s cannot be satisfied',
  (header) => {
    expect(parseRange(header, 100)).toBe('unsatisfiable');
  },
);

test('no range of an empty artifact can be satisfied', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
});

test.each([
  undefined,
  '',
  'bytes=',
  'bytes=-',
  'bytes=a-b',
  'bytes=9-1',
  'lines=0-1',
  'bytes 0-1',
  'bytes=0-1,5-6',
  'bytes=0-1,200-300',
  'bytes=200-300,400-500',
])('%s is not a valid range, so all bytes are sent', (header) => {
  expect(parseRange(header, 100)).toBeUndefined();
});
