import { expect, test } from 'vitest';
import { createErrorList } from '../../src/domain/error-list.ts';

const toError = (pointer: string, message = 'is wrong') => ({ pointer, message, keyword: 'rule' });

test('errors are grouped by member, and each group is in the order in which the errors were found', () => {
  const list = createErrorList();
  for (const pointer of ['/labels/b', '/args/list/10', '/async', '/args/list/2', '?limit', '/labels/a', '']) {
    list.add(toError(pointer));
  }
  expect(list.errors().map(({ pointer }) => pointer)).toEqual([
    '',
    '/args/list/10',
    '/args/list/2',
    '/async',
    '/labels/b',
    '/labels/a',
    '?limit',
  ]);
});

test('an error that is found twice is listed once', () => {
  const list = createErrorList();
  for (const message of ['is wrong', 'is wrong', 'is long']) list.add(toError('/a', message));
  expect(list.errors().map(({ message }) => message)).toEqual(['is wrong', 'is long']);
  expect(list.size).toBe(2);
});

test('above a hundred errors or 128 KiB of text, further errors are only counted', () => {
  const many = createErrorList();
  for (let at = 0; at < 103; at++) many.add(toError(`/list/${at}`));
  many.addUnnamed(2);
  expect(many.isFull).toBe(true);
  expect(many).toMatchObject({ size: 105, unnamed: 5 });
  expect(many.named()).toHaveLength(100);
  expect(many.errors()).toHaveLength(101);
  expect(many.errors().at(-1)).toEqual({ pointer: '', message: 'has 5 more errors', keyword: 'more' });

  const long = createErrorList();
  for (let at = 0; at < 20; at++) long.add(toError(`/${'x'.repeat(2 ** 15)}/${at}`));
  expect(long.errors()).toHaveLength(5);
  expect(long.errors().at(-1)).toMatchObject({ message: 'has 16 more errors' });
});
