// How a reader frees the memory of a segment.

import { expect, test } from 'vitest';
import { freeSegment } from '../../src/store/log/log-segment.ts';

test('a small buffer, which shares its memory with others, is not freed', () => {
  const file = Buffer.allocUnsafe(100).fill('x');
  const neighbour = Buffer.from('neighbour');
  expect(neighbour.buffer).toBe(file.buffer);
  freeSegment({ file, chunkStarts: [] });
  expect([file.length, neighbour.toString()]).toEqual([100, 'neighbour']);
});

test('a large buffer is freed', () => {
  const file = Buffer.allocUnsafe(100_000);
  freeSegment({ file, chunkStarts: [] });
  expect(file.length).toBe(0);
});
