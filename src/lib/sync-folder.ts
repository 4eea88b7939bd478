// Makes the names in a folder last through a power cut.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A new name is durable once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Everything that was written to the disk of `path` is on it. Node has no syncfs(2); coreutils has. */
export async function syncDisk(path: string): Promise<void> {
  await run('sync', ['-f', path]);
}
