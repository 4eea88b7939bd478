// Time limits that hold on a busy machine: such a machine is slow now and then, a slow program always.

import { expect } from 'vitest';

const mostGoes = 8;

/** Repeats `go`, which returns its duration, until one is below `ms`. Fails when several attempts were slower. */
export async function expectWithin(ms: number, go: () => Promise<number>): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < mostGoes && least >= ms; n++) least = Math.min(least, await go());
  expect(least).toBeLessThan(ms);
}

export async function msOf(task: () => unknown): Promise<number> {
  const startedAtMs = performance.now();
  await task();
  return performance.now() - startedAtMs;
}
