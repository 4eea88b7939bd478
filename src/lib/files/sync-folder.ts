// Makes the names in a folder survive a power failure.

import { execFile } from 'node:child_process';
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const flags = constants.O_RDONLY | constants.O_DIRECTORY;

/** A new name is durable once its folder has been synced. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, flags);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Like `syncFolder`, but synchronous. */
export function syncFolderNow(path: string): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes everything to the disk that contains `path`. Node has no syncfs(2), but coreutils has. */
export async function syncDisk(path: string): Promise<void> {
  await run('sync', ['-f', path]);
}
