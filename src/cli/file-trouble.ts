// Says in words why a file or folder could not be read or written.

import { errorCode } from '../lib/error-code.ts';

const words: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of its path is not a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  ERR_SQLITE_ERROR: 'its lock file cannot be used',
};

export function fileTrouble(error: unknown): string {
  const code = errorCode(error) ?? 'unknown error';
  return words[code] ?? code;
}
