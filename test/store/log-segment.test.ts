// What a reader gives back of a segment.

import { expect, test } from 'vitest';
import { freeSegment } from '../../src/store/log/log-segment.ts';

test('a small buffer, which lies in the pool that all small buffers share, is left alone', () => {
  const file = Buffer.allocUnsafe(100).fill('x');
  const neighbour = Buffer.from('neighbour');
  expect(neighbour.buffer).toBe(file.buffer);
  freeSegment({ file, chunkStarts: [] });
  expect([file.length, neighbour.toString()]).toEqual([100, 'neighbour']);
});

test('a large one gives its memory back', () => {
  const file = Buffer.allocUnsafe(100_000);
  freeSegment({ file, chunkStarts: [] });
  expect(file.length).toBe(0);
});
