import { expect, test } from 'vitest';
import { nearest } from '../../src/lib/nearest.ts';

test.each([
  ['timeut', 'timeout'],
  ['Timeout', 'timeout'],
  ['descripton', 'description'],
])('%s is taken for %s', (word, expected) => {
  expect(nearest(word, ['timeout', 'description', 'name'])).toBe(expected);
});

test('a word like none of them is taken for nothing', () => {
  expect(nearest('zzzzzz', ['timeout', 'description', 'name'])).toBeUndefined();
});
