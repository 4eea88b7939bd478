// Knows the files that every executor puts into the folder of a run, besides the workspace.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function attemptDirs(runDir: string): Promise<string[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter((name) => /^\d+(-\d+)?$/.test(name)).map((name) => join(runDir, name));
}

/** Whether `flwd restore` created this run's folder. Then no process of the run is on this host. */
export function wasRestored(runDir: string): boolean {
  return existsSync(join(runDir, 'restored'));
}
