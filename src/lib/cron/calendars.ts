// Reads the calendars of flwd.yaml: lists of dates, and iCalendar files.

import { whyUnreadable } from '../files/watched-file.ts';
import { StartError } from '../start-error.ts';
import type { Days } from './calendar-days.ts';

/** A calendar as flwd.yaml has it. */
type Written = readonly string[] | { readonly file: string };

/** The days of all calendars, by name. @throws StartError if a file cannot be used */
export async function readCalendars(
  calendars: Readonly<Record<string, Written>>,
  nowMs: number,
): Promise<Map<string, Days>> {
  const read = new Map<string, Days>();
  for (const [name, days] of Object.entries(calendars)) read.set(name, await readCalendar(name, days, nowMs));
  return read;
}

/** @throws StartError if its file cannot be used */
export async function readCalendar(name: string, days: Written, nowMs: number): Promise<Days> {
  if (!('file' in days)) return new Set(days);
  // Few instances have a calendar that is a file.
  const { readIcalDays } = await import('./ical-days.ts');
  try {
    return await readIcalDays(days.file, nowMs);
  } catch (error) {
    const reason = whyUnreadable(error) ?? (error instanceof Error ? error.message : String(error));
    throw new StartError(`\`scheduler.calendars.${name}\`: ${days.file} ${reason}; put an iCalendar file there`);
  }
}
