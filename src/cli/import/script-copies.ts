// Finds jobs that run a copy of a script. `flwd init --from` puts such a copy into the job's folder.

import { existsSync, globSync, lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const mostBytes = 2 ** 20;

/**
 * Finds the jobs below `roots` at its first search, and keeps them for the next ones.
 * @returns a search for the folders of the jobs that contain a copy of a script
 */
export function createCopySearch(roots: readonly string[]): (script: string) => string[] {
  let folders: ReadonlySet<string> | undefined;
  return (script) => {
    const name = basename(script);
    const text = textOf(script);
    if (text === undefined) return [];
    // A root can be below another one.
    folders ??= new Set(roots.flatMap(jobFoldersIn));
    return [...folders].filter((dir) => existsSync(join(dir, name)) && textOf(join(dir, name))?.equals(text) === true);
  };
}

function jobFoldersIn(root: string): string[] {
  return globSync('**/config.{yaml,yml}', {
    cwd: root,
    exclude: (path) => /^\.|^node_modules$/.test(basename(path)),
  }).map((path) => join(root, dirname(path)));
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
