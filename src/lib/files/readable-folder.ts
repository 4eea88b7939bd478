// Lists a folder, or says why it cannot be read.

import { type Dirent, opendirSync, readdirSync, statSync } from 'node:fs';
import { errorCode } from '../error-code.ts';

/**
 * Lists a folder. If flwd may list the folder but not enter it (mode 644), this is an error, too, because flwd then
 * knows nothing about the entries but their names. @throws the file system's error
 */
export function listFolder(dir: string): Dirent[] {
  const entries = readdirSync(dir, { withFileTypes: true });
  assertEntered(dir);
  return entries;
}

/** Says why a folder cannot be read; undefined when it can. `other` is something that is not a folder. */
export function folderTrouble(dir: string): 'missing' | 'other' | 'unreadable' | undefined {
  try {
    opendirSync(dir).closeSync();
    assertEntered(dir);
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return 'missing';
    return code === 'ENOTDIR' ? 'other' : 'unreadable';
  }
}

/** The system looks up `.` in a folder only for those who may enter the folder. */
function assertEntered(dir: string): void {
  statSync(`${dir}/.`);
}
