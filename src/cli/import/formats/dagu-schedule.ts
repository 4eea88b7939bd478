// The schedules of a Dagu workflow: one cron pattern, several, or those for start, stop and restart.

import { nicknames, parseCron } from '../../../lib/cron/cron.ts';
import { hostTimezone, isTimezone } from '../../../lib/timezone.ts';
import type { FoundSchedule } from '../found-job.ts';
import { largestOf, type TimeField } from './calendar-times.ts';
import { type Data, isMembers, listOf, textOf } from './import-file.ts';

export function readDaguSchedules(
  data: Data | undefined,
  settings: Readonly<Record<string, unknown>>,
): { readonly schedules: FoundSchedule[]; readonly notes: string[] } {
  const parts =
    isMembers(data) && ['start', 'stop', 'restart'].some((key) => key in data) ? data : { start: data ?? null };
  const notes: string[] = [];
  const schedules = entriesOf(parts.start).flatMap((entry): FoundSchedule[] => {
    const read = readEntry(entry);
    if ('problem' in read) {
      notes.push(`its schedule \`${entry}\` ${read.problem}, so it was left out`);
      return [];
    }
    return [{ ...read, settings }];
  });
  for (const entry of entriesOf(parts.stop))
    notes.push(`Dagu stopped it at \`${entry}\`: write \`timeouts: { run: 8h }\` instead`);
  for (const entry of entriesOf(parts.restart)) notes.push(`Dagu restarted it at \`${entry}\`, which flwd cannot do`);
  return { schedules, notes };
}

function entriesOf(data: Data | undefined): string[] {
  const entries = Array.isArray(data) ? listOf(data) : data === undefined || data === null ? [] : [data];
  return entries
    .map((entry) => textOf(isMembers(entry) ? (entry.expression ?? entry.at) : entry) ?? '')
    .filter((entry) => entry !== '');
}

/** `problem` is the rest of a sentence that begins with the entry. */
function readEntry(entry: string): { readonly cron: string; readonly timezone: string } | { readonly problem: string } {
  const [, zone = hostTimezone(), pattern = ''] = /^(?:(?:CRON_)?TZ=(\S+)\s+)?(.*)$/s.exec(entry.trim()) ?? [];
  if (/^\d{4}-\d\d-\d\dT/.test(pattern)) return { problem: 'is a single point in time' };
  if (!isTimezone(zone)) return { problem: `has the time zone ${zone}, which this machine does not know` };
  if (pattern.startsWith('@every'))
    return { problem: 'counts from the start of Dagu, and flwd starts jobs at fixed times' };
  const cron = nicknames.get(pattern) ?? standardCron(pattern);
  const times = parseCron(cron, zone);
  return 'problem' in times ? times : { cron, timezone: zone };
}

const fields: readonly TimeField[] = ['minutes', 'hours', 'days', 'months', 'weekdays'];

/** In Dagu, `5/15` goes on to the end of its field. If the day or the weekday begins with `*`, both must match. */
function standardCron(pattern: string): string {
  const written = pattern
    .split(/\s+/)
    .map((field, at) =>
      field
        .replace(/^\?/, '*')
        .replaceAll(/(?<=^|,)(\d+)\/(?=\d)/g, (_, from: string) => `${from}-${largestOf(fields[at] ?? 'minutes')}/`),
    );
  const [, , day = '*', , weekday = '*'] = written;
  const isBoth = day !== '*' && weekday !== '*' && (day.startsWith('*') || weekday.startsWith('*'));
  return written.map((field, at) => (isBoth && at === 4 ? `+${field}` : field)).join(' ');
}
