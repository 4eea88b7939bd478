// Removes a folder that a job could write to. Another run may still write to the folder through a descriptor that it
// was handed. So each name is looked up below an open descriptor, and a link that has replaced a folder is not
// followed.

import { constants } from 'node:fs';
import { chmod, type FileHandle, open, opendir, rmdir, unlink } from 'node:fs/promises';
import { runConfined } from '../../exec/confined.ts';
import { errorCode } from '../../lib/error-code.ts';
import { pathOnly } from '../../lib/files/mount-table.ts';

const asFolder = constants.O_DIRECTORY | constants.O_NOFOLLOW;
/**
 * Each level keeps a descriptor open. Below this level, rm(1) removes folders: it does not need a descriptor for each.
 */
const mostLevels = 64;
/**
 * How many times to list and empty a folder. Files may be added meanwhile, and a list may lack files if the folder
 * changes while it is read.
 */
const mostRounds = 3;

class TooDeep extends Error {}

/** Removes a folder or a file. No job can swap `dir` itself. */
export async function removeTree(dir: string): Promise<void> {
  try {
    await removeFolder(Buffer.from(dir), 0);
  } catch (error) {
    const code = errorCode(error);
    if (error instanceof TooDeep) await removeDeep(dir);
    else if (code === 'ENOTDIR') await unlink(dir);
    else if (code !== 'ENOENT') throw error;
  }
}

async function removeFolder(path: Buffer, level: number): Promise<void> {
  if (level > mostLevels) throw new TooDeep();
  for (let round = 1; ; round += 1) {
    const folder = await openFolder(path);
    try {
      await empty(folder, level);
    } finally {
      await folder.close();
    }
    try {
      return await rmdir(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOTEMPTY' || round === mostRounds) throw error;
    }
  }
}

async function empty(folder: FileHandle, level: number): Promise<void> {
  const here = `/proc/self/fd/${folder.fd}`;
  // Names of files are bytes, which need not be UTF-8.
  for await (const entry of await opendir(here, { encoding: 'latin1' })) {
    const path = Buffer.concat([Buffer.from(`${here}/`), Buffer.from(entry.name, 'latin1')]);
    try {
      await (entry.isDirectory() ? removeFolder(path, level + 1) : unlink(path));
    } catch (error) {
      // The name is gone or was swapped: whatever is there now is found in the next round.
      if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(errorCode(error) ?? '')) throw error;
    }
  }
}

/** A job may leave folders that even their owner cannot open. Root needs no permission. */
async function openFolder(path: Buffer): Promise<FileHandle> {
  if (process.geteuid?.() === 0) return open(path, asFolder);
  const found = await open(path, pathOnly | asFolder);
  try {
    const itself = `/proc/self/fd/${found.fd}`;
    await chmod(itself, 0o700);
    return await open(itself, constants.O_DIRECTORY);
  } finally {
    await found.close();
  }
}

/**
 * Removes folders that are nested too deeply for one descriptor each. rm(1) and chmod(1) change into each folder, which
 * Node cannot do.
 */
async function removeDeep(dir: string): Promise<void> {
  const there = [{ from: dir, at: '/left', access: 'write' }] as const;
  // These programs always fail, because they cannot remove the mount itself. If they leave anything else, rmdir fails.
  await runConfined(['chmod', '-R', 'u+rwX', '--', '/left'], there).catch(() => undefined);
  await runConfined(['rm', '-rf', '--', '/left'], there).catch(() => undefined);
  await rmdir(dir);
}
