// Finds jobs that run a copy of a script. `flwd init --from` puts such a copy into the job's folder.

import { existsSync, globSync, lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const mostBytes = 2 ** 20;

/** Returns the folders of the jobs below `roots` that contain a copy of the script. */
export function jobsWithCopyOf(script: string, roots: readonly string[]): string[] {
  const name = basename(script);
  const text = textOf(script);
  if (text === undefined) return [];
  return roots.flatMap((root) =>
    globSync('**/config.{yaml,yml}', { cwd: root, exclude: (path) => /^\.|^node_modules$/.test(basename(path)) })
      .map((path) => join(root, dirname(path)))
      .filter((dir) => existsSync(join(dir, name)) && textOf(join(dir, name))?.equals(text) === true),
  );
}

/** Other users may be able to write to the folder, and may have put a pipe there. */
function textOf(path: string): Buffer | undefined {
  try {
    const stat = lstatSync(path);
    return stat.isFile() && stat.size <= mostBytes ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}
