import { expect, test } from 'vitest';
import { createConcurrencyGroups } from '../../src/engine/queue/concurrency-groups.ts';
import { createSlots } from '../../src/engine/run/slots.ts';

const nothing = () => undefined;

const run = { id: 'run_1', tenant: 'default' };

test('no more processes than allowed get a slot, and the next one learns why it waits', () => {
  const slots = createSlots(2, nothing);
  slots.hold();
  expect(slots.whyNone()).toBeNull();
  slots.hold();
  expect(slots.whyNone()).toBe('2 of 2 slots are taken');
  expect(slots.free).toBe(0);
});

test('releasing a slot twice frees one slot', () => {
  let released = 0;
  const slots = createSlots(2, () => {
    released += 1;
  });
  const slot = slots.hold();
  slot.release();
  slot.release();
  expect(released).toBe(1);
  expect(slots.running).toBe(0);
});

test('a process from before a restart keeps its slot, even if that exceeds the limit', () => {
  const slots = createSlots(2, nothing);
  for (let n = 0; n < 3; n++) slots.hold();
  expect(slots.running).toBe(3);
  expect(slots.free).toBe(0);
  expect(slots.whyNone()).toBe('3 of 2 slots are taken');
});

test('a job that has reached the instance’s limit for one job does not delay other jobs', () => {
  const groups = createConcurrencyGroups(1, nothing);
  const group = { jobId: 'backup/daily', limit: null, key: null };
  const hold = groups.hold(group, run);
  expect(groups.whyNone(group)).toBe('only one run of backup/daily at a time');
  expect(groups.whyNone({ ...group, jobId: 'other' })).toBeNull();
  hold.release();
  expect(groups.whyNone(group)).toBeNull();
});

test('a job’s own limit counts the runs whose concurrency key has the same value', () => {
  const groups = createConcurrencyGroups(null, nothing);
  const group = { jobId: 'backup/daily', limit: 1, key: '/srv' };
  groups.hold(group, run);
  expect(groups.whyNone(group)).toBe("only one run of backup/daily with the concurrency key '/srv' at a time");
  expect(groups.whyNone({ ...group, key: '/home' })).toBeNull();
  expect(groups.running(group)).toEqual([run]);
});
