// Creates a folder and the folders above it, for the server's user alone.

import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../error-code.ts';

/**
 * Creates the folders one by one. Node's own `recursive` never returns in `/proc`, where a folder exists but cannot
 * hold new ones. On a read-only file system, it reports ENOENT (Node 24.21).
 * @throws the error of the system
 */
export async function createFolder(dir: string): Promise<void> {
  if (!existsSync(dirname(dir))) await createFolder(dirname(dir));
  try {
    await mkdir(dir, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST' || !statSync(dir).isDirectory()) throw error;
  }
}
