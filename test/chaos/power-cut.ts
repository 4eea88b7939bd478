// Simulates a power cut: leaves no process, only the synced part of the database, and of each other file the synced
// part and some of the rest. Names are kept with their files, as on ext4, XFS and Btrfs.

import { closeSync, openSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcessesWith, processesWith } from '../support/processes.ts';
import type { Random } from './random.ts';
import { cutWal } from './wal.ts';

export type Syncs = { readonly walPath: string; readonly filesPath: string };
export type PowerCut = { readonly atMs: number; readonly framesLost: number; readonly filesCut: number };

export function prepareSyncs(root: string): Syncs {
  const syncs = { walPath: join(root, 'synced-wal'), filesPath: join(root, 'synced-files') };
  for (const path of Object.values(syncs)) closeSync(openSync(path, 'a'));
  return syncs;
}

/** Kill the server before calling this. */
export async function cutPower(root: string, syncs: Syncs, random: Random): Promise<PowerCut> {
  while (processesWith(root).length > 0) {
    killProcessesWith(root);
    await delay(10);
  }
  const said = readFileSync(syncs.walPath, 'utf8').trim();
  const framesLost = cutWal(join(root, 'data/flwd.db'), said === '' ? undefined : JSON.parse(said));
  const synced = new Map<number, number>();
  for (const [, inode, size] of readFileSync(syncs.filesPath, 'utf8').matchAll(/^(\d+) (\d+)$/gm))
    synced.set(Number(inode), Number(size));
  const filesCut = ['logs', 'artifacts', 'snapshots']
    .flatMap((name) => filesBelow(join(root, 'data', name)))
    .filter((path) => cutFile(path, synced, random)).length;
  return { atMs: Date.now(), framesLost, filesCut };
}

/** The kernel may have written any unsynced part. Here it has written the first bytes. */
function cutFile(path: string, synced: ReadonlyMap<number, number>, random: Random): boolean {
  const { ino, size, nlink } = statSync(path);
  const safe = Math.min(size, synced.get(ino) ?? 0);
  // A file with a second hard link also belongs to the job.
  if (safe === size || nlink > 1) return false;
  truncateSync(path, random.integer(safe, size));
  return true;
}

function filesBelow(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
