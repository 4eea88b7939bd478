// The queue is woken by what changes. This finds what was forgotten, and says so when something does not start though it
// could.

import type { SteadyClock } from '../../lib/clock.ts';
import type { Slots } from '../run/slots.ts';
import type { Queue } from './queue.ts';

export type QueueWatch = {
  readonly look: () => Promise<void>;
  /** What is wrong with the queue, in words; null when nothing is. */
  readonly complaint: () => string | null;
};

/** A run that could start is started within a turn of the event loop. */
const startableMs = 5_000;

export function watchQueue(o: {
  readonly queue: Queue;
  readonly slots: Slots;
  readonly clock: SteadyClock;
  readonly wake: () => void;
}): QueueWatch {
  const { queue, slots, clock } = o;
  let startableSinceMs: number | undefined;

  return {
    async look() {
      if ((await queue.startable()) === undefined) {
        startableSinceMs = undefined;
        return;
      }
      startableSinceMs ??= clock.monotonicMs();
      o.wake();
    },
    complaint() {
      if (startableSinceMs === undefined || clock.monotonicMs() - startableSinceMs < startableMs) return null;
      // Steps of running runs are not counted among them.
      const { depth } = queue;
      const waiting = depth === 0 ? 'steps wait' : depth === 1 ? '1 run waits' : `${depth} runs wait`;
      return `${waiting} although ${slots.free === 1 ? '1 slot is' : `${slots.free} slots are`} free`;
    },
  };
}
