// Finds and removes snapshots that have not been used for a long time. Each snapshot is renamed before its files are
// removed, so nobody ever finds half of it.

import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';

const revision = /^[0-9a-f]{16}$/;
/** Folders that a crash left while a snapshot was made or removed. */
const unfinished = /^\.(?:draft|gone)-/;

/** Revisions that were last used before `beforeMs`. */
export async function oldSnapshots(dir: string, beforeMs: number): Promise<string[]> {
  return namesBefore(dir, beforeMs, revision);
}

/**
 * Renames the snapshot before removing it. A run that needs it in the meantime does not find it, and copies the job
 * again.
 */
export async function removeSnapshot(dir: string, name: string): Promise<void> {
  const gone = join(dir, `.gone-${name}`);
  await rm(gone, { recursive: true, force: true });
  await rename(join(dir, name), gone);
  await rm(gone, { recursive: true, force: true });
}

/** @returns how many it removed */
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
