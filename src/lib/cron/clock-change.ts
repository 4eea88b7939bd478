// Finds the next time at which the clocks of a time zone change, to or from daylight saving time, and says what that
// does to a cron pattern (ADR 0011).

import { LRUCache } from 'lru-cache';
import { parseCron, toLocalTimestamp } from './cron.ts';

/** `text` is a sentence for people. */
export type ClockChange = { readonly atMs: number; readonly text: string };

type Terms = { readonly cron: string; readonly timezone: string };

/** The effects that have been computed, by pattern, time zone and change. Each takes about a millisecond. */
const effects = new LRUCache<string, { readonly change: ClockChange | null }>({ max: 2_000 });

/** Returns null if the clocks do not change within a year, or if the change does not affect the schedule. */
export function nextClockChange(terms: Terms, afterMs: number): ClockChange | null {
  const atMs = nextOffsetChange(terms.timezone, afterMs);
  if (atMs === undefined) return null;
  const key = `${terms.cron} ${terms.timezone} ${atMs}`;
  const found = effects.get(key) ?? { change: changeAt(atMs, terms) };
  effects.set(key, found);
  return found.change;
}

function changeAt(atMs: number, { cron, timezone }: Terms): ClockChange | null {
  const times = parseCron(cron, timezone);
  // The times that the pattern names on the wall clock, as if the clocks never changed.
  const onTheWall = parseCron(cron, 'UTC');
  if ('problem' in times || 'problem' in onTheWall) return null;
  const beforeMs = atMs + offsetMs(atMs - minuteMs, timezone);
  const nowMs = atMs + offsetMs(atMs, timezone);
  const [fromMs, toMs] = [Math.min(beforeMs, nowMs), Math.max(beforeMs, nowMs)];
  const written = between(onTheWall, fromMs, toMs);
  const [first] = written;
  if (first === undefined) return null;
  const day = new Date(nowMs).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  });
  const what = written.length === 1 ? timeOf(first) : `each time from ${timeOf(fromMs)} to ${timeOf(toMs)}`;
  if (beforeMs < nowMs) {
    const then = times.next(atMs - 1) === atMs ? `it runs at ${timeOf(nowMs)}` : 'it does not run';
    const lacks = written.length === 1 ? `${what} does not exist, so ${then}` : `${what} is left out`;
    return { atMs, text: `Clocks go forward on ${day}: ${lacks}.` };
  }
  const isTwice = between(times, atMs, atMs + toMs - fromMs).length > 0;
  const runs = isTwice ? 'it runs both times' : 'it runs only the first time';
  return { atMs, text: `Clocks go back on ${day}: ${what} comes twice, and ${runs}.` };
}

/** `between` finds at most this many times. Two are enough to know whether there are several. */
const enough = 2;

function between(times: { readonly next: (afterMs: number) => number | null }, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  for (let at = times.next(fromMs - 1); at !== null && at < toMs && found.length < enough; at = times.next(at))
    found.push(at);
  return found;
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 16);
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const searchDays = 366;

/** The changes that were found, by time zone and day: a search of a year takes 2 ms. */
const changes = new LRUCache<string, { readonly atMs: number | undefined }>({ max: 100 });

/** The first instant within a year at which the offset from UTC changes; undefined if it does not. */
function nextOffsetChange(timezone: string, afterMs: number): number | undefined {
  const dayStartMs = Math.floor(afterMs / dayMs) * dayMs;
  const key = `${timezone} ${dayStartMs}`;
  const known = changes.get(key) ?? { atMs: findChange(timezone, dayStartMs) };
  changes.set(key, known);
  return known.atMs !== undefined && known.atMs <= afterMs ? findChange(timezone, known.atMs) : known.atMs;
}

/** The first instant with another offset, to the minute. `startMs` is a whole minute. */
function findChange(timezone: string, startMs: number): number | undefined {
  const before = offsetMs(startMs, timezone);
  for (let day = 1; day <= searchDays; day += 1) {
    let toMs = startMs + day * dayMs;
    if (offsetMs(toMs, timezone) === before) continue;
    let fromMs = toMs - dayMs;
    while (toMs - fromMs > minuteMs) {
      const middleMs = fromMs + Math.floor((toMs - fromMs) / 2 / minuteMs) * minuteMs;
      if (offsetMs(middleMs, timezone) === before) fromMs = middleMs;
      else toMs = middleMs;
    }
    return toMs;
  }
  return undefined;
}

/** How far the wall clock is ahead of UTC. */
export function offsetMs(atMs: number, timezone: string): number {
  const local = toLocalTimestamp(atMs, timezone);
  return Date.parse(`${local.slice(0, 19)}Z`) - atMs;
}
