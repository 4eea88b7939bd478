// Limits the times of a schedule to some days, or leaves some days out. A day is a day in the time zone of the
// schedule.

import { offsetMs } from './clock-change.ts';
import { type CronTimes, parseCron, remembering, toLocalTimestamp } from './cron.ts';

/** Dates such as `2026-12-24`. */
export type Days = ReadonlySet<string>;

export type DayRule = {
  /** null: every day. */
  readonly only: Days | null;
  readonly except: Days;
};

const datePattern = /^\d{4}-\d\d-\d\d$/;
const dayMs = 86_400_000;

/** Whether the text is a date that exists, such as `2028-02-29`. */
export function isDate(text: string): boolean {
  if (!datePattern.test(text)) return false;
  const atMs = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

/** How many years ahead the days of a schedule may be. */
export const mostYearsAhead = 50;

/** Whether a date is further ahead than the days of a schedule may be. Such a date is most likely a typo. */
export function isTooFar(date: string, nowMs: number): boolean {
  const last = new Date(nowMs);
  last.setUTCFullYear(last.getUTCFullYear() + mostYearsAhead);
  return date > last.toISOString().slice(0, 10);
}

/**
 * Returns the times that the rule allows. Whole days are skipped, so one call takes at most as many steps as the rule
 * has dates, no matter how far apart they are.
 */
export function onDays(times: CronTimes, { only, except }: DayRule, timezone: string): CronTimes {
  if (only === null && except.size === 0) return times;
  const allowedFrom = only === null ? outside(except) : within([...only].filter((day) => !except.has(day)));
  const next: CronTimes['next'] = (afterMs) => {
    let at = times.next(afterMs);
    while (at !== null) {
      const day = toLocalTimestamp(at, timezone).slice(0, 10);
      const allowed = allowedFrom(day);
      if (allowed === undefined) return null;
      if (allowed === day) return at;
      at = times.next(Math.max(at, startOf(allowed, timezone) - 1));
    }
    return null;
  };
  return { next: remembering(next) };
}

/** Returns a function that finds the first of the days that is not before `from`. */
function within(days: readonly string[]): (from: string) => string | undefined {
  const sorted = days.toSorted();
  return (from) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? '') < from) low = middle + 1;
      else high = middle;
    }
    return sorted[low];
  };
}

/**
 * Returns a function that starts at `from` and finds the first day that is not in `days`. Each step passes a day that
 * is in `days`, so the search ends.
 */
function outside(days: Days): (from: string) => string {
  return (from) => {
    let day = from;
    while (days.has(day)) day = dayAfter(day);
    return day;
  };
}

function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + dayMs).toISOString().slice(0, 10);
}

/** The first instant of a date. */
export function startOfDay(date: string, timezone: string): number {
  const midnights = parseCron('@midnight', timezone);
  const earlyMs = startOf(date, timezone);
  return ('next' in midnights ? midnights.next(earlyMs - 1) : null) ?? earlyMs;
}

/** An instant at the start of the day, or up to an hour before it if the clocks change that day. */
function startOf(day: string, timezone: string): number {
  const wallMs = Date.parse(`${day}T00:00:00Z`);
  const starts = [wallMs - dayMs, wallMs + dayMs].map((atMs) => wallMs - offsetMs(atMs, timezone));
  return Math.min(...starts);
}
