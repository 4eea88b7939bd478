// Time comes from a Clock alone, so a test can hold it still.

export type Clock = {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
};

/** Also counts the time that passes, which nobody can set. */
export type SteadyClock = Clock & {
  /** Milliseconds since an instant of its own. */
  readonly monotonicMs: () => number;
};

export const systemClock: SteadyClock = { now: Date.now, monotonicMs: () => performance.now() };

/** The wall clock drifts by less between two looks, so a larger difference means that it was set. */
const leastSetMs = 500;
/** A process that was stopped between its two readings would take the pause for a clock that was set. */
const longestReadingMs = 20;
/** A reading that took longer says nothing, and is made again. */
const mostReadings = 3;

/**
 * The same clock; `onSet` is told by how much the wall clock was set before anybody reads the new time. Where no reading is
 * quick enough to tell, the time goes on from the last one that was.
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

/** The time from `startMs` on as it passes, whatever the wall clock is set to. */
export function steadyFrom(startMs: number, { monotonicMs }: SteadyClock): Clock {
  const aheadMs = startMs - monotonicMs();
  return { now: () => Math.round(aheadMs + monotonicMs()) };
}

const longestTimerMs = 2 ** 31 - 1;

/** A timer asked to wait for longer than 24.8 days fires at once: this is the longest delay it keeps, at most `ms`. */
export function toTimerDelay(ms: number): number {
  return Math.min(Math.max(0, ms), longestTimerMs);
}

/** An instant in milliseconds → RFC 3339 UTC with milliseconds. */
export function toTimestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** An instant in microseconds → RFC 3339 UTC with microseconds, the form of log lines. */
export function toMicroTimestamp(atUs: number): string {
  const ms = Math.floor(atUs / 1000);
  const us = String(atUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${us}Z`;
}

/** RFC 3339 → microseconds since the epoch, finer digits cut off; undefined when it is no such instant. */
export function parseTimestampUs(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3])(:[0-5]\d:[0-5]\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  if (!match) return undefined;
  const [, day = '', hour, minutes, fraction = '', zone = ''] = match;
  // Date takes the 30th of February for the 1st of March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined;
  const ms = Date.parse(`${day}T${hour}${minutes}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}
