import { expect, test } from 'vitest';
import { nearest } from '../../src/lib/nearest.ts';

test.each([
  ['timeut', 'timeout'],
  ['Timeout', 'timeout'],
  ['descripton', 'description'],
])('%s suggests %s', (word, expected) => {
  expect(nearest(word, ['timeout', 'description', 'name'])).toBe(expected);
});

test('a word unlike all candidates suggests nothing', () => {
  expect(nearest('zzzzzz', ['timeout', 'description', 'name'])).toBeUndefined();
});
