// A crontab that a takeover changes. It changes a user's crontab with the program `crontab`, and a file of /etc/cron.d
// by a rename, which keeps its mode and owner. Lines that flwd has taken over become comments with a mark; everything
// else stays as it is.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { ownUserName } from '../../lib/files/own-user.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';

export type CronTable = {
  /** As in the record of an imported job: `the crontab of ada`, `/etc/cron.d/certs`. */
  readonly place: string;
  /** The user of all lines; null if each line names its user. */
  readonly user: string | null;
  /** @throws Refusal */
  readonly read: () => Buffer;
  /** @throws Refusal */
  readonly write: (text: Buffer) => void;
};

const mostBytes = 4 * 2 ** 20;

/** Returns undefined if the jobs were imported from a place that cron does not read, such as standard input. */
export function openTable(place: string): CronTable | undefined {
  const [, user] = /^the crontab of (\S+)$/.exec(place) ?? [];
  if (user !== undefined) return tableOfUser(place, user);
  return /^\/etc\/(?:crontab|cron\.d\/[\w-]+)$/.test(place) ? tableInFile(place) : undefined;
}

function tableOfUser(place: string, user: string): CronTable {
  // Only root may name a user, so the user's own name is left out.
  const own = user === ownUserName() ? [] : ['-u', user];
  const crontab = (words: readonly string[], input?: Buffer): Buffer => {
    const options = { ...(input && { input }), maxBuffer: mostBytes, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
    const { error, status, stdout, stderr } = spawnSync('crontab', [...own, ...words], options);
    if (error) throw new Refusal(`cannot run crontab: ${fileTrouble(error)}`);
    if (status === 0) return stdout;
    const said = stderr.toString().trim();
    if (words[0] === '-l' && said.startsWith('no crontab for')) return Buffer.alloc(0);
    throw new Refusal(`crontab ${words.join(' ')} failed for ${place}: ${said.split('\n').at(-1) ?? ''}`);
  };
  return { place, user, read: () => crontab(['-l']), write: (text) => void crontab(['-'], text) };
}

function tableInFile(path: string): CronTable {
  const trouble = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      throw new Refusal(`cannot change ${path}: ${fileTrouble(error)}`);
    }
  };
  return {
    place: path,
    user: null,
    read: () => trouble(() => (lstatSync(path, { throwIfNoEntry: false }) ? readFileSync(path) : Buffer.alloc(0))),
    write: (text) => trouble(() => replaceFile(path, text)),
  };
}

/** Writes a new file first, and then renames it. The new file's name begins with a dot, so cron does not read it. */
function replaceFile(path: string, text: Buffer): void {
  const stat = lstatSync(path);
  if (!stat.isFile()) throw new Refusal(`${path} is not a plain file: change it by hand`);
  const draft = join(dirname(path), `.flwd-takeover-${process.pid}`);
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeFileSync(file, text);
      fchownSync(file, stat.uid, stat.gid);
      fchmodSync(file, stat.mode & 0o7777);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Replaces a crontab if it has not changed since it was read, and reads it once more to check the result. @throws
 * Refusal
 */
export function changeTable(table: CronTable, before: Buffer, after: Buffer): void {
  if (!table.read().equals(before))
    throw new Refusal(`${table.place} changed just now, so nothing was changed: try again`, exitCodes.refused);
  table.write(after);
  if (!table.read().equals(after))
    throw new Refusal(
      `${table.place} is not what flwd wrote, because somebody else changed it: compare it with its copy, and try again`,
      exitCodes.refused,
    );
}

const mark = /^#flwd:([A-Za-z0-9][\w./-]*)# (.*)$/s;

type TakenLine = {
  readonly line: number;
  readonly jobId: string;
  /** The original line. */
  readonly text: string;
};

/** The lines that a takeover has commented out. */
export function takenLines(table: Buffer): TakenLine[] {
  return table
    .toString('utf8')
    .split('\n')
    .flatMap((written, at) => {
      const [, jobId, text] = mark.exec(written) ?? [];
      return jobId === undefined || text === undefined ? [] : [{ line: at + 1, jobId, text }];
    });
}

/** @param jobs line number → id of the job that replaces the line */
export function commentOut(table: Buffer, jobs: ReadonlyMap<number, string>): Buffer {
  return changeLines(table, (line, number) => {
    const jobId = jobs.get(number);
    return jobId === undefined ? line : `#flwd:${jobId}# ${line}`;
  });
}

/** Turns the comments on these lines back into the original lines. */
export function uncomment(table: Buffer, lines: ReadonlySet<number>): Buffer {
  return changeLines(table, (line, number) => (lines.has(number) ? (mark.exec(line)?.[2] ?? line) : line));
}

/** Latin1 preserves every byte. */
function changeLines(table: Buffer, change: (line: string, number: number) => string): Buffer {
  const lines = table.toString('latin1').split('\n');
  return Buffer.from(lines.map((line, at) => change(line, at + 1)).join('\n'), 'latin1');
}
