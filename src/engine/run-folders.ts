// Removes the folder of a run, with its workspace, whatever the job has left in it.

import { execFile } from 'node:child_process';
import { rmdirSync, rmSync } from 'node:fs';
import { chmod, opendir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../lib/error-code.ts';
import type { Logger } from '../lib/logger.ts';

const run = promisify(execFile);

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
    if (isTooDeep(error)) return removeDeepTree(dir);
    if (!['EACCES', 'EPERM'].includes(errorCode(error) ?? '')) throw error;
    // A job may leave folders that are closed even to their owner. Root needs no permission.
    try {
      await openFolders(dir);
      await rm(dir, { recursive: true, force: true });
    } catch (second) {
      if (!isTooDeep(second)) throw second;
      await removeDeepTree(dir);
    }
  }
}

function isTooDeep(error: unknown): boolean {
  return errorCode(error) === 'ENAMETOOLONG';
}

/** Deeper than a path may be long, which stops Node, and not what goes from folder to folder. */
async function removeDeepTree(dir: string): Promise<void> {
  await run('chmod', ['-R', 'u+rwx', '--', dir]);
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

/** Links are not followed. Names are bytes. */
async function openFolders(dir: string): Promise<void> {
  const folders = [Buffer.from(dir)];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    await chmod(folder, 0o700);
    for await (const entry of await opendir(folder, { encoding: 'latin1' })) {
      if (entry.isDirectory()) folders.push(Buffer.concat([folder, Buffer.from(`/${entry.name}`, 'latin1')]));
    }
  }
}
