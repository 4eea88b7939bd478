// Checks whether the folders of a server still accept files. Somebody may replace a folder while the server runs, or
// make it read-only.

import { accessSync, constants, existsSync, lstatSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errorCode } from '../error-code.ts';

type Unusable = { readonly lack: string; readonly fix: string };

/** Says which of the folders does not accept files, and how to fix that; null if all of them do. */
export function unusableFolder(folders: readonly string[]): string | null {
  const found = findUnusableFolder(folders);
  return found && `${found.lack}: ${found.fix}`;
}

/**
 * Finds a folder that does not accept files, with one system call for each folder. A folder may be missing, because it
 * is created when it is needed. But then the folder around it must be there.
 */
export function findUnusableFolder(folders: readonly string[]): Unusable | null {
  for (const folder of folders) {
    const found = whyUnusable(folder);
    if (found) return { ...found, lack: `the folder ${basename(folder)} ${found.lack}` };
  }
  return null;
}

function whyUnusable(folder: string): Unusable | null {
  try {
    // With the slash, the path of a file is an error.
    accessSync(`${folder}/`, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOTDIR') return { lack: 'was replaced by a file', fix: 'put the folder back' };
    if (code === 'EROFS') return { lack: 'is read-only', fix: 'mount it for writing' };
    if (code !== 'ENOENT')
      return { lack: `cannot be written (${code})`, fix: 'let the user of the server write to it' };
    const isLink = lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
    if (isLink) return { lack: 'is a link to nothing', fix: 'mount or create its target' };
    const isCreatable = existsSync(dirname(folder));
    return isCreatable ? null : { lack: 'and the folder around it are missing', fix: 'put the outer folder back' };
  }
}
