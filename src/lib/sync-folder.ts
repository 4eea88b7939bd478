// Makes the names in a folder last through a power cut.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A new name is durable once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
