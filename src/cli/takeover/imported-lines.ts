// Compares the jobs that were imported from crontabs with the present crontabs. Says which lines flwd can take over,
// which it has already taken over, and why the others stay with cron.

import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { parseCron, toLocalTimestamp } from '../../lib/cron/cron.ts';
import { hostTimezone } from '../../lib/timezone.ts';
import { Refusal } from '../exit-code.ts';
import { jobOfLine } from '../import/crontab-job.ts';
import { readTable } from '../import/crontab-table.ts';
import { readHostUsers } from '../import/host-users.ts';
import { type ImportRecord, type Recorded, readRecords, recordOf } from '../import/record.ts';
import { withoutSecrets } from '../import/secret-text.ts';
import { type CronTable, openTable, takenLines } from './cron-table.ts';

export type ImportedLine = {
  readonly record: ImportRecord;
  /** null if flwd cannot read the job. */
  readonly jobId: string | null;
} & (
  | {
      /** cron runs it. */
      readonly kind: 'active';
      /** The numbers of the lines with this text. The same line may be there twice. */
      readonly lines: readonly number[];
      /** The next times of the line under cron, with their offset. */
      readonly nextTimes: readonly string[];
      /** The address to which cron mails the output; empty if the crontab names no address. */
      readonly mailTo: string;
    }
  /** flwd has commented it out. */
  | { readonly kind: 'taken'; readonly lines: readonly number[] }
  | { readonly kind: 'left'; readonly reason: string }
);

export type ReadTable = {
  readonly table: CronTable;
  readonly text: Buffer;
  readonly imported: readonly ImportedLine[];
};

/** Returns the jobs by crontab. `unread` are the jobs whose crontab cannot be read. @throws Refusal */
export async function readImported(
  config: Config,
): Promise<{ readonly tables: readonly ReadTable[]; readonly unread: readonly ImportedLine[] }> {
  const recorded = config.sources
    .flatMap(({ path }) => readRecords(path))
    .filter(({ record }) => record.kind === 'crontab');
  const { jobIdsByFolder } = await import('../../sources.ts');
  const ids = await jobIdsByFolder(config);
  const idOf = ({ dir }: Recorded): string | null => ids.get(dir) ?? null;
  const byPlace = Map.groupBy(recorded, ({ record }) => record.place);
  const tables: ReadTable[] = [];
  const unread: ImportedLine[] = [];
  for (const [place, of] of byPlace) {
    const opened = read(place);
    if ('reason' in opened)
      unread.push(
        ...of.map(
          (one): ImportedLine => ({ kind: 'left', record: one.record, jobId: idOf(one), reason: opened.reason }),
        ),
      );
    else
      tables.push({
        ...opened,
        imported: compare(
          of.map((one) => ({ record: one.record, jobId: idOf(one) })),
          opened.table,
          opened.text,
        ),
      });
  }
  return { tables, unread };
}

function read(place: string): { readonly table: CronTable; readonly text: Buffer } | { readonly reason: string } {
  const table = openTable(place);
  if (!table) return { reason: `it was imported from ${place}, which cron does not read` };
  try {
    return { table, text: table.read() };
  } catch (error) {
    if (error instanceof Refusal) return { reason: error.message };
    throw error;
  }
}

type Known = Pick<ImportedLine, 'record' | 'jobId'>;

function compare(known: readonly Known[], table: CronTable, text: Buffer): ImportedLine[] {
  const users = readHostUsers();
  const timezone = hostTimezone();
  const shared = {
    place: table.place,
    user: table.user ?? 'root',
    timezone,
    homeOf: (name: string) => users.get(name)?.home ?? null,
  };
  const now = readTable(text, { hasUser: table.user === null }).flatMap((line) => {
    const one = jobOfLine(line, shared);
    const mailTo = (line.kind === 'entry' ? line.environment.MAILTO : undefined) ?? '';
    return one.kind === 'job' ? [{ line: line.line, record: recordOf(one, null), mailTo }] : [];
  });
  const taken = takenLines(text);
  const seen = new Set<string>();
  const compared = known.map(({ record, jobId }): ImportedLine => {
    if (seen.has(record.text)) return { kind: 'left', record, jobId, reason: 'another job replaces the same line' };
    seen.add(record.text);
    const same = now.filter((one) => one.record.text === record.text);
    const lines = same.filter((one) => isSame(one.record, record)).map(({ line }) => line);
    if (same.length > 0 && lines.length < same.length)
      return {
        kind: 'left',
        record,
        jobId,
        reason:
          'its variables, user or time zone changed since the import: remove the job’s folder and import it again',
      };
    const [{ mailTo } = { mailTo: '' }] = same;
    if (lines.length > 0) return { kind: 'active', record, jobId, lines, nextTimes: timesOf(record), mailTo };
    // The text is compared as well, because a job has another id once its folder was moved.
    const commented = taken
      .filter((one) => one.jobId === jobId || withoutSecrets(one.text.trim()) === record.text)
      .map(({ line }) => line);
    if (commented.length > 0) return { kind: 'taken', record, jobId, lines: commented };
    return { kind: 'left', record, jobId, reason: 'the line has changed since the import, or it no longer exists' };
  });
  return compared.toSorted((a, b) => lineOf(a) - lineOf(b));
}

function lineOf(line: ImportedLine): number {
  return ('lines' in line ? line.lines[0] : line.record.line) ?? 0;
}

/** Whether the line still has the same variables, user and times. The number of the line does not matter. */
function isSame(now: ImportRecord, then: ImportRecord): boolean {
  return factsOf(now) === factsOf(then);
}

function factsOf({ environment, user, schedules }: ImportRecord): string {
  const names = Object.keys(environment).toSorted((a, b) => (a < b ? -1 : 1));
  return JSON.stringify([names.map((name) => [name, environment[name]]), user, schedules]);
}

const shownTimes = 3;

function timesOf({ schedules }: ImportRecord): string[] {
  return schedules.flatMap(({ cron, timezone: wanted }) => {
    // Debian's cron ignores CRON_TZ.
    const timezone = existsSync('/usr/sbin/cron') ? hostTimezone() : wanted;
    const times = parseCron(cron, timezone);
    if ('problem' in times) return [];
    const found: string[] = [];
    for (let at = times.next(Date.now()); at !== null && found.length < shownTimes; at = times.next(at))
      found.push(toLocalTimestamp(at, timezone));
    return found;
  });
}

export function placeOf({ record, ...line }: ImportedLine): string {
  const number = 'lines' in line ? line.lines.join(', ') : record.line;
  return `${record.place}${number === null ? '' : `, line ${number}`}`;
}
