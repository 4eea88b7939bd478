// The time that retention uses. If the wall clock runs ahead for a while, this time does not (ADR 0036).

import { type SteadyClock, watchWallClock } from '../../lib/clock.ts';

/**
 * For how long a clock that was moved forward is not trusted. After this time, an administrator should have noticed a
 * wrong clock.
 */
const doubtMs = 86_400_000;

export type RetentionClock = SteadyClock & {
  /** Subtracts time for a day, as if the clock had just been moved forward. */
  readonly doubt: (byMs: number) => void;
};

/**
 * The wall clock. If somebody moved it forward in the last day and has not moved it back, the difference is subtracted.
 */
export function createRetentionClock(clock: SteadyClock): RetentionClock {
  let doubted: { readonly byMs: number; readonly sinceMs: number }[] = [];
  const doubt = (byMs: number): void => void doubted.push({ byMs, sinceMs: clock.monotonicMs() });
  const { now, monotonicMs } = watchWallClock(clock, (byMs) => {
    if (byMs > 0) doubt(byMs);
    else takeBack(-byMs);
  });

  function takeBack(byMs: number): void {
    let leftMs = byMs;
    for (let last = doubted.pop(); last; last = doubted.pop()) {
      if (last.byMs > leftMs) {
        doubted.push({ ...last, byMs: last.byMs - leftMs });
        return;
      }
      leftMs -= last.byMs;
    }
  }

  return {
    doubt,
    monotonicMs,
    now() {
      // If the clock was set back, the earlier time counts at once. watchWallClock may return the later time for a
      // while: it reads two clocks one after the other, and trusts the difference only if both were read quickly.
      const nowMs = Math.min(now(), clock.now());
      doubted = doubted.filter(({ sinceMs }) => monotonicMs() - sinceMs < doubtMs);
      return nowMs - doubted.reduce((sum, { byMs }) => sum + byMs, 0);
    },
  };
}
