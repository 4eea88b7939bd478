// Finds programs of the host by full path, in the server's own PATH and never in a job's.

import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const found = new Map<string, string>();

/**
 * Returns undefined if the program is not installed. A call always searches again, so that no restart is needed after
 * an installation.
 */
export function findProgram(name: string): string | undefined {
  const known = found.get(name);
  if (known !== undefined) return known;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      continue;
    }
    found.set(name, path);
    return path;
  }
  return undefined;
}
