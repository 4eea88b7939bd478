import { expect, test } from 'vitest';
import { createBoundedCache } from '../../src/lib/bounded-cache.ts';

test('what is kept is never larger than the limit, and what was asked for longest ago goes first', () => {
  const cache = createBoundedCache<string, string>(10);
  cache.set('a', 'A', 4);
  cache.set('b', 'B', 4);
  expect(cache.get('a')).toBe('A');
  cache.set('c', 'C', 4);
  expect(['a', 'b', 'c'].map(cache.get)).toEqual(['A', undefined, 'C']);
});

test('a value that is larger than the limit is not kept, and one that grows past it goes', () => {
  const cache = createBoundedCache<string, string>(10);
  cache.set('a', 'A', 11);
  expect(cache.get('a')).toBeUndefined();
  cache.set('b', 'B', 6);
  cache.grow('b', 'B', 5);
  expect(cache.get('b')).toBeUndefined();
});

test('a value set anew counts once', () => {
  const cache = createBoundedCache<string, string>(10);
  for (let i = 0; i < 5; i++) cache.set('a', `A${i}`, 5);
  cache.set('b', 'B', 5);
  expect(['a', 'b'].map(cache.get)).toEqual(['A4', 'B']);
});
