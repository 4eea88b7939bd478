// Puts the files of a restore in place. All new files are written beside the old ones before any old file is touched.
// Then a file in the data dir records the moves. If the restore is killed after that, the next restore finishes it.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { mkdir, readdir, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import { isBelow, mountsOf } from '../../lib/files/mount-table.ts';
import { syncDisk, syncFolder } from '../../lib/files/sync-folder.ts';
import { isRunFolder, isShard } from '../../lib/ids.ts';
import { StartError } from '../../lib/start-error.ts';
import type { Places } from './backup.ts';
import { restoredDamageFile } from './backup-files.ts';

/**
 * A file or folder that a restore replaces or removes. The moves are made one after the other. A move contains no
 * paths, because the path of the data dir may have changed when an interrupted restore is finished.
 */
export type Move = {
  /** The index of the file or folder in the result of targetsOf(). */
  readonly target: number;
  /** The name of an entry of the target folder, if the restore replaces only its entries. */
  readonly entry?: string;
  /** The suffix of a file that SQLite keeps beside the target, such as `-wal`. */
  readonly end?: string;
  /** False if there is no new file and the old one is only removed. */
  readonly hasNew: boolean;
};

type MovePaths = {
  readonly path: string;
  /** The path of the new file until it is in place. */
  readonly draft: string;
  /** The path of the old file until it is removed. */
  readonly old: string;
};

/**
 * The folders that cannot be renamed, each with the names of the entries that belong to flwd. A restore replaces these
 * entries instead of the folder.
 */
export type FixedFolders = ReadonlyMap<string, readonly string[]>;

/** The suffix of new files that are not in place yet. */
const draftEnd = '.restoring';
/** The suffix of old files that are not removed yet. */
const oldEnd = '.replaced';

const ofSqlite = ['-wal', '-shm', '-journal'];

const ownEntries = {
  logsDir: isShard,
  artifactsDir: isShard,
  snapshotsDir: (name: string) => /^[0-9a-f]{16}$/.test(name),
  runsDir: isRunFolder,
};

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

export function foldersIn({ logsDir, artifactsDir, snapshotsDir, runsDir }: Places): string[] {
  return [logsDir, artifactsDir, snapshotsDir, runsDir];
}

/**
 * Returns where to write the new files at first. They must be on the same file system as the old ones, so they are
 * beside or inside what they replace.
 */
export function draftsOf(places: Places, fixed: FixedFolders): Places {
  return change(places, (path) => (fixed.has(path) ? join(path, draftEnd) : path + draftEnd));
}

function damageOf({ dataDir }: Places): string {
  return join(dataDir, restoredDamageFile);
}

export function damageDraft(places: Places): string {
  return damageOf(places) + draftEnd;
}

/** Resolves symbolic links in the places. A restore then keeps a link and replaces its target. */
export async function realPlaces(places: Places): Promise<Places> {
  const reals = new Map<string, string>();
  for (const path of targetsOf(places)) reals.set(path, await realOf(path));
  return change(places, (path) => reals.get(path) ?? path);
}

/** Resolves links even if the target does not exist, because an interrupted restore may have moved it. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const link = errorCode(error) === 'ENOENT' ? await readlink(path).catch(() => undefined) : undefined;
    return link === undefined ? path : realOf(resolve(dirname(path), link));
  }
}

/**
 * Returns the folders and files that a restore replaces, in the order in which it replaces them. The database is the
 * last.
 */
function targetsOf(places: Places): string[] {
  return [...foldersIn(places), places.secretKeyFile, places.signingKeyFile, damageOf(places), places.dbPath];
}

export async function findFixed(places: Places): Promise<FixedFolders> {
  const mounted = mountPoints();
  const found = new Map<string, readonly string[]>();
  for (const folder of ['logsDir', 'artifactsDir', 'snapshotsDir', 'runsDir'] as const) {
    const dir = places[folder];
    if (isFixed(dir, mounted)) found.set(dir, (await readdir(dir)).filter(ownEntries[folder]));
  }
  return found;
}

/**
 * Whether the folder cannot be renamed, because it is a mount point or this user may not write to its parent folder.
 */
