// Knows the files that every executor puts into the folder of a run, besides the workspace.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function attemptDirs(runDir: string): Promise<string[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter((name) => /^\d+(-\d+)?$/.test(name)).map((name) => join(runDir, name));
}

/**
 * Whether `flwd restore` marked this run because it was running when the backup was made. The backup has no files of
 * the run's attempts, so the server can neither watch nor stop the processes of that time.
 */
export function wasRestored(runDir: string): boolean {
  return existsSync(join(runDir, 'restored'));
}
