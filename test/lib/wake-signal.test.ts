import { expect, test } from 'vitest';
import { createWakeSignal } from '../../src/lib/wake-signal.ts';

/** Whether the signal is raised, once all pending callbacks have run. */
async function isRaised(wake: { readonly raised: () => Promise<void> }): Promise<boolean> {
  let isOver = false;
  void wake.raised().then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return isOver;
}

test('a signal that comes before anyone waits is not lost, and several signals count as one', async () => {
  const wake = createWakeSignal(new AbortController().signal);
  expect(await isRaised(wake)).toBe(false);
  wake.raise();
  wake.raise();
  expect(await isRaised(wake)).toBe(true);
  expect(await isRaised(wake)).toBe(false);
});

test('a signal wakes the waiter', async () => {
  const wake = createWakeSignal(new AbortController().signal);
  const waiting = wake.raised();
  wake.raise();
  await waiting;
});

test('every wait ends once the signal is aborted', async () => {
  const abort = new AbortController();
  const wake = createWakeSignal(abort.signal);
  const waiting = wake.raised();
  abort.abort();
  await waiting;
  expect(await isRaised(wake)).toBe(true);
  expect(await isRaised(createWakeSignal(abort.signal))).toBe(true);
});
