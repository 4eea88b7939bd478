import { expect, test } from 'vitest';
import { createSlots } from '../../src/engine/queue.ts';

const noLimit = { globalConcurrency: 2, jobConcurrency: null, maxDepth: null };

test('as many runs as allowed get a slot, the next is told why it waits', () => {
  const slots = createSlots(noLimit, () => undefined);
  slots.take('a');
  slots.take('b');
  expect(slots.take('c')).toBe('2 of 2 runs are running');
  expect(slots.free).toBe(0);
});

test('a job at its own limit does not keep other jobs from running', () => {
  const slots = createSlots({ ...noLimit, jobConcurrency: 1 }, () => undefined);
  slots.take('backup/daily');
  expect(slots.take('backup/daily')).toBe('1 of 1 runs of backup/daily are running');
  expect(slots.take('other')).toMatchObject({ release: expect.any(Function) });
});

test('a slot given back twice is given back once', () => {
  let released = 0;
  const slots = createSlots(noLimit, () => {
    released += 1;
  });
  const slot = slots.take('a');
  if (typeof slot === 'string') throw new Error(slot);
  slot.release();
  slot.release();
  expect(released).toBe(1);
  expect(slots.running).toBe(0);
});

test('a run that was running before a restart holds a slot, though that is one too many', () => {
  const slots = createSlots(noLimit, () => undefined);
  for (const job of ['a', 'b', 'c']) slots.hold(job);
  expect(slots.running).toBe(3);
  expect(slots.take('d')).toBe('3 of 2 runs are running');
});
