// Makes the names in a folder last through a power cut.

import { execFile } from 'node:child_process';
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const flags = constants.O_RDONLY | constants.O_DIRECTORY;

/** A new name is durable once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, flags);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The same for what is made before anything else can wait. */
export function syncFolderNow(path: string): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Everything that was written to the disk of `path` is on it. Node has no syncfs(2); coreutils has. */
export async function syncDisk(path: string): Promise<void> {
  await run('sync', ['-f', path]);
}
