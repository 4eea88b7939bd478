// Turns the times of a crontab line into a pattern of flwd that fires at exactly the same times, or says why it cannot.

import { nicknames, parseCron } from '../../lib/cron/cron.ts';

type Field = {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
};

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');
const fields: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: months },
  { name: 'day of the week', least: 0, most: 7, names: days },
];

/** @param times five fields, or one word such as `@daily` */
export function readTimes(times: readonly string[]): { readonly cron: string } | { readonly problem: string } {
  const [word = ''] = times;
  if (word.startsWith('@')) {
    const name = word.toLowerCase();
    // cron's `@reboot` is flwd's `@boot`. flwd's `@reboot` fires at each start of the server.
    const cron = name === '@reboot' ? '@boot' : nicknames.get(name);
    return cron === undefined ? { problem: `\`${word}\` has no counterpart in flwd` } : { cron };
  }
  for (const [at, field] of fields.entries()) {
    const problem = problemOf(times[at] ?? '', field);
    if (problem !== undefined) return { problem };
  }
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = times;
  // If the day or the weekday begins with `*`, cron requires that both match. flwd requires this only for a plain `*`.
  // For a field such as `*/2`, a `+` before the weekday requires that both match.
  const isBoth = day.startsWith('*') || weekday.startsWith('*');
  const needsMark = isBoth && day !== '*' && weekday !== '*';
  const cron = [minute, hour, day, month, `${needsMark ? '+' : ''}${weekday}`].join(' ').toUpperCase();
  const parsed = parseCron(cron, 'UTC');
  return 'problem' in parsed ? { problem: `the pattern ${parsed.problem}` } : { cron };
}

function problemOf(written: string, { name, least, most, names = [] }: Field): string | undefined {
  const number = (text: string): number | undefined => {
    if (/^\d{1,2}$/.test(text)) return Number(text);
    const at = names.indexOf(text.toLowerCase());
    return at === -1 ? undefined : at + (least === 1 ? 1 : 0);
  };
  for (const part of written.split(',')) {
    const [, range = '', step] = /^([^/]*)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (part.includes('~')) return `the ${name} \`${written}\` is random: choose a time, or use \`jitter\``;
    if (range === '*') {
      if (step !== undefined && Number(step) === 0) return `the ${name} \`${written}\` has a step of 0`;
      continue;
    }
    const [from = '', to, more] = range.split('-');
    const [low, high] = [number(from), to === undefined ? number(from) : number(to)];
    const isInside = low !== undefined && high !== undefined && low >= least && high <= most && low <= high;
    if (!isInside || more !== undefined) return `the ${name} \`${written}\` is not valid`;
    if (step === undefined) continue;
    if (to === undefined)
      return `the ${name} \`${written}\` means different times to different crons: write a range before the \`/\``;
    if (Number(step) === 0) return `the ${name} \`${written}\` has a step of 0`;
  }
  return undefined;
}
