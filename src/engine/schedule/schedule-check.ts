// The line of `flwd doctor` about schedules that can start nothing: the token that made them has ended, or they name an
// unknown calendar.

import { type Complaint, complain, type HostCheck } from '../../domain/host-check.ts';
import { Problem } from '../../domain/problem.ts';
import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import { limitsOf } from '../bindings.ts';
import { type Calendars, unknownCalendars } from './schedule-times.ts';

type Parts = Parameters<typeof limitsOf>[1] & { readonly calendars: Calendars };

export async function checkSchedules(schedules: readonly Schedule[], o: Parts): Promise<HostCheck[]> {
  const complaints: Complaint[] = [];
  for (const schedule of schedules) complaints.push(...(await complaintsAbout(schedule, o)));
  return complain('schedules', complaints);
}

/** Returns the schedules that are meant to start a run. Leaves out held schedules. */
export function schedulesToStart(
  schedules: readonly Schedule[],
  o: { readonly clock: Clock; readonly isHeld: (schedule: Schedule) => boolean },
): Schedule[] {
  return schedules.filter((schedule) => {
    const isOver = schedule.cron === null && (schedule.atMs ?? 0) <= o.clock.now();
    return schedule.enabled && !isOver && !o.isHeld(schedule);
  });
}

async function complaintsAbout(schedule: Schedule, o: Parts): Promise<Complaint[]> {
  const { id, jobId } = schedule;
  const what = `${jobId} (${id}) starts nothing`;
  const [unknown] = unknownCalendars(schedule, o.calendars);
  if (unknown) {
    const fix = `add ${unknown.name} to scheduler.calendars in flwd.yaml, and restart the server`;
    return [{ what: `${what}: the calendar '${unknown.name}' does not exist`, fix }];
  }
  try {
    await limitsOf(schedule.boundTo, o);
    return [];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const fix = `flwd schedules rm ${id}, and add the schedule again with another token`;
    return [{ what: `${what}: ${error.message}`, fix }];
  }
}
