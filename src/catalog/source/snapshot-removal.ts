// The other end of a snapshot's life: which were not taken for long, and how one goes without ever being half there.

import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';

const revision = /^[0-9a-f]{16}$/;
/** What a crash leaves of making or removing one. */
const unfinished = /^\.(?:draft|gone)-/;

/** Revisions that were taken last before `beforeMs`. */
export async function oldSnapshots(dir: string, beforeMs: number): Promise<string[]> {
  return namesBefore(dir, beforeMs, revision);
}

/** Under another name at once: whoever takes it meanwhile finds none, and copies the job again. */
export async function removeSnapshot(dir: string, name: string): Promise<void> {
  const gone = join(dir, `.gone-${name}`);
  await rm(gone, { recursive: true, force: true });
  await rename(join(dir, name), gone);
  await rm(gone, { recursive: true, force: true });
}

/** @returns how many there were */
export async function removeUnfinishedSnapshots(dir: string, beforeMs: number): Promise<number> {
  const names = await namesBefore(dir, beforeMs, unfinished);
  for (const name of names) await rm(join(dir, name), { recursive: true, force: true });
  return names.length;
}

async function namesBefore(dir: string, beforeMs: number, pattern: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(dir).catch(noneWhereMissing)) {
    if (!pattern.test(name)) continue;
    const stats = await stat(join(dir, name)).catch(() => undefined);
    if (stats && stats.mtimeMs < beforeMs) found.push(name);
  }
  return found;
}

function noneWhereMissing(error: unknown): string[] {
  if (errorCode(error) !== 'ENOENT') throw error;
  return [];
}
