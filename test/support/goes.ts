// Time limits that hold on a busy machine. A busy machine is slow now and then, but a slow program is slow every time.

import { setImmediate as yieldNow } from 'node:timers/promises';
import { expect } from 'vitest';

const mostGoes = 8;

/** Repeats `go`, which returns its duration, until one is below `ms`. Fails when several attempts were slower. */
export async function expectWithin(ms: number, go: () => Promise<number>): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < mostGoes && least >= ms; n++) least = Math.min(least, await go());
  expect(least).toBeLessThan(ms);
}

/** How long the task blocks the event loop at a time: the most CPU time that one turn of the loop takes. */
export async function longestTurnMs(task: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  let longestMs = 0;
  let before = process.threadCpuUsage();
  const turn = (): void => {
    const { user, system } = process.threadCpuUsage(before);
    longestMs = Math.max(longestMs, (user + system) / 1_000);
    before = process.threadCpuUsage();
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await task();
  // After this, the last turn has been measured.
  await yieldNow();
  isOver = true;
  return longestMs;
}

export async function msOf(task: () => unknown): Promise<number> {
  const startedAtMs = performance.now();
  await task();
  return performance.now() - startedAtMs;
}
