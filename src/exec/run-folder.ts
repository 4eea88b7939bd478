// What the folder of a run holds besides its workspace, whichever executor runs its attempts.

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function attemptDirs(runDir: string): Promise<string[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter((name) => /^\d+(-\d+)?$/.test(name)).map((name) => join(runDir, name));
}

/** It came here by `flwd restore`: what was running then runs elsewhere, or no longer. */
export function wasRestored(runDir: string): boolean {
  return existsSync(join(runDir, 'restored'));
}