function isFixed(dir: string, mounted: ReadonlySet<string>): boolean {
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  return mounted.has(dir) || stats.dev !== statSync(dirname(dir)).dev || !isWritable(dirname(dir));
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function mountPoints(): ReadonlySet<string> {
  return new Set([...mountsOf('self').values()].map(({ place }) => place));
}

/**
 * @param kept the files that the restore does not replace
 * @throws StartError if something cannot be replaced
 */
export function assertReplaceable(places: Places, fixed: FixedFolders, kept: ReadonlySet<string>): void {
  const mounted = [...mountPoints()];
  for (const target of targetsOf(places)) {
    if (kept.has(target)) continue;
    const entries = fixed.get(target)?.map((name) => join(target, name));
    for (const path of entries ?? [target]) {
      const found = mounted.find((place) => isBelow(place, path));
      const isKey = [places.secretKeyFile, places.signingKeyFile].includes(target);
      const fix = isKey
        ? 'put the key of the backup there, and run flwd restore again'
        : 'unmount it, and mount it elsewhere';
      if (found !== undefined)
        throw new StartError(`${found} is a mount point, which a restore cannot replace; ${fix}`);
      // Only the owner of a folder can move it to another folder.
      if (entries && !isWritable(path))
        throw new StartError(`${path} cannot be moved: permission denied; give it to the user who runs flwd`);
    }
  }
}

/** Removes the files of an interrupted restore. */
export async function removeLeft(places: Places): Promise<void> {
  for (const path of leftIn(places)) await rm(path, { recursive: true, force: true });
}

/** Returns the paths of new and old files that a restore has not yet put in place or removed. */
export function leftIn(places: Places): string[] {
  const ends = ofSqlite.flatMap((end) => [places.dbPath + draftEnd + end, places.dbPath + end + oldEnd]);
  const all = [
    ...targetsOf(places).flatMap((path) => [path + draftEnd, path + oldEnd]),
    ...foldersIn(places).flatMap((dir) => [join(dir, draftEnd), join(dir, oldEnd)]),
    ...ends,
  ];
  return [...new Set(all)].filter((path) => existsSync(path));
}

/**
 * Replaces the files of the instance. From before the first move until after the last, `unfinishedFile` exists and
 * contains `note` and the moves.
 */
export async function swapIn(
  places: Places,
  {
    fixed,
    unfinishedFile,
    note,
  }: { readonly fixed: FixedFolders; readonly unfinishedFile: string; readonly note: object },
): Promise<void> {
  const moves = [...removedDamage(places), ...(await movesOf(places, fixed))];
  for (const dir of fixed.keys()) await mkdir(join(dir, oldEnd), { mode: 0o700 });
  for (const folder of new Set(moves.map((move) => dirname(pathsOf(places, move).draft)))) await syncDisk(folder);
  const draft = unfinishedFile + draftEnd;
  await writeFile(draft, JSON.stringify({ ...note, moves }), { mode: 0o600, flush: true });
  await rename(draft, unfinishedFile);
  await syncFolder(dirname(unfinishedFile));
  await finishSwap(places, unfinishedFile, moves);
}

/**
 * An earlier restore may have left a list of damaged files. If this backup has no damage, returns the move that removes
 * the list.
 */
function removedDamage(places: Places): Move[] {
  const path = damageOf(places);
  if (!existsSync(path) || existsSync(path + draftEnd)) return [];
  return [{ target: targetsOf(places).indexOf(path), hasNew: false }];
}

/** Returns all moves in the order in which they must be made. */
export async function movesOf(places: Places, fixed: FixedFolders): Promise<Move[]> {
  const moves: Move[] = [];
  for (const [target, path] of targetsOf(places).entries()) {
    const present = fixed.get(path);
    if (present) {
      const drafts = new Set(await readdir(join(path, draftEnd)));
      for (const entry of new Set([...present, ...drafts])) moves.push({ target, entry, hasNew: drafts.has(entry) });
    } else if (existsSync(path + draftEnd)) {
      // Removes the WAL of the old database. Otherwise SQLite would apply this WAL to the new database, which would
      // corrupt the database.
      if (path === places.dbPath)
        for (const end of ofSqlite) if (existsSync(path + end)) moves.push({ target, end, hasNew: false });
      moves.push({ target, hasNew: true });
    }
  }
  return moves;
}

function pathsOf(places: Places, { target, entry, end = '' }: Move): MovePaths {
  const base = targetsOf(places)[target] ?? '';
  if (entry !== undefined)
    return { path: join(base, entry), draft: join(base, draftEnd, entry), old: join(base, oldEnd, entry) };
  const path = base + end;
  return { path, draft: path + draftEnd, old: path + oldEnd };
}

/**
 * Makes the moves that have not been made yet, and then removes the old files.
 * @throws StartError if the new files are not there, for example because a volume is not mounted
 */
export async function finishSwap(places: Places, unfinishedFile: string, moves: readonly Move[]): Promise<void> {
  const all = moves.map((move) => ({ ...pathsOf(places, move), hasNew: move.hasNew }));
  for (const move of all) assertPresent(move);
  for (const { path, draft, old, hasNew } of all) {
    if (hasNew && !existsSync(draft)) continue;
    if (existsSync(path)) {
      await rm(old, { recursive: true, force: true });
      await rename(path, old);
    }
    if (hasNew) await rename(draft, path);
  }
  const folders = all.flatMap(({ path, draft, old }) => [dirname(path), dirname(draft), dirname(old)]);
  for (const folder of new Set(folders)) await syncFolder(folder);
  await rm(unfinishedFile, { force: true });
  await syncFolder(dirname(unfinishedFile));
  await removeLeft(places);
}

function assertPresent({ path, draft, hasNew }: MovePaths & Pick<Move, 'hasNew'>): void {
  if (existsSync(dirname(draft)) && (!hasNew || existsSync(draft) || existsSync(path))) return;
  throw new StartError(
    `the interrupted restore has copied files to ${dirname(draft)}, which are missing now; mount the folder as it was then, and run flwd restore again`,
  );
}
