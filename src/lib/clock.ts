// All time comes from a Clock, so a test can stop it.

export type Clock = {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
};

/** A clock that also measures elapsed time. Setting the wall clock does not change elapsed time. */
export type SteadyClock = Clock & {
  /** Milliseconds since an arbitrary instant. */
  readonly monotonicMs: () => number;
};

export const systemClock: SteadyClock = { now: Date.now, monotonicMs: () => performance.now() };

/** Between two checks, the wall clock drifts by less than this. A larger difference means that somebody set it. */
const leastSetMs = 500;
/**
 * If reading both clocks takes longer than this, a difference between them is ignored. A pause of the process between
 * the two looks like a change of the wall clock.
 */
const longestReadingMs = 20;
/** How many tries there are to read both clocks fast enough. */
const mostReadings = 3;

/**
 * Returns the same clock, which also notices when the wall clock has been set. It calls `onSet` with the difference,
 * and only then returns the new time. If every try takes too long, the time is computed from the monotonic clock.
 */
export function watchWallClock(clock: SteadyClock, onSet: (byMs: number) => void): SteadyClock {
  let aheadMs = clock.now() - clock.monotonicMs();
  return {
    monotonicMs: clock.monotonicMs,
    now() {
      for (let reading = 0; reading < mostReadings; reading++) {
        const readFromMs = clock.monotonicMs();
        const nowMs = clock.now();
        const byMs = Math.round(nowMs - readFromMs - aheadMs);
        if (Math.abs(byMs) < leastSetMs) return nowMs;
        if (clock.monotonicMs() - readFromMs > longestReadingMs) continue;
        aheadMs += byMs;
        onSet(byMs);
        return nowMs;
      }
      return Math.round(aheadMs + clock.monotonicMs());
    },
  };
}

/** Time that starts at `startMs` and passes steadily, whatever the wall clock is set to. */
export function steadyFrom(startMs: number, { monotonicMs }: SteadyClock): Clock {
  const aheadMs = startMs - monotonicMs();
  return { now: () => Math.round(aheadMs + monotonicMs()) };
}

const longestTimerMs = 2 ** 31 - 1;

/** Returns the delay for a timer: `ms`, but at most 24.8 days, because a timer with a longer delay fires at once. */
export function toTimerDelay(ms: number): number {
  return Math.min(Math.max(0, ms), longestTimerMs);
}

/** Formats milliseconds since the epoch as RFC 3339 UTC with milliseconds. */
export function toTimestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** Formats microseconds since the epoch as RFC 3339 UTC with microseconds, as in log lines. */
export function toMicroTimestamp(atUs: number): string {
  const ms = Math.floor(atUs / 1000);
  const us = String(atUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${us}Z`;
}

/** Parses RFC 3339 into microseconds since the epoch, dropping finer digits; undefined for any other text. */
export function parseTimestampUs(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3])(:[0-5]\d:[0-5]\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  if (!match) return undefined;
  const [, day = '', hour, minutes, fraction = '', zone = ''] = match;
  // Date reads February 30 as March 1.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined;
  const ms = Date.parse(`${day}T${hour}${minutes}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}
