// The server's time. Pages show ages and durations by it, so a wrong clock on this machine does not matter.

import { useCallback, useSyncExternalStore } from 'react';

/** The `Date` header has only whole seconds, so smaller differences are ignored. */
const leastSkewMs = 2_000;

let aheadMs = 0;

/** @param date - the `Date` header of an answer that has just arrived */
export function noteServerTime(date: string | null): void {
  const toldMs = Date.parse(date ?? '');
  if (Number.isNaN(toldMs)) return;
  const toldAheadMs = toldMs + 500 - Date.now();
  if (Math.abs(toldAheadMs - aheadMs) < leastSkewMs) return;
  aheadMs = Math.abs(toldAheadMs) < leastSkewMs ? 0 : toldAheadMs;
  for (const clock of clocks.values()) tick(clock);
}

type Clock = { now: number; readonly listeners: Set<() => void> };

/** One clock for each interval. All rows that show the same interval share it. */
const clocks = new Map<number, Clock>();

/** The server's time, updated at this interval while `isTicking`. */
export function useNow(everyMs: number, isTicking = true): number {
  const watch = useCallback(
    (changed: () => void) => {
      if (!isTicking) return () => {};
      const clock = clockOf(everyMs);
      clock.listeners.add(changed);
      return () => clock.listeners.delete(changed);
    },
    [everyMs, isTicking],
  );
  return useSyncExternalStore(watch, () => clockOf(everyMs).now);
}

function clockOf(everyMs: number): Clock {
  const known = clocks.get(everyMs);
  if (known) return known;
  const clock: Clock = { now: Date.now() + aheadMs, listeners: new Set() };
  setInterval(() => tick(clock), everyMs);
  clocks.set(everyMs, clock);
  return clock;
}

function tick(clock: Clock): void {
  clock.now = Date.now() + aheadMs;
  for (const changed of clock.listeners) changed();
}
