// The data dir is a folder that only its owner can enter. One that is open to others is closed with a warning, and
// refused where closing it could break something else.

import { access, chmod, constants, mkdir, readdir, stat } from 'node:fs/promises';
import { errorCode } from './error-code.ts';
import { StartError } from './start-error.ts';

/**
 * Creates `dataDir` (mode 0700) or makes sure that nobody else can enter it. An existing folder that others can enter is
 * only closed when it is empty or holds `ownFile`, so a mistyped path such as `/tmp` is left as it is.
 * @throws StartError when the folder cannot be used
 */
export async function openDataDir(dataDir: string, ownFile: string, warn: (message: string) => void): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    const mode = (await stat(dataDir)).mode & 0o777;
    if ((mode & 0o077) === 0) return;
    const names = await readdir(dataDir);
    if (names.length > 0 && !names.includes(ownFile)) {
      throw unusable(dataDir, 'it is open to other users and holds files that are not flwd’s');
    }
    await chmod(dataDir, 0o700);
    warn(`the data dir ${dataDir} was open to other users (mode ${mode.toString(8)}); its mode is 700 now`);
  } catch (error) {
    const code = errorCode(error);
    throw code ? unusable(dataDir, reasons[code] ?? code) : error;
  }
}

export function unusable(dataDir: string, reason: string): StartError {
  return new StartError(`the data dir ${dataDir} cannot be used: ${reason}; mend that, or choose another (--data-dir)`);
}

const reasons: Record<string, string> = {
  EACCES: 'no permission',
  EPERM: 'it belongs to another user',
  EEXIST: 'it is not a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};
