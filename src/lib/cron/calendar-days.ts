// Limits the times of a schedule to some days, or keeps it from firing on some days, in the schedule's time zone.

import { type CronTimes, toLocalTimestamp } from './cron.ts';

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

/** The times that the rule allows. It skips whole days, so a long holiday costs no more than a short one. */
export function onDays(times: CronTimes, { only, except }: DayRule, timezone: string): CronTimes {
  if (only === null && except.size === 0) return times;
  const isAllowed = (day: string): boolean => (only?.has(day) ?? true) && !except.has(day);
  const lastDay = [...(only ?? except)].toSorted().at(-1) ?? '';
  const next: CronTimes['next'] = (afterMs) => {
    let at = times.next(afterMs);
    while (at !== null) {
      let day = toLocalTimestamp(at, timezone).slice(0, 10);
      if (isAllowed(day)) return at;
      while (day <= lastDay && !isAllowed(day)) day = dayAfter(day);
      if (only !== null && day > lastDay) return null;
      at = times.next(Math.max(at, startOf(day, timezone) - 1));
    }
    return null;
  };
  return { next };
}

function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + dayMs).toISOString().slice(0, 10);
}

/** An instant at the start of the day, or up to an hour before it if the clocks change that day. */
function startOf(day: string, timezone: string): number {
  const wallMs = Date.parse(`${day}T00:00:00Z`);
  const starts = [wallMs - dayMs, wallMs + dayMs].map((atMs) => wallMs - offsetMs(atMs, timezone));
  return Math.min(...starts);
}

/** What the wall clock is ahead of UTC. */
function offsetMs(atMs: number, timezone: string): number {
  return Date.parse(`${toLocalTimestamp(atMs, timezone).slice(0, 19)}Z`) - atMs;
}
