// Writes a time for people who may be in another time zone: the text names the zone.

import { toLocalTimestamp } from './cron.ts';

/** Returns, for example, `2026-12-01 02:31:07 CET`. Seconds are left out if they are 0. */
export function zonedTime(atMs: number, timezone: string): string {
  return `${dayIn(atMs, timezone)} ${clockIn(atMs, timezone)} ${zoneName(atMs, timezone)}`;
}

/** Returns only the time of day, such as `02:30`, if `besideMs` is on the same day, and otherwise the day as well. */
export function timeBeside(atMs: number, besideMs: number, timezone: string): string {
  const day = dayIn(atMs, timezone);
  const clock = clockIn(atMs, timezone);
  return day === dayIn(besideMs, timezone) ? clock : `${day} ${clock}`;
}

function dayIn(atMs: number, timezone: string): string {
  return toLocalTimestamp(atMs, timezone).slice(0, 10);
}

function clockIn(atMs: number, timezone: string): string {
  return toLocalTimestamp(atMs, timezone).slice(11, 19).replace(/:00$/, '');
}

/** Returns, for example, `CET` or `GMT-5`. */
function zoneName(atMs: number, timezone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, timeZoneName: 'short' });
  return format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? timezone;
}
