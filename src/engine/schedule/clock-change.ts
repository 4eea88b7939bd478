// What the next change of the clocks in a time zone, to or from daylight saving time, does to a schedule (ADR 0011).

import { LRUCache } from 'lru-cache';
import type { Schedule } from '../../domain/schedule.ts';
import { parseCron } from '../../lib/cron.ts';
import { nextOffsetChange, offsetMs } from '../../lib/offset-change.ts';

/** `text` is a sentence for people. */
export type ClockChange = { readonly atMs: number; readonly text: string };

const minuteMs = 60_000;

type Terms = Pick<Schedule, 'cron' | 'timezone'>;

/** By pattern, time zone and change: working one out takes about a millisecond. */
const known = new LRUCache<string, { readonly change: ClockChange | null }>({ max: 2_000 });

/** null: the clocks do not change within a year, or the change does not touch the schedule. */
export function nextClockChange(terms: Terms, afterMs: number): ClockChange | null {
  const atMs = nextOffsetChange(terms.timezone, afterMs);
  if (atMs === undefined) return null;
  const key = `${terms.cron} ${terms.timezone} ${atMs}`;
  const found = known.get(key) ?? { change: changeAt(atMs, terms) };
  known.set(key, found);
  return found.change;
}

function changeAt(atMs: number, { cron, timezone }: Terms): ClockChange | null {
  const times = parseCron(cron, timezone);
  // A pattern as the wall clock shows it, without any change.
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

/** At most this many times are looked at: enough to tell one from several. */
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
