// What an imported job remembers about where it comes from, in a file of its folder. A second import recognises it by
// this, and a takeover finds the line that it replaces. Passwords are left out.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FoundJob } from './found-job.ts';
import { isSecretValue, withoutSecrets } from './secret-text.ts';

export const recordFile = 'import.json';

export type ImportRecord = {
  readonly kind: string;
  readonly place: string;
  readonly line: number | null;
  readonly text: string;
  /** The other scheduler's environment for it, without passwords. */
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string | null;
  readonly schedules: readonly { readonly cron: string; readonly timezone: string }[];
  /** `ran as postgres`; null if everything is carried over. */
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

/** Two things with the same key are one. Lines move, so their numbers do not count. @param text without passwords */
export function keyOf({ kind, place, text }: Pick<ImportRecord, 'kind' | 'place' | 'text'>): string {
  return JSON.stringify([kind, place, text]);
}

export type Recorded = { readonly dir: string; readonly record: ImportRecord };

/** The imported jobs below a folder. */
export function readRecords(root: string): Recorded[] {
  return globSync(`**/${recordFile}`, { cwd: root, exclude: isSkipped }).flatMap((path) => {
    const record = readRecord(join(root, path));
    return record ? [{ dir: join(root, dirname(path)), record }] : [];
  });
}

/** What a source does not search either. */
function isSkipped(name: string): boolean {
  return /(?:^|\/)(?:\.|node_modules$)/.test(name);
}

/** undefined if it is not a record that an import wrote. */
function readRecord(file: string): ImportRecord | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is ImportRecord {
  if (typeof value !== 'object' || value === null) return false;
  const texts = ['kind', 'place', 'text'].every((name) => typeof Reflect.get(value, name) === 'string');
  return texts && Array.isArray(Reflect.get(value, 'schedules'));
}
