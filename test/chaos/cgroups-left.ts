// Finds the cgroups that a server has created for its runs.

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const deepest = 6;

/** The paths of the cgroups of runs. */
export function cgroupsLeft(dataDir: string): string[] {
  const folder = `flwd-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
  const found: string[] = [];
  const visit = (dir: string, depth: number): void => {
    for (const name of foldersIn(dir)) {
      const path = join(dir, name);
      if (name === folder) found.push(...foldersIn(path).map((run) => join(path, run)));
      else if (depth < deepest) visit(path, depth + 1);
    }
  };
  visit('/sys/fs/cgroup', 1);
  return found;
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}
