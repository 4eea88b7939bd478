// Reads the cron patterns of Quartz, which Rundeck uses: seven fields, with seconds in front and a year at the end, and
// with Sunday as 1.

import { largestOf, smallestOf, type TimeField, toCron } from './calendar-times.ts';

const monthNames = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const dayNames = 'SUN MON TUE WED THU FRI SAT'.split(' ');

export type QuartzFields = {
  readonly seconds: string;
  readonly minute: string;
  readonly hour: string;
  readonly day: string;
  readonly month: string;
  readonly weekday: string;
  readonly year: string;
};

/** Splits a pattern such as `0 30 2 ? * MON-FRI *`. Returns undefined if it has another number of fields. */
export function splitQuartz(pattern: string): QuartzFields | undefined {
  const fields = pattern.trim().split(/\s+/);
  const [seconds = '', minute = '', hour = '', day = '', month = '', weekday = '', year = '*'] = fields;
  return fields.length === 6 || fields.length === 7 ? { seconds, minute, hour, day, month, weekday, year } : undefined;
}

/** `problem` is the rest of a sentence that begins with the pattern. */
export function fromQuartz(fields: QuartzFields): { readonly cron: string } | { readonly problem: string } {
  const { seconds, year, day, weekday } = fields;
  if (!/^0+$/.test(seconds)) return { problem: `fires at second ${seconds}, but flwd fires only at whole minutes` };
  if (!['*', '?', ''].includes(year))
    return { problem: `fires only in the year ${year}, which a cron pattern cannot express` };
  const read = {
    minutes: listOf(fields.minute, 'minutes'),
    hours: listOf(fields.hour, 'hours'),
    months: listOf(fields.month, 'months'),
  };
  if (Object.values(read).includes(null)) return unreadable;
  const times = Object.fromEntries(Object.entries(read).filter(([, list]) => list !== 'all'));
  if (day.toUpperCase() === 'L' && isAny(weekday)) return { cron: toCron({ ...times, isLast: 'day' }) };
  const lastOf = /^(\w+)L$/i.exec(weekday)?.[1];
  if (lastOf !== undefined && isAny(day)) {
    const weekdays = listOf(lastOf, 'weekdays');
    return Array.isArray(weekdays) ? { cron: toCron({ ...times, weekdays, isLast: 'weekday' }) } : unreadable;
  }
  const nth = /^(\w+)#([1-5])$/.exec(weekday);
  if (nth && isAny(day)) {
    const [number] = [listOf(nth[1] ?? '', 'weekdays')].flat();
    return typeof number === 'number' ? { cron: `${toCron(times).slice(0, -1)}${number}#${nth[2]}` } : unreadable;
  }
  if (/[LW#]/i.test(day)) return { problem: `counts its days by ${day}, which was not carried over` };
  const days = listOf(day, 'days');
  const weekdays = listOf(weekday, 'weekdays');
  if (days === null || weekdays === null) return unreadable;
  return { cron: toCron({ ...times, ...(days !== 'all' && { days }), ...(weekdays !== 'all' && { weekdays }) }) };
}

const unreadable = { problem: 'is not a pattern that flwd understands' };

function isAny(field: string): boolean {
  return field === '*' || field === '?' || field === '';
}

/**
 * Reads `*`, `1,15`, `8-17`, `0/15`, `*` with a step, and names. A range may go past the end of its field. Returns null
 * for any other text.
 */
function listOf(text: string, field: TimeField): number[] | 'all' | null {
  if (isAny(text)) return 'all';
  const [smallest, largest] = [smallestOf(field), largestOf(field)];
  const found: number[] = [];
  for (const part of text.split(',')) {
    const [range = '', stepText, ...more] = part.split('/');
    const step = stepText === undefined ? 1 : /^\d{1,2}$/.test(stepText) ? Number(stepText) : 0;
    const ends = range === '*' ? [smallest, largest] : range.split('-').map((end) => numberOf(end, field));
    const [from, to = stepText === undefined ? from : largest] = ends;
    if (more.length > 0 || step === 0 || ends.length > 2 || typeof from !== 'number' || typeof to !== 'number')
      return null;
    const span = to - from + (to < from ? largest - smallest + 1 : 0);
    for (let passed = 0; passed <= span; passed += step)
      found.push(smallest + ((from - smallest + passed) % (largest - smallest + 1)));
  }
  return found;
}

function numberOf(text: string, field: TimeField): number | null {
  if (field === 'weekdays') {
    const named = dayNames.indexOf(text.toUpperCase());
    if (named >= 0) return named;
    return /^[1-7]$/.test(text) ? Number(text) - 1 : null;
  }
  if (field === 'months' && monthNames.includes(text.toUpperCase())) return monthNames.indexOf(text.toUpperCase()) + 1;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  return value >= smallestOf(field) && value <= largestOf(field) ? value : null;
}
