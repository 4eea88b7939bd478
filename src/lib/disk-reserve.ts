// A file that holds some room on the disk. Opening a database takes room, even to remove what fills the disk: whoever does
// that gives the reserve up first.

import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const reserveBytes = 4 * 2 ** 20;

/** Where there is room for it; else it comes with a later start. */
export async function keepReserve(dataDir: string): Promise<void> {
  const path = pathIn(dataDir);
  if (existsSync(path)) return;
  try {
    await writeFile(path, Buffer.alloc(reserveBytes), { mode: 0o600 });
  } catch {
    await rm(path, { force: true });
  }
}

export async function giveUpReserve(dataDir: string): Promise<void> {
  await rm(pathIn(dataDir), { force: true });
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'reserve');
}
