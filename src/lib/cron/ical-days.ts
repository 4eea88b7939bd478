// Reads the days of an iCalendar file (RFC 5545), such as the holidays that an authority publishes. This code is loaded
// only if a calendar of flwd.yaml is a file.

import { readFile, stat } from 'node:fs/promises';
import ICAL from 'ical.js';
import { isDate, mostYearsAhead } from './calendar-days.ts';

const mostBytes = 2 ** 20;
/** How many days a calendar may have, and how often its events may occur. */
const mostDays = 20_000;
const dayMs = 86_400_000;
const badRule = 'has an event whose RRULE or RDATE is not valid';

/**
 * Returns the dates of all events as the file has them. The time zone of the schedule decides when each of these days
 * begins. Events that repeat count up to 50 years ahead. Cancelled events do not count.
 * @throws Error whose message says what is wrong with the file, without its path
 */
export async function readIcalDays(path: string, nowMs: number): Promise<ReadonlySet<string>> {
  const { size } = await stat(path);
  if (size > mostBytes) throw new Error('is larger than 1 MiB');
  const text = await readFile(path, 'utf8');
  const events = eventsOf(parse(text));
  const last = new Date(nowMs);
  last.setUTCFullYear(last.getUTCFullYear() + mostYearsAhead);
  const days = new Set<string>();
  let left = mostDays;
  const add = (start: ICAL.Time, end: ICAL.Time): void => {
    for (const day of daysBetween(start, end)) {
      left -= 1;
      if (left < 0) throw new Error(`has more than ${mostDays} days`);
      days.add(day);
    }
  };
  for (const event of events) for (const { start, end } of occurrencesOf(event, last)) add(start, end);
  return days;
}

/** @throws Error */
function parse(text: string): ICAL.Component {
  let component: ICAL.Component;
  try {
    component = ICAL.Component.fromString(text);
  } catch (error) {
    // The library also parses the rules of repetition here. For an error in such a rule, it throws a plain Error.
    const isOfRule = error instanceof Error && error.name === 'Error';
    throw new Error(isOfRule ? badRule : 'is not an iCalendar file', { cause: error });
  }
  if (component.name !== 'vcalendar') throw new Error('is not an iCalendar file');
  return component;
}

/** Returns the events. The occurrences that were moved are part of their events. @throws Error */
function eventsOf(calendar: ICAL.Component): ICAL.Event[] {
  const components = calendar.getAllSubcomponents('vevent');
  if (!components.every(hasTimes)) throw new Error('has an event without a valid date');
  const all = components.map((component) => new ICAL.Event(component));
  const moved = all.filter((event) => event.isRecurrenceException());
  const events = all.filter((event) => !event.isRecurrenceException());
  for (const one of moved) events.find(({ uid }) => uid === one.uid)?.relateException(one);
  return events;
}

/** For a date that does not exist, the library returns another date. */
function hasTimes(component: ICAL.Component): boolean {
  const valid = (name: string): boolean => {
    const [, , , value]: readonly unknown[] = component.getFirstProperty(name)?.toJSON() ?? [];
    return typeof value === 'string' && isDate(value.slice(0, 10));
  };
  const end = component.getFirstProperty('dtend');
  return valid('dtstart') && (!end || valid('dtend'));
}

type Occurrence = { readonly start: ICAL.Time; readonly end: ICAL.Time };

function* occurrencesOf(event: ICAL.Event, last: Date): Generator<Occurrence> {
  if (!event.isRecurring()) {
    if (isHeld(event)) yield { start: event.startDate, end: event.endDate };
    return;
  }
  const times = following(() => event.iterator());
  for (let n = 0; n <= mostDays; n++) {
    const time = following(() => times.next());
    // oxlint-disable-next-line typescript/no-unnecessary-condition -- the library can return null, unlike its types
    if (!time || time.toJSDate() > last) return;
    const { item, startDate: start, endDate: end } = event.getOccurrenceDetails(time);
    if (isHeld(item)) yield { start, end };
  }
  throw new Error(`has an event that occurs more than ${mostDays} times`);
}

/** Replaces the library's error, which names neither the event nor what to change. @throws Error */
function following<T>(rule: () => T): T {
  try {
    return rule();
  } catch (error) {
    throw new Error(badRule, { cause: error });
  }
}

function isHeld({ component }: ICAL.Event): boolean {
  return component.getFirstPropertyValue('status') !== 'CANCELLED';
}

/** The dates from the start to the end. An end at midnight belongs to the day before. */
function* daysBetween(start: ICAL.Time, end: ICAL.Time): Generator<string> {
  const firstMs = Date.UTC(start.year, start.month - 1, start.day);
  const endMs = Date.UTC(end.year, end.month - 1, end.day, end.hour, end.minute, end.second);
  yield new Date(firstMs).toISOString().slice(0, 10);
  for (let atMs = firstMs + dayMs; atMs < endMs; atMs += dayMs) yield new Date(atMs).toISOString().slice(0, 10);
}
