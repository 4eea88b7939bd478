import { expect, test } from 'vitest';
import { createLanes } from '../../src/engine/queue/lanes.ts';
import { createSlots } from '../../src/engine/run/slots.ts';

const nothing = () => undefined;

const run = { id: 'run_1', tenant: 'default' };

test('as many processes as allowed get a slot, and what comes next is told why it waits', () => {
  const slots = createSlots(2, nothing);
  slots.hold();
  expect(slots.whyNone()).toBeNull();
  slots.hold();
  expect(slots.whyNone()).toBe('2 of 2 slots are taken');
  expect(slots.free).toBe(0);
});

test('a slot given back twice is given back once', () => {
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

test('a process that was running before a restart holds a slot, though that is one too many', () => {
  const slots = createSlots(2, nothing);
  for (let n = 0; n < 3; n++) slots.hold();
  expect(slots.running).toBe(3);
  expect(slots.free).toBe(0);
  expect(slots.whyNone()).toBe('3 of 2 slots are taken');
});

test('a job at the limit of the instance does not keep other jobs from running', () => {
  const lanes = createLanes(1, nothing);
  const lane = { jobId: 'backup/daily', limit: null, key: null };
  const hold = lanes.hold(lane, run);
  expect(lanes.whyNone(lane)).toBe('1 of 1 runs of backup/daily are running');
  expect(lanes.whyNone({ ...lane, jobId: 'other' })).toBeNull();
  hold.release();
  expect(lanes.whyNone(lane)).toBeNull();
});

test('a job’s own limit counts the runs of one value of its key', () => {
  const lanes = createLanes(null, nothing);
  const lane = { jobId: 'backup/daily', limit: 1, key: '/srv' };
  lanes.hold(lane, run);
  expect(lanes.whyNone(lane)).toBe("1 of 1 runs of backup/daily with the concurrency key '/srv' are running");
  expect(lanes.whyNone({ ...lane, key: '/home' })).toBeNull();
  expect(lanes.running(lane)).toEqual([run]);
});
