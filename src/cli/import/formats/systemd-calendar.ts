// Turns OnCalendar= of a systemd timer (systemd.time(7)) into a cron pattern that fires at exactly the same minutes.

import { isTimezone } from '../../../lib/timezone.ts';
import { largestOf, smallestOf, type TimeField, toCron } from './calendar-times.ts';

export type FoundTimes = { readonly cron: string; readonly timezone: string | undefined };

const shorthands: Readonly<Record<string, string>> = {
  minutely: '*-*-* *:*:00',
  hourly: '*-*-* *:00:00',
  daily: '*-*-* 00:00:00',
  monthly: '*-*-01 00:00:00',
  weekly: 'Mon *-*-* 00:00:00',
  yearly: '*-01-01 00:00:00',
  annually: '*-01-01 00:00:00',
  quarterly: '*-01,04,07,10-01 00:00:00',
  semiannually: '*-01,07-01 00:00:00',
  'semi-annually': '*-01,07-01 00:00:00',
};
const dayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** `problem` is the rest of a sentence that begins with the expression. */
export function readOnCalendar(expression: string): FoundTimes | { readonly problem: string } {
  const words = expression.trim().split(/\s+/);
  const last = words.at(-1) ?? '';
  const hasZone = words.length > 1 && /^[A-Za-z]/.test(last) && weekdaysOf(last) === undefined;
  if (hasZone && !isTimezone(last)) return { problem: `has the time zone ${last}, which this machine does not know` };
  const rest = hasZone ? words.slice(0, -1) : words;
  const whole = shorthands[rest.join(' ').toLowerCase()]?.split(' ') ?? rest;
  const times = readWords(whole);
  return 'problem' in times ? times : { cron: times.cron, timezone: hasZone ? last : undefined };
}

function readWords(words: readonly string[]): { readonly cron: string } | { readonly problem: string } {
  const weekdays = weekdaysOf(words[0] ?? '');
  const others = weekdays ? words.slice(1) : words;
  const date = others.find((word) => !word.includes(':')) ?? '*-*-*';
  const time = others.find((word) => word.includes(':')) ?? '00:00:00';
  const isOrdered = others.length < 2 || !others[0]?.includes(':');
  const dateParts = /^(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)$/.exec(date);
  const [hour = '', minute = '', second = '00', ...more] = time.split(':');
  if (!dateParts || others.length > 2 || !isOrdered || more.length > 0 || minute === '') return unreadable;
  const [, year = '*', month = '', separator, day = ''] = dateParts;
  if (year !== '*') return { problem: `fires only in the year ${year}, which a cron pattern cannot express` };
  if (!/^0+(?:\.0+)?$/.test(second))
    return { problem: `fires at second ${second}, but flwd fires only at whole minutes` };
  const fields = { hours: listOf(hour, 'hours'), minutes: listOf(minute, 'minutes'), months: listOf(month, 'months') };
  if (Object.values(fields).includes(null)) return unreadable;
  const given = Object.fromEntries(Object.entries(fields).filter(([, list]) => list !== 'all'));
  if (separator === '~') {
    if (/^0*1$/.test(day) && !weekdays) return { cron: toCron({ ...given, isLast: 'day' }) };
    if (/^0*7\/0*1$/.test(day) && weekdays) return { cron: toCron({ ...given, weekdays, isLast: 'weekday' }) };
    return { problem: 'counts days from the end of the month, which a cron pattern can do only for the last day' };
  }
  const days = listOf(day, 'days');
  if (days === null) return unreadable;
  return { cron: toCron({ ...given, ...(days !== 'all' && { days }), ...(weekdays && { weekdays }) }) };
}

const unreadable = { problem: 'is not a calendar expression of systemd.time(7)' };

/** Reads weekdays such as `Mon..Wed,Fri`. Returns undefined for any other text. */
function weekdaysOf(word: string): number[] | undefined {
  if (!/^[A-Za-z]/.test(word)) return undefined;
  const found: number[] = [];
  for (const part of word.split(',').filter((one, at, all) => one !== '' || at < all.length - 1)) {
    const ends = part.split(/\.\.|-/).map(dayOf);
    const [first, last = first] = ends;
    if (ends.length > 2 || first === undefined || last === undefined || ends.includes(undefined)) return undefined;
    // The week of systemd begins on Monday, and a range cannot go past its Sunday.
    const [from, to] = [(first + 6) % 7, (last + 6) % 7];
    if (from > to) return undefined;
    for (let day = from; day <= to; day++) found.push((day + 1) % 7);
  }
  return found;
}

function dayOf(name: string): number | undefined {
  const at = dayNames.findIndex((day) => day === name.toLowerCase() || day.slice(0, 3) === name.toLowerCase());
  return at < 0 ? undefined : at;
}

/** Reads `*`, `1,15`, `8..17`, `0/15` and `1..10/3`. Returns null for any other text. */
function listOf(text: string, field: TimeField): number[] | 'all' | null {
  if (text === '*') return 'all';
  const found: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,2})(?:\.\.(\d{1,2}))?(?:\/(\d{1,2}))?$/.exec(part);
    if (!match) return null;
    const [from, step] = [Number(match[1]), Number(match[3] ?? 1)];
    const to = match[2] !== undefined ? Number(match[2]) : match[3] === undefined ? from : largestOf(field);
    if (from < smallestOf(field) || to > largestOf(field) || from > to || step === 0) return null;
    for (let value = from; value <= to; value += step) found.push(value);
  }
  return found;
}
