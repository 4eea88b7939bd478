// Shows times in the zone of a schedule or of the Schedules page instead of the browser's zone, so that they agree with
// the words of the schedule's pattern.

import { isOwnZone, localTime, timeZone } from '../words.ts';

type Worded = { readonly sentence: string; readonly timezone: string };

const dayMs = 86_400_000;
/**
 * The years that a user can enter. In these years, and one day before and after them, `clockOf` writes years with four
 * digits.
 */
export const [firstYear, lastYear] = [1900, 9998] as const;

/** The zone that all schedules share. If their zones differ, the zone of the browser. */
export function zoneOfAll(all: readonly Worded[]): string {
  const [zone = timeZone, ...others] = new Set(all.map((one) => one.timezone));
  return others.length === 0 ? knownZone(zone) : timeZone;
}

function isZone(zone: string, of: string): boolean {
  return zone === of || (of === timeZone && isOwnZone(zone));
}

/** Returns, for example, "Every day at 02:30", with the zone if it is not the zone of the table. */
export function sentenceIn(tableZone: string, { sentence, timezone }: Worded): string {
  return isZone(timezone, tableZone) ? sentence : `${sentence}, ${timezone}`;
}

/**
 * Returns, for example, "CET" or "GMT-5"; empty for the browser's own zone, and for a zone that the browser does not
 * know.
 */
export function zoneName(zone: string, timestamp: string): string {
  if (isOwnZone(zone) || !clockOf(zone)) return '';
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeZoneName: 'short' });
  const parts = format.formatToParts(new Date(timestamp));
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** Formats a time as `localTime` does, but in any zone. */
export function timeIn(zone: string, timestamp: string, nowMs: number): string {
  const clock = clockOf(zone);
  if (isOwnZone(zone) || !clock) return localTime(timestamp, nowMs);
  const at = wallOf(clock, new Date(timestamp));
  const now = wallOf(clock, new Date(nowMs));
  const days = Math.floor(at.getTime() / dayMs) - Math.floor(now.getTime() / dayMs);
  const time = at.toISOString().slice(11, 16);
  if (days === 0) return time;
  if (days === -1) return `yesterday ${time}`;
  if (days === 1) return `tomorrow ${time}`;
  if (Math.abs(days) < 7) return `${weekday.format(at)} ${time}`;
  return (at.getUTCFullYear() === now.getUTCFullYear() ? dayOfYear : dayOfAnyYear).format(at);
}

/** Returns the browser's own zone instead of a zone that the browser does not know. */
export function knownZone(zone: string): string {
  return clockOf(zone) ? zone : timeZone;
}

/**
 * Finds the instant at which the clocks of a zone show a time such as `2026-11-02T00:00`. If they show it twice,
 * returns the first instant. If they skip it, returns an instant shortly before. Returns null for text that is no time,
 * and for a year that is only half typed, as in `0202-11-02T00:00`.
 */
export function instantIn(zone: string, wall: string): string | null {
  const wallMs = Date.parse(`${wall}Z`);
  const clock = clockOf(knownZone(zone));
  const year = new Date(wallMs).getUTCFullYear();
  if (Number.isNaN(year) || year < firstYear || year > lastYear || !clock) return null;
  const wallAt = (atMs: number): number => wallOf(clock, new Date(atMs)).getTime();
  const tries = [wallMs - dayMs, wallMs + dayMs].map((nearMs) => wallMs - (wallAt(nearMs) - nearMs));
  const exact = tries.filter((atMs) => wallAt(atMs) === wallMs);
  return new Date(Math.min(...(exact.length > 0 ? exact : tries))).toISOString();
}

const utc = { timeZone: 'UTC' } as const;
const weekday = new Intl.DateTimeFormat('en-GB', { ...utc, weekday: 'short' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', { ...utc, day: 'numeric', month: 'short' });
const dayOfAnyYear = new Intl.DateTimeFormat('en-GB', { ...utc, day: 'numeric', month: 'short', year: 'numeric' });

const clocks = new Map<string, Intl.DateTimeFormat | null>();

/** null: the server knows a zone that the browser does not. */
function clockOf(zone: string): Intl.DateTimeFormat | null {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  let clock: Intl.DateTimeFormat | null = null;
  try {
    // The Swedish format of a date is that of ISO 8601.
    clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  } catch {
    // Without a clock, times are shown in the browser's zone.
  }
  clocks.set(zone, clock);
  return clock;
}

/** Returns a date whose UTC fields have the time that the clocks of the zone show at an instant. */
export function wallAt(zone: string, at: Date): Date {
  const clock = clockOf(knownZone(zone));
  return clock ? wallOf(clock, at) : at;
}

function wallOf(clock: Intl.DateTimeFormat, at: Date): Date {
  return new Date(`${clock.format(at).replace(' ', 'T')}Z`);
}
