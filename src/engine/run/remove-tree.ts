// Removes a folder in which a job could write, and in which an accomplice of it may still: another run that was handed a descriptor
// of it. Each name is looked up below a descriptor, so that a folder that is swapped for a link meanwhile leads nowhere.

import { constants } from 'node:fs';
import { chmod, type FileHandle, open, opendir, rmdir, unlink } from 'node:fs/promises';
import { runConfined } from '../../exec/confined.ts';
import { errorCode } from '../../lib/error-code.ts';
import { pathOnly } from '../../lib/files/mount-table.ts';

const asFolder = constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Each level holds a descriptor. Beyond, programs go on that need none for each. */
const mostLevels = 64;
/** What is added meanwhile, or passed over by a listing that changes. */
const mostRounds = 3;

class TooDeep extends Error {}

/** A folder or a file. `dir` itself lies where no job can swap it. */
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
  // Names are bytes.
  for await (const entry of await opendir(here, { encoding: 'latin1' })) {
    const path = Buffer.concat([Buffer.from(`${here}/`), Buffer.from(entry.name, 'latin1')]);
    try {
      await (entry.isDirectory() ? removeFolder(path, level + 1) : unlink(path));
    } catch (error) {
      // Gone or swapped; what is there by now is found in the next round.
      if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(errorCode(error) ?? '')) throw error;
    }
  }
}

/** A job may leave folders that are closed even to their owner. Root needs no permission. */
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

/** Folders deeper than there are descriptors for. rm(1) and chmod(1) go from folder to folder, as Node cannot. */
async function removeDeep(dir: string): Promise<void> {
  const there = [{ from: dir, at: '/left', access: 'write' }] as const;
  // What they cannot open or remove, rmdir finds; the mount itself they never can.
  await runConfined(['chmod', '-R', 'u+rwX', '--', '/left'], there).catch(() => undefined);
  await runConfined(['rm', '-rf', '--', '/left'], there).catch(() => undefined);
  await rmdir(dir);
}
