// Checks whether the folders of a server still take files. Somebody may replace one while the server runs, or make it
// read-only.

import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { errorCode } from '../error-code.ts';

/**
 * Says which of the folders takes no files, and how to fix that, without its path. null when all do. A folder that is
 * missing is fine: it is created when it is needed.
 */
export function findUnusableFolder(folders: readonly string[]): string | null {
  for (const folder of folders) {
    const why = whyUnusable(folder);
    if (why !== null) return `the folder ${basename(folder)} ${why}`;
  }
  return null;
}

function whyUnusable(folder: string): string | null {
  try {
    if (!statSync(folder).isDirectory()) return 'was replaced by something that is no folder: put the folder back';
    accessSync(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EROFS') return 'is read-only: mount it for writing';
    if (code !== 'ENOENT') return `cannot be written (${code}): let the user of the server write to it`;
    const isLink = lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
    return isLink ? 'is a link to nothing: mount or create its target' : null;
  }
}
