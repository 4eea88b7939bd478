import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createWakeSignal } from '../../src/lib/wake-signal.ts';
import { startWhenDue } from '../../src/notify/due-calls.ts';

test('a call that becomes due while others are being started is not forgotten', async () => {
  const ending = new AbortController();
  let nowMs = 1_000;
  const clock = { now: () => nowMs, nowByDatabase: async () => nowMs };
  const due = new Set([1_001]);
  const started: number[] = [];
  const ended = startWhenDue(
    {
      async startDue() {
        for (const atMs of due) if (atMs <= nowMs && due.delete(atMs)) started.push(atMs);
        // Time passes before the next due time is looked up.
        nowMs += 1;
      },
      nextDueAtMs: async (afterMs) => [...due].find((atMs) => atMs > afterMs) ?? null,
      wake: createWakeSignal(ending.signal),
      clock,
      log: pino({ level: 'silent' }),
      what: 'notifications',
    },
    ending.signal,
  );
  onTestFinished(async () => {
    ending.abort();
    await ended;
  });
  await expect.poll(() => started).toEqual([1_001]);
});
