// A cron pattern as a sentence, for every interface: `0 2 * * *` is "Every day at 02:00".

import cronstrue from 'cronstrue';
import { nicknames, toLocalTimestamp } from './cron.ts';

const starts: ReadonlyMap<string, string> = new Map([
  ['@reboot', 'At every start of the server'],
  ['@boot', 'At the first start after each boot of the host'],
]);

type Terms = {
  readonly cron: string | null;
  readonly atMs: number | null;
  readonly timezone: string;
  readonly calendar: readonly string[] | null;
  readonly except: readonly string[];
};

/** Says when a schedule fires: `Every day at 02:00, except on holidays`, or `Once, on 1 December 2026 at 09:00`. */
export function scheduleWords({ cron, atMs, timezone, calendar, except }: Terms): string {
  if (cron === null) return atMs === null ? '' : onceWords(atMs, timezone);
  const only = calendar === null ? '' : `, only on ${dayWords(calendar)}`;
  const never = except.length === 0 ? '' : `, except on ${dayWords(except)}`;
  return `${cronWords(cron)}${only}${never}`;
}

function onceWords(atMs: number, timezone: string): string {
  const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: timezone }).format(atMs);
  const local = toLocalTimestamp(atMs, timezone);
  return `Once, on ${day} at ${local.slice(11, local.slice(17, 19) === '00' ? 16 : 19)}`;
}

const namedDays = 3;

function dayWords(days: readonly string[]): string {
  if (days.length > namedDays) return `${days.length} days or calendars`;
  return new Intl.ListFormat('en-GB').format(days);
}

/** Puts a pattern into words. If that is not possible, returns the pattern itself. */
export function cronWords(pattern: string): string {
  const start = starts.get(pattern);
  if (start !== undefined) return start;
  const said = described(nicknames.get(pattern) ?? pattern)
    .replaceAll(' through ', ' to ')
    .replaceAll('of the month', 'of each month');
  return said.includes('past the hour,') ? said : withDayFirst(said.replace('past the hour', 'past every hour'));
}

function described(pattern: string): string {
  try {
    return cronstrue.toString(withNumberedWeek(pattern).replace(' +', ' '), {
      use24HourTimeFormat: true,
      logicalAndDayFields: pattern.includes(' +'),
    });
  } catch {
    // cronstrue does not know every pattern that croner accepts, such as `1+1`.
    return pattern;
  }
}

const weeks = ['1-7', '8-14', '15-21', '22-28'];

/** Writes "day 8 to 14 and a Saturday" as "the second Saturday", as people say it. */
function withNumberedWeek(pattern: string): string {
  return pattern.replace(/ ([\d-]+) (\S+) \+(\w+)$/, (all, days: string, months: string, weekday: string) => {
    const week = weeks.indexOf(days) + 1;
    return week === 0 ? all : ` * ${months} ${weekday}#${week}`;
  });
}

/** cronstrue begins with the time, as in "At 02:00, only on Sunday". This puts the day first. */
function withDayFirst(said: string): string {
  const [, times, days] = /^At (\d\d:\d\d(?:, \d\d:\d\d)*(?:,? and \d\d:\d\d)?)(?:, (.*))?$/.exec(said) ?? [];
  if (times === undefined) return said;
  if (days === undefined) return `Every day at ${times}`;
  const [, day, month] = /^on day (\d+) of each month, only in (\w+)$/.exec(days) ?? [];
  if (day !== undefined) return `Every year on ${day} ${month} at ${times}`;
  // Several conditions are clearer after the time.
  if (days.includes(', ')) return said;
  return `${capitalized(days.replace(/^only on /, 'every '))} at ${times}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
