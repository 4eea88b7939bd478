// The time as the server has it: what it tells of is drawn by its own clock, however wrong this machine's is.

import { useCallback, useSyncExternalStore } from 'react';

/** Answers say the second; what differs by less is no difference. */
const leastSkewMs = 2_000;

let aheadMs = 0;

/** The `Date` of an answer that has just come. */
export function noteServerTime(date: string | null): void {
  const toldMs = Date.parse(date ?? '');
  if (Number.isNaN(toldMs)) return;
  const toldAheadMs = toldMs + 500 - Date.now();
  if (Math.abs(toldAheadMs - aheadMs) < leastSkewMs) return;
  aheadMs = Math.abs(toldAheadMs) < leastSkewMs ? 0 : toldAheadMs;
  for (const clock of clocks.values()) tick(clock);
}

type Clock = { now: number; readonly lookers: Set<() => void> };

/** One clock for all who look at it, however many rows that are. */
const clocks = new Map<number, Clock>();

/** The time, as old as this at most; it stands still for whom it no longer matters. */
export function useNow(everyMs: number, isTicking = true): number {
  const watch = useCallback(
    (changed: () => void) => {
      if (!isTicking) return () => {};
      const clock = clockOf(everyMs);
      clock.lookers.add(changed);
      return () => clock.lookers.delete(changed);
    },
    [everyMs, isTicking],
  );
  return useSyncExternalStore(watch, () => clockOf(everyMs).now);
}

function clockOf(everyMs: number): Clock {
  const known = clocks.get(everyMs);
  if (known) return known;
  const clock: Clock = { now: Date.now() + aheadMs, lookers: new Set() };
  setInterval(() => tick(clock), everyMs);
  clocks.set(everyMs, clock);
  return clock;
}

function tick(clock: Clock): void {
  clock.now = Date.now() + aheadMs;
  for (const look of clock.lookers) look();
}
