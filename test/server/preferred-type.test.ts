import { expect, test } from 'vitest';
import { preferredType } from '../../src/server/answers/preferred-type.ts';

const offers = ['application/json', 'text/plain', 'application/x-ndjson', 'text/event-stream'] as const;

test.each([
  [undefined, 'application/json'],
  ['*/*', 'application/json'],
  ['text/plain', 'text/plain'],
  ['TEXT/Plain; charset=utf-8', 'text/plain'],
  ['application/x-ndjson, application/json', 'application/x-ndjson'],
  ['application/json;q=0.5, text/plain', 'text/plain'],
  ['text/plain;q=0, */*', 'application/json'],
  ['text/html, text/*;q=0.9, */*;q=0.8', 'text/plain'],
  ['image/png', 'application/json'],
  ['application/json;q=oops, text/plain;q=0.1', 'text/plain'],
  ['', 'application/json'],
])('Accept: %s is answered with %s', (accept, type) => {
  expect(preferredType(accept, offers)).toBe(type);
});
