// The calendars of flwd.yaml, which schedules name (ADR 0069).

import type { Config } from '../config/config.ts';
import type { Calendars } from '../engine/schedule/schedule-times.ts';
import { whyUnreadable } from '../lib/files/watched-file.ts';
import { StartError } from '../lib/start-error.ts';

/** @throws StartError if a file of days cannot be used */
export async function readCalendars(calendars: Config['scheduler']['calendars'], nowMs: number): Promise<Calendars> {
  const read = new Map<string, ReadonlySet<string>>();
  for (const [name, days] of Object.entries(calendars)) {
    if (!('file' in days)) {
      read.set(name, new Set(days));
      continue;
    }
    const { readIcalDays } = await import('../lib/cron/ical-days.ts');
    try {
      read.set(name, await readIcalDays(days.file, nowMs));
    } catch (error) {
      const reason = whyUnreadable(error) ?? (error instanceof Error ? error.message : String(error));
      throw new StartError(`\`scheduler.calendars.${name}\`: ${days.file} ${reason}; put an iCalendar file there`);
    }
  }
  return read;
}
