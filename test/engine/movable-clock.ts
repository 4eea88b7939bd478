// Clocks with which a test lets time pass, or sets the wall clock as an administrator or NTP does.

import type { SteadyClock } from '../../src/lib/clock.ts';

export function movableClock(): SteadyClock & {
  /** Lets time pass. */
  readonly forward: (ms: number) => void;
  /** Sets the wall clock. No time passes. */
  readonly setBy: (ms: number) => void;
} {
  let passedMs = 0;
  let setMs = 0;
  return {
    now: () => Date.now() + passedMs + setMs,
    monotonicMs: () => performance.now() + passedMs,
    forward(ms) {
      passedMs += ms;
    },
    setBy(ms) {
      setMs += ms;
    },
  };
}

/** No time passes by itself, however slow the machine is. */
export function stillClock(): SteadyClock & { readonly forward: (ms: number) => void } {
  let nowMs = Date.now();
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    forward(ms) {
      nowMs += ms;
    },
  };
}
