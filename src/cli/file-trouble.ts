// Why a file or a folder could not be read or written, in words.

import { errorCode } from '../lib/error-code.ts';

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EISDIR: 'it is a folder',
  ENOTDIR: 'what is above it is no folder',
  ENOSPC: 'the disk is full',
  EROFS: 'it is on a file system that cannot be written',
};

export function fileTrouble(error: unknown): string {
  const code = errorCode(error) ?? 'unknown error';
  return words[code] ?? code;
}
