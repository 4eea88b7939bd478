// The times of a schedule: those of its pattern on the days that its calendars allow, its single time (ADR 0069), or a
// start of the server.

import { invariant, Problem } from '../../domain/problem.ts';
import { isCalendarName, type Schedule } from '../../domain/schedule.ts';
import { unlessThere } from '../../domain/unless-there.ts';
import { bootId } from '../../lib/boot-id.ts';
import { type Days, onDays } from '../../lib/cron/calendar-days.ts';
import { type CronTimes, parseCron } from '../../lib/cron/cron.ts';
import type { Store } from '../../store/open.ts';

/** The calendars of flwd.yaml, by name. */
export type Calendars = ReadonlyMap<string, Days>;

type Terms = Pick<Schedule, 'cron' | 'atMs' | 'timezone' | 'calendar' | 'except'>;

export type TimesOf = (terms: Terms) => CronTimes | { readonly problem: string };

/** Remembers the times of each `Terms` object, because pages ask for the same schedules again and again. */
export function createTimesOf(calendars: Calendars): TimesOf {
  const known = new WeakMap<Terms, ReturnType<TimesOf>>();
  return (terms) => {
    const times = known.get(terms) ?? newTimes(terms, calendars);
    known.set(terms, times);
    return times;
  };
}

function newTimes(terms: Terms, calendars: Calendars): ReturnType<TimesOf> {
  const { cron, atMs, timezone, calendar, except } = terms;
  if (cron === null) return { next: (afterMs) => (atMs !== null && afterMs < atMs ? atMs : null) };
  const times = parseCron(cron, timezone);
  if ('problem' in times) return times;
  const only = calendar === null ? null : daysOf(calendar, calendars);
  return onDays(times, { only, except: daysOf(except, calendars) }, timezone);
}

function daysOf(days: readonly string[], calendars: Calendars): Days {
  return new Set(days.flatMap((day) => (isCalendarName(day) ? [...(calendars.get(day) ?? [])] : [day])));
}

/** The calendars that a schedule names and that do not exist, with the member that names each. */
export function unknownCalendars({ calendar, except }: Terms, calendars: Calendars) {
  const named = { calendar: calendar ?? [], except };
  return (['calendar', 'except'] as const).flatMap((member) =>
    named[member].filter((day) => isCalendarName(day) && !calendars.has(day)).map((name) => ({ member, name })),
  );
}

export const addCalendar = `add it to scheduler.calendars in flwd.yaml, ${unlessThere}`;

/** A schedule that names an unknown calendar starts nothing, because it might start a run on a holiday. */
export function calendarRefusal(terms: Terms, calendars: Calendars): Problem | undefined {
  const [unknown] = unknownCalendars(terms, calendars);
  if (!unknown) return undefined;
  return new Problem('job-invalid', `The server does not know the calendar '${unknown.name}': ${addCalendar}.`);
}

/**
 * The single time of schedules that fire at a start. `@reboot` fires at this start of the server. `@boot` fires at the
 * first start of the server after the host booted (ADR 0011).
 */
export type Starts = ReadonlyMap<string, number>;

/**
 * The starts come a moment after `atMs`, so that a schedule that begins at `atMs` fires at this start, too. Only Linux
 * has boot ids; elsewhere each start of the server counts as a boot.
 */
export async function openStarts({ instance }: Pick<Store, 'instance'>, atMs: number): Promise<Starts> {
  const startMs = atMs + 1;
  const bootMs = process.platform === 'linux' ? await instance.bootSeenAt(bootId(), startMs) : startMs;
  return new Map([
    ['@reboot', startMs],
    ['@boot', bootMs],
  ]);
}

/** The times of a schedule. For a schedule that fires at a start, the start is its only time. */
export function timesWithStarts(schedule: Schedule, starts: Starts, timesOf: TimesOf): CronTimes {
  const startMs = starts.get(schedule.cron ?? '');
  if (startMs !== undefined) return { next: (afterMs) => (afterMs < startMs ? startMs : null), isStart: true };
  const times = timesOf(schedule);
  invariant('next' in times, 'a schedule is checked before it is tracked');
  return times;
}
