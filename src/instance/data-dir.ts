// Makes sure that only its owner can enter the data dir. If other users can read it, flwd closes it with a warning, or
// refuses it if closing it could break something else. If other users could have written to it, flwd always refuses it.

import { existsSync, lstatSync, type Stats, statSync } from 'node:fs';
import { access, chmod, constants, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../lib/error-code.ts';
import { createFolder } from '../lib/files/create-folder.ts';
import { isAnothers, isWritableByOthers, showMode } from '../lib/files/file-owner.ts';
import { StartError } from '../lib/start-error.ts';

/**
 * Creates `dataDir` with mode 0700, or makes sure that nobody else can enter it. An existing folder that is open to
 * others is closed only if it is empty or contains `ownFile`. So a mistyped path such as `/tmp` stays as it is.
 * @throws StartError when the folder cannot be used
 */
export async function openDataDir(dataDir: string, ownFile: string, warn: (message: string) => void): Promise<void> {
  try {
    await createFolder(dataDir);
    const stats = await assertUsable(dataDir, ownFile);
    if ((stats.mode & 0o077) === 0) return;
    await chmod(dataDir, 0o700);
    warn(`the data dir ${dataDir} was open to other users (mode ${showMode(stats)}); its mode is 700 now`);
  } catch (error) {
    throw explained(error, dataDir);
  }
}

/**
 * Checks the folder without changing anything.
 * @throws StartError where openDataDir refuses the folder, or when it does not exist
 */
export async function assertUsable(dataDir: string, ownFile: string): Promise<Stats> {
  try {
    const stats = await stat(dataDir);
    if (!stats.isDirectory()) throw unusable(dataDir, 'it is not a folder');
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    // Only root gets this far in another user's folder. Root would leave files that the owner's server cannot read.
    if (isAnothers(stats)) throw unusable(dataDir, foreign(stats.uid));
    if ((stats.mode & 0o077) === 0) return stats;
    const names = await readdir(dataDir);
    if (names.length > 0 && !names.includes(ownFile)) {
      throw unusable(dataDir, 'it is open to other users and holds files that are not flwd’s');
    }
    if (names.length > 0 && isWritableByOthers(stats)) throw unusable(dataDir, open(stats));
    return stats;
  } catch (error) {
    throw explained(error, dataDir);
  }
}

function explained(error: unknown, dataDir: string): unknown {
  const code = errorCode(error);
  if (code === 'EACCES') return unusable(dataDir, whyDenied(dataDir));
  return code !== undefined ? unusable(dataDir, reasons[code] ?? code) : error;
}

/** Returns a StartError if this user may not look for `file` in the data dir; undefined if the user may. */
export function findDenied(dataDir: string, file: string): StartError | undefined {
  try {
    statSync(file);
  } catch (error) {
    if (errorCode(error) === 'EACCES') return unusable(dataDir, whyDenied(dataDir));
    if (errorCode(error) === 'ENOTDIR')
      return unusable(dataDir, reasons[existsSync(dataDir) ? 'EEXIST' : 'ENOTDIR'] ?? '');
  }
  return undefined;
}

function whyDenied(dataDir: string): string {
  try {
    const stats = statSync(dataDir);
    if (stats.uid !== process.geteuid?.()) return foreign(stats.uid);
    return `its mode is ${showMode(stats)}, so its owner, who runs flwd, may not use it (chmod 700 it)`;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') return 'this user may not enter a folder above it';
    return `this user may not create a folder in ${nearestFolder(dataDir)}`;
  }
}

/** Returns a StartError if the data dir does not exist and no start could create it. Changes nothing. */
export async function findUncreatable(dataDir: string): Promise<unknown> {
  try {
    // With a slash at the end, the path of a file is an error.
    await access(`${nearestFolder(dataDir)}/`, constants.W_OK | constants.X_OK);
  } catch (error) {
    return explained(error, dataDir);
  }
  return undefined;
}

/** The folder in which the first new folder would be created. */
function nearestFolder(path: string): string {
  const folder = dirname(path);
  return existsSync(folder) ? folder : nearestFolder(folder);
}

/** For root: whether the folder belongs to another user. */
export async function isForeign(dataDir: string): Promise<boolean> {
  const stats = await stat(dataDir).catch(() => undefined);
  return stats !== undefined && isAnothers(stats);
}

/**
 * Makes sure that no other user can pose as the server of this folder: a user who can write to the folder could receive
 * what is meant for the server. Root may talk to another user's server.
 * @throws StartError
 */
export function assertAskable(dataDir: string): void {
  const stats = statSync(dataDir, { throwIfNoEntry: false });
  if (!stats) return;
  if (isAnothers(stats) && process.geteuid?.() !== 0) throw unusable(dataDir, foreign(stats.uid));
  if (isWritableByOthers(stats)) throw unusable(dataDir, open(stats));
}

/**
 * Accepts folders and files that are missing. Container runtimes often create a folder in the place of a file that they
 * should mount and that does not exist.
 * @throws StartError if something else is where flwd keeps its folders or its database
 */
export function assertKinds(folders: readonly string[], database: string): void {
  for (const path of folders) {
    // SQLite may create the file to which a link leads. flwd creates no folder to which a link leads.
    const isLost = !existsSync(path) && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (isLost) throw new StartError(`${path} is a link to nothing: mount or create its target, or remove the link`);
    assertKind(path, 'a folder');
  }
  assertKind(database, 'a file');
}

function assertKind(path: string, wanted: 'a folder' | 'a file'): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  const found = stats ? kindOf(stats) : wanted;
  if (found === wanted) return;
  throw new StartError(`${path} is ${found}, but flwd needs ${wanted} there: move it away, or restore a backup`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  return stats.isFile() ? 'a file' : 'neither a file nor a folder';
}

function open(stats: Parameters<typeof showMode>[0]): string {
  const what = 'what is there may not be flwd’s (look through it, then chmod 700 it)';
  return `other users can write to it (mode ${showMode(stats)}), so ${what}`;
}

function foreign(uid: number): string {
  const advice = process.geteuid?.() === 0 ? 'or chown -R the folder' : 'or ask its server with --remote';
  return `it belongs to another user, uid ${uid} (run flwd as that user, ${advice})`;
}

export function unusable(dataDir: string, reason: string): StartError {
  return new StartError(`the data dir ${dataDir} cannot be used: ${reason}; fix that, or choose another (--data-dir)`);
}

const reasons: Record<string, string> = {
  EPERM: 'it belongs to another user',
  EEXIST: 'it is not a folder',
  ENOENT: 'no folder can be created there',
  ENOTDIR: 'a part of the path is not a folder',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};
