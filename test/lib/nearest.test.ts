import { expect, test } from 'vitest';
import { nearest } from '../../src/lib/nearest.ts';

test.each([
  ['timeut', 'timeout'],
  ['Timeout', 'timeout'],
  ['descripton', 'description'],
])('for %s the suggestion is %s', (word, expected) => {
  expect(nearest(word, ['timeout', 'description', 'name'])).toBe(expected);
});

test.each([
  ['rnu', 'run'],
  ['jbo', 'job'],
  ['no', 'n'],
])('for the short word %s the suggestion is %s', (word, expected) => {
  expect(nearest(word, ['run', 'job', 'n'])).toBe(expected);
});

test.each(['zz', 'z', 'abc', 'rub-it'])(
  'for %s there is no suggestion, because it is unlike all short candidates',
  (word) => {
    expect(nearest(word, ['n', 'run', 'x1'])).toBeUndefined();
  },
);

test('for a word unlike all candidates there is no suggestion', () => {
  expect(nearest('zzzzzz', ['timeout', 'description', 'name'])).toBeUndefined();
});
