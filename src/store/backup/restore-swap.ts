// Puts the files of a restore in place. They are complete beside the old ones before the first of these is touched, and
// a file in the data dir says so: a restore that is killed after that is finished by the next one.

import { existsSync } from 'node:fs';
import { realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mountsOf } from '../../lib/files/mount-table.ts';
import { syncDisk, syncFolder } from '../../lib/files/sync-folder.ts';
import { StartError } from '../../lib/start-error.ts';
import type { Places } from './backup.ts';
import { restoredDamageFile } from './backup-files.ts';

/** Files that are not in place yet. */
const draftEnd = '.restoring';
/** The old files, until they are removed. */
const oldEnd = '.replaced';

const ofSqlite = ['-wal', '-shm', '-journal'];

function change(places: Places, each: (path: string) => string): Places {
  return {
    dataDir: places.dataDir,
    dbPath: each(places.dbPath),
    logsDir: each(places.logsDir),
    artifactsDir: each(places.artifactsDir),
    snapshotsDir: each(places.snapshotsDir),
    runsDir: each(places.runsDir),
    secretKeyFile: each(places.secretKeyFile),
    signingKeyFile: each(places.signingKeyFile),
  };
}

/** Where to write the files before they are put in place: beside it, on the same file system. */
export function draftsOf(places: Places): Places {
  return change(places, (path) => path + draftEnd);
}

export function damageDraft({ dataDir }: Places): string {
  return join(dataDir, restoredDamageFile + draftEnd);
}

/** The places without symbolic links, so that a link stays and what it points to is replaced. */
export async function realPlaces(places: Places): Promise<Places> {
  const reals = new Map<string, string>();
  for (const path of targetsOf(places)) reals.set(path, await realpath(path).catch(() => path));
  return change(places, (path) => reals.get(path) ?? path);
}

/** What a restore replaces. The database comes last. */
function targetsOf(places: Places): string[] {
  return [
    places.logsDir,
    places.artifactsDir,
    places.snapshotsDir,
    places.runsDir,
    places.secretKeyFile,
    places.signingKeyFile,
    join(places.dataDir, restoredDamageFile),
    places.dbPath,
  ];
}

/** @throws StartError */
export function assertReplaceable(places: Places): void {
  const mounted = new Set([...mountsOf('self').values()].map(({ place }) => place));
  const found = targetsOf(places).find((path) => mounted.has(path));
  if (found !== undefined)
    throw new StartError(
      `${found} is a mount point, which a restore cannot replace; unmount it, and mount it elsewhere`,
    );
}

/** Removes what an interrupted restore left. */
export async function removeLeft(places: Places): Promise<void> {
  for (const path of leftIn(places)) await rm(path, { recursive: true, force: true });
}

/** What an interrupted restore left, or what one that is under way needs. */
export function leftIn(places: Places): string[] {
  const ends = ['', ...ofSqlite].map((end) => places.dbPath + draftEnd + end);
  const all = [...targetsOf(places).flatMap((path) => [path + draftEnd, path + oldEnd]), ...ends];
  return [...new Set(all)].filter((path) => existsSync(path));
}

/**
 * Replaces the files of the instance. From the first change to the last, `unfinishedFile` exists and has `note`.
 */
export async function swapIn(places: Places, unfinishedFile: string, note: unknown): Promise<void> {
  for (const folder of foldersOf(places)) await syncDisk(folder);
  const draft = unfinishedFile + draftEnd;
  await writeFile(draft, JSON.stringify(note), { mode: 0o600, flush: true });
  await rename(draft, unfinishedFile);
  await syncFolder(dirname(unfinishedFile));
  await finishSwap(places, unfinishedFile);
}

/** Does what is left of the swap. The old files are removed at the end, when they are no longer needed. */
export async function finishSwap(places: Places, unfinishedFile: string): Promise<void> {
  for (const path of targetsOf(places)) {
    if (!existsSync(path + draftEnd)) continue;
    // The WAL of the old database would destroy the new one.
    if (path === places.dbPath) for (const end of ofSqlite) await rm(path + end, { force: true });
    if (existsSync(path)) {
      await rm(path + oldEnd, { recursive: true, force: true });
      await rename(path, path + oldEnd);
    }
    await rename(path + draftEnd, path);
  }
  for (const folder of foldersOf(places)) await syncFolder(folder);
  await rm(unfinishedFile, { force: true });
  await syncFolder(dirname(unfinishedFile));
  await removeLeft(places);
}

function foldersOf(places: Places): Set<string> {
  return new Set(
    targetsOf(places)
      .filter((path) => existsSync(path) || existsSync(path + draftEnd))
      .map((path) => dirname(path)),
  );
}
