// Writes a file into the folder of each imported job. The file records where the job comes from. With it, a second
// import recognises the job, and a takeover finds the line that the job replaces. Passwords are left out.

import { closeSync, constants, fstatSync, globSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FoundJob } from './found-job.ts';
import { isSecretValue, withoutSecrets } from './secret-text.ts';

export const recordFile = 'import.json';

export type ImportRecord = {
  readonly kind: string;
  readonly place: string;
  readonly line: number | null;
  readonly text: string;
  /** The environment that the other scheduler gave to the job, without passwords. */
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string | null;
  readonly schedules: readonly { readonly cron: string; readonly timezone: string }[];
  /** For example `ran as postgres`; null if everything was carried over. */
  readonly not_carried_over: string | null;
};

export function recordOf(job: FoundJob, notCarriedOver: string | null): ImportRecord {
  const { kind, place, line } = job.origin;
  return {
    kind,
    place,
    line,
    text: withoutSecrets(job.origin.text),
    environment: Object.fromEntries(
      Object.entries(job.environment).map(([name, value]) => [name, isSecretValue(name, value) ? '…' : value]),
    ),
    user: job.user,
    schedules: job.schedules.map(({ cron, timezone }) => ({ cron, timezone })),
    not_carried_over: notCarriedOver,
  };
}

/**
 * Returns a key that two records of the same line, timer or file have in common. It leaves out the line number, because
 * lines move. For an export of Cronicle or Rundeck, it also leaves out the file, because the next export may have another
 * name.
 * @param text without passwords
 */
export function keyOf({ kind, place, text }: Pick<ImportRecord, 'kind' | 'place' | 'text'>): string {
  return JSON.stringify([kind, isExport(kind) ? null : place, text]);
}

export function isExport(kind: string): boolean {
  return kind === 'cronicle' || kind === 'rundeck';
}

export type Recorded = { readonly dir: string; readonly record: ImportRecord };

/** Finds the imported jobs below a folder. */
export function readRecords(root: string): Recorded[] {
  return globSync(`**/${recordFile}`, { cwd: root, exclude: isSkipped }).flatMap((path) => {
    const record = readRecord(join(root, path));
    return record ? [{ dir: join(root, dirname(path)), record }] : [];
  });
}

/** Whether to skip a folder of this name. Sources skip the same names. */
function isSkipped(name: string): boolean {
  return /(?:^|\/)(?:\.|node_modules$)/.test(name);
}

const mostBytes = 4 * 2 ** 20;

/**
 * Returns undefined if no import wrote this file. Other users may be able to write to the folder, and may have put a
 * pipe there.
 */
function readRecord(path: string): ImportRecord | undefined {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(file);
      if (!stat.isFile() || stat.size > mostBytes) return undefined;
      const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
      return isRecord(read) ? read : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ImportRecord {
  const { kind, place, line, text, environment, user, schedules, not_carried_over: lost } = membersOf(value);
  return (
    [kind, place, text].every(isText) &&
    (line === null || typeof line === 'number') &&
    [user, lost].every((one) => one === null || isText(one)) &&
    typeof environment === 'object' &&
    environment !== null &&
    Object.values(environment).every(isText) &&
    Array.isArray(schedules) &&
    schedules.every((one) => [membersOf(one).cron, membersOf(one).timezone].every(isText))
  );
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
