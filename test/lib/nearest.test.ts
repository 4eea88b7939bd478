import { expect, test } from 'vitest';
import { nearest } from '../../src/lib/nearest.ts';

test.each([
  ['timeut', 'timeout'],
  ['Timeout', 'timeout'],
  ['descripton', 'description'],
])('%s suggests %s', (word, expected) => {
  expect(nearest(word, ['timeout', 'description', 'name'])).toBe(expected);
});

test.each([
  ['rnu', 'run'],
  ['jbo', 'job'],
  ['no', 'n'],
])('the short word %s suggests %s', (word, expected) => {
  expect(nearest(word, ['run', 'job', 'n'])).toBe(expected);
});

test.each(['zz', 'z', 'abc', 'rub-it'])('%s is unlike all short candidates', (word) => {
  expect(nearest(word, ['n', 'run', 'x1'])).toBeUndefined();
});

test('a word unlike all candidates suggests nothing', () => {
  expect(nearest('zzzzzz', ['timeout', 'description', 'name'])).toBeUndefined();
});
