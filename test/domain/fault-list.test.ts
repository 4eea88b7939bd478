import { expect, test } from 'vitest';
import { createFaultList } from '../../src/domain/fault-list.ts';

const fault = (pointer: string, message = 'is wrong') => ({ pointer, message, keyword: 'rule' });

test('faults are ordered by the member they are in, and those of one member as they were found', () => {
  const list = createFaultList();
  for (const pointer of ['/labels/b', '/args/list/10', '/async', '/args/list/2', '?limit', '/labels/a', '']) {
    list.add(fault(pointer));
  }
  expect(list.faults().map(({ pointer }) => pointer)).toEqual([
    '',
    '/args/list/10',
    '/args/list/2',
    '/async',
    '/labels/b',
    '/labels/a',
    '?limit',
  ]);
});

test('a fault that is found twice is named once', () => {
  const list = createFaultList();
  for (const message of ['is wrong', 'is wrong', 'is long']) list.add(fault('/a', message));
  expect(list.faults().map(({ message }) => message)).toEqual(['is wrong', 'is long']);
  expect(list.size).toBe(2);
});

test('past a hundred faults, or 128 KiB of them, the rest is counted', () => {
  const many = createFaultList();
  for (let at = 0; at < 103; at++) many.add(fault(`/list/${at}`));
  many.addUnnamed(2);
  expect(many.isFull).toBe(true);
  expect(many).toMatchObject({ size: 105, unnamed: 5 });
  expect(many.named()).toHaveLength(100);
  expect(many.faults()).toHaveLength(101);
  expect(many.faults().at(-1)).toEqual({ pointer: '', message: 'has 5 more faults', keyword: 'more' });

  const long = createFaultList();
  for (let at = 0; at < 20; at++) long.add(fault(`/${'x'.repeat(2 ** 15)}/${at}`));
  expect(long.faults()).toHaveLength(5);
  expect(long.faults().at(-1)).toMatchObject({ message: 'has 16 more faults' });
});
