// When the clocks of a time zone change next, to or from daylight saving time.

import { LRUCache } from 'lru-cache';
import { toLocalTimestamp } from './cron.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const searchDays = 366;

/** By time zone and day: a search of a year takes 2 ms. */
const changes = new LRUCache<string, { readonly atMs: number | undefined }>({ max: 100 });

/** The first instant of the next other offset within a year; undefined if the offset stays the same. */
export function nextOffsetChange(timezone: string, afterMs: number): number | undefined {
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

/** What the wall clock is ahead of UTC. */
export function offsetMs(atMs: number, timezone: string): number {
  const local = toLocalTimestamp(atMs, timezone);
  return Date.parse(`${local.slice(0, 19)}Z`) - atMs;
}
