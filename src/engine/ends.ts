// Waits for runs to end. A single listener on the journal serves everyone who waits.

import { toTimerDelay } from '../lib/clock.ts';
import type { Hub } from './hub.ts';

export type Ends = ReturnType<typeof watchEnds>;

export function watchEnds(hub: Hub) {
  const waiting = new Map<string, Set<() => void>>();
  let isClosed = false;
  const unsubscribe = hub.onEvents((entries) => {
    for (const { type, runId } of entries) {
      if (type !== 'run.finished') continue;
      for (const resolve of waiting.get(runId) ?? []) resolve();
    }
  });
  return {
    /** Resolves when the run has ended or the time is up. Call it before anything that may end the run. */
    wait: (runId: string, timeoutMs: number): Promise<void> =>
      new Promise((resolve) => {
        if (isClosed) return resolve();
        const done = (): void => {
          clearTimeout(timer);
          const others = waiting.get(runId);
          others?.delete(done);
          if (others?.size === 0) waiting.delete(runId);
          resolve();
        };
        const timer = setTimeout(done, toTimerDelay(timeoutMs));
        const others = waiting.get(runId) ?? new Set();
        waiting.set(runId, others.add(done));
      }),
    /** Ends all waits. From now on, every wait ends at once. */
    close: (): void => {
      isClosed = true;
      unsubscribe();
      for (const others of waiting.values()) for (const done of others) done();
    },
  };
}
