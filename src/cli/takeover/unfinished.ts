// Remembers a takeover that was interrupted. It leaves its jobs held, so perhaps neither cron nor flwd starts them. A
// file in the data dir lists these jobs, and the next commands warn about them. Beside that file are copies of the
// crontabs, and the list of all jobs that this instance has taken over.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { takenFile, takeoverFile, takeoverFolder } from '../../instance/takeover-folder.ts';
import { isAnothers } from '../../lib/files/file-owner.ts';
import { Refusal } from '../exit-code.ts';
import { fileTrouble } from '../file-trouble.ts';

const mostCopies = 50;

/** The jobs of an interrupted takeover; empty if no takeover was interrupted. */
export function unfinishedJobs(dataDir: string): readonly string[] {
  return readJobs(takeoverFile(dataDir));
}

/** The jobs that this instance has taken over, even if their lines are back in the crontab by now. */
export function takenJobs(dataDir: string): readonly string[] {
  return readJobs(takenFile(dataDir));
}

/** Call this before the lines of these jobs become comments. */
export function rememberTaken(dataDir: string, jobIds: readonly string[]): void {
  writeJobs(takenFile(dataDir), [...new Set([...takenJobs(dataDir), ...jobIds])]);
}

function readJobs(path: string): readonly string[] {
  try {
    const read: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(read) ? read.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export function beginTakeover(dataDir: string, jobIds: readonly string[]): void {
  writeJobs(takeoverFile(dataDir), jobIds);
}

function writeJobs(path: string, jobIds: readonly string[]): void {
  writeDurably(path, Buffer.from(`${JSON.stringify(jobIds)}\n`));
}

/** @param stuck jobs of an earlier takeover that neither cron nor flwd starts yet */
export function finishTakeover(dataDir: string, stuck: readonly string[]): void {
  if (stuck.length > 0) beginTakeover(dataDir, stuck);
  else rmSync(takeoverFile(dataDir), { force: true });
}

/** Stores a copy of a crontab, and returns its path. Removes all but the newest copies. */
export function keepCopy(dataDir: string, place: string, text: Buffer): string {
  const folder = takeoverFolder(dataDir);
  const stamp = new Date()
    .toISOString()
    .replaceAll(/[-:]/g, '')
    .replace(/\.(\d+)/, '$1');
  const copy = join(folder, `${stamp}-${place.replace(/^the /, '').replaceAll(/[^\w.-]+/g, '-')}`);
  writeDurably(copy, text);
  const copies = readdirSync(folder)
    .filter((name) => /^\d{8}T/.test(name))
    .toSorted();
  for (const name of copies.slice(0, -mostCopies)) rmSync(join(folder, name), { force: true });
  return copy;
}

/** Writes all of the file or nothing, even if the power fails. */
function writeDurably(path: string, text: Buffer): void {
  inOwnFolder(dirname(path), (folder) => {
    const draft = join(folder, `${basename(path)}.new`);
    const opened = openSync(draft, 'w', 0o600);
    try {
      writeFileSync(opened, text);
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
    renameSync(draft, join(folder, basename(path)));
  });
}

export function makeTakeoverFolder(dataDir: string): void {
  mkdirSync(takeoverFolder(dataDir), { recursive: true, mode: 0o700 });
  inOwnFolder(takeoverFolder(dataDir), () => undefined);
}

/**
 * Calls `work` with a path to the folder that was checked. If root takes over for the server of another user, that user
 * could replace the folder by a link at any time. This path still leads to the checked folder.
 * @throws Refusal
 */
function inOwnFolder(folder: string, work: (path: string) => void): void {
  const opened = openFolder(folder);
  try {
    const stat = fstatSync(opened);
    if (isAnothers(stat))
      throw new Refusal(`${folder} belongs to another user, uid ${stat.uid}: look through it, and remove it`);
    work(`/proc/self/fd/${opened}`);
  } finally {
    closeSync(opened);
  }
}

function openFolder(folder: string): number {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new Refusal(`cannot keep copies of crontabs in ${folder}: ${fileTrouble(error)}`);
  }
}
