// Removes the folder of a run, with its workspace, whatever the job has left in it.

import { execFile } from 'node:child_process';
import { rmdirSync, rmSync } from 'node:fs';
import { chmod, opendir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../lib/error-code.ts';
import type { Logger } from '../lib/logger.ts';

/** Never rejects: what cannot be removed now is tried again by retention. */
export async function removeRunFolder(dir: string, log: Logger): Promise<boolean> {
  try {
    await removeTree(dir);
    return true;
  } catch (error) {
    log.warn({ err: error }, 'the folder of a finished run was not removed');
    return false;
  }
}

/** Of a run whose steps may be run again: its workspace stays, its attempts go. Never rejects. */
export async function keepWorkspace(dir: string, log: Logger): Promise<void> {
  try {
    const names = await readdir(dir);
    await Promise.all(names.filter((name) => name !== 'workspace').map((name) => removeTree(join(dir, name))));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') log.warn({ err: error }, 'the attempts of a finished run were not removed');
  }
}

async function removeTree(dir: string): Promise<void> {
  if (hasOnlyOurs(dir)) return rmSync(dir, { recursive: true });
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    const code = errorCode(error) ?? '';
    // A job may leave folders that are closed even to their owner. Root needs no permission.
    if (['EACCES', 'EPERM'].includes(code)) return removeClosed(dir);
    if (code === 'ENAMETOOLONG') return removeDeep(dir);
    throw error;
  }
}

async function removeClosed(dir: string): Promise<void> {
  try {
    await openFolders(dir);
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== 'ENAMETOOLONG') throw error;
    await removeDeep(dir);
  }
}

/** A job may leave folders deeper than a path can name. rm(1) and chmod(1) go from folder to folder, as Node cannot. */
async function removeDeep(dir: string): Promise<void> {
  const run = promisify(execFile);
  // What it cannot open, rm names.
  await run('chmod', ['-R', 'u+rwX', '--', dir]).catch(() => undefined);
  await run('rm', ['-rf', '--', dir]);
}

/**
 * Has the job left nothing where it may write? Then what is there is a handful of files, removed at once: a walk that waits
 * for each of them costs 0.7 ms of every run. A folder that is not empty cannot be removed by rmdir(2).
 */
function hasOnlyOurs(dir: string): boolean {
  try {
    for (const folder of ['1-1/out', 'workspace/artifacts', 'workspace']) rmdirSync(join(dir, folder));
    return true;
  } catch {
    return false;
  }
}

/** Links are not followed. Names are bytes. The removal that failed may go on with what is beside, so a folder may be gone by now. */
async function openFolders(dir: string): Promise<void> {
  const folders = [Buffer.from(dir)];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    try {
      await chmod(folder, 0o700);
      for await (const entry of await opendir(folder, { encoding: 'latin1' })) {
        if (entry.isDirectory()) folders.push(Buffer.concat([folder, Buffer.from(`/${entry.name}`, 'latin1')]));
      }
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}
