// Every change should wake the queue. If a change did not, this watch wakes it, and reports what could start but does
// not.

import type { SteadyClock } from '../../lib/clock.ts';
import type { Slots } from '../run/slots.ts';
import { waitWords } from './admission.ts';
import type { Queue } from './queue.ts';

export type QueueWatch = ReturnType<typeof watchQueue>;

/**
 * Normally, a run or step that can start does so within one turn of the event loop. After this time, it is reported.
 */
const startableMs = 5_000;

export function watchQueue(o: {
  readonly queue: Queue;
  readonly slots: Slots;
  readonly clock: SteadyClock;
  readonly wake: () => void;
}) {
  const { queue, slots, clock } = o;
  let startableSinceMs: number | undefined;

  return {
    async look(): Promise<void> {
      if ((await queue.startable()) === undefined) {
        startableSinceMs = undefined;
        return;
      }
      startableSinceMs ??= clock.monotonicMs();
      o.wake();
    },
    /** Describes what is wrong with the queue; null when nothing is. */
    complaint(): string | null {
      if (startableSinceMs === undefined || clock.monotonicMs() - startableSinceMs < startableMs) return null;
      // The depth does not count steps of running runs.
      const { depth } = queue;
      const waiting = depth === 0 ? 'steps wait' : waitWords(depth);
      return `${waiting} although ${slots.free === 1 ? '1 slot is' : `${slots.free} slots are`} free`;
    },
  };
}
