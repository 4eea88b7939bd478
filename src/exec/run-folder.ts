// Knows what every executor puts into the folder of a run, besides the workspace.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function attemptDirs(runDir: string): Promise<string[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter((name) => /^\d+(-\d+)?$/.test(name)).map((name) => join(runDir, name));
}

/** Whether `flwd restore` brought the run here. Then its processes run elsewhere or have ended. */
export function wasRestored(runDir: string): boolean {
  return existsSync(join(runDir, 'restored'));
}
