import { expect, test } from 'vitest';
import { createBell } from '../../src/lib/bell.ts';

/** Whether it has rung, once everything that can happen by itself has happened. */
async function hasRung(bell: { readonly rung: () => Promise<void> }): Promise<boolean> {
  let isOver = false;
  void bell.rung().then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return isOver;
}

test('a ring before anyone waits is not lost, and several are one', async () => {
  const bell = createBell(new AbortController().signal);
  expect(await hasRung(bell)).toBe(false);
  bell.ring();
  bell.ring();
  expect(await hasRung(bell)).toBe(true);
  expect(await hasRung(bell)).toBe(false);
});

test('a ring wakes who waits', async () => {
  const bell = createBell(new AbortController().signal);
  const waiting = bell.rung();
  bell.ring();
  await waiting;
});

test('nobody waits once the signal is aborted', async () => {
  const abort = new AbortController();
  const bell = createBell(abort.signal);
  const waiting = bell.rung();
  abort.abort();
  await waiting;
  expect(await hasRung(bell)).toBe(true);
  expect(await hasRung(createBell(abort.signal))).toBe(true);
});
