// A takeover that was interrupted leaves its jobs held, so neither cron nor flwd may start them. A file in the data dir
// makes the next commands say so. The copies of the crontabs are beside it.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { takeoverFile, takeoverFolder } from '../../instance/takeover-folder.ts';

const mostCopies = 50;

/** The jobs of the takeover; empty if it was finished. */
export function unfinishedJobs(dataDir: string): readonly string[] {
  try {
    const read: unknown = JSON.parse(readFileSync(takeoverFile(dataDir), 'utf8'));
    return Array.isArray(read) ? read.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export function beginTakeover(dataDir: string, jobIds: readonly string[]): void {
  writeDurably(takeoverFile(dataDir), Buffer.from(`${JSON.stringify(jobIds)}\n`));
}

/** @param stuck jobs of an earlier takeover that nothing starts yet */
export function finishTakeover(dataDir: string, stuck: readonly string[]): void {
  if (stuck.length > 0) beginTakeover(dataDir, stuck);
  else rmSync(takeoverFile(dataDir), { force: true });
}

/** Keeps a crontab as it was; returns the path of the copy. Only the newest copies are kept. */
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

/** All of it or nothing, even if the power fails. */
function writeDurably(path: string, text: Buffer): void {
  const draft = `${path}.new`;
  const opened = openSync(draft, 'w', 0o600);
  try {
    writeFileSync(opened, text);
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
  renameSync(draft, path);
}

export function makeTakeoverFolder(dataDir: string): void {
  mkdirSync(takeoverFolder(dataDir), { recursive: true, mode: 0o700 });
}
