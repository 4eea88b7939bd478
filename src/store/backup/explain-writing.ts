// Says in words why a file of a backup or a restore could not be written.

import { Problem } from '../../domain/problem.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isDiskFull } from '../../lib/shortage.ts';
import { StartError } from '../../lib/start-error.ts';
import { isDatabaseFull } from '../sqlite/sqlite-files.ts';

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ENOENT: 'no file or folder can be made there',
  EEXIST: 'it is not a folder',
  EIO: 'the disk cannot be written',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  ENOTDIR: 'a part of the path is not a folder',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
};

type Writing = {
  readonly dir: string;
  /** Whether flwd writes to this path. Errors about any other path are returned unchanged. */
  readonly isWritten: (path: string) => boolean;
  /** What to do if the disk is full. */
  readonly fix: string;
};

/**
 * @returns a Problem not-ready if the disk is full, a StartError for other errors of writing, and any other error
 * unchanged
 */
export function explainWriting(error: unknown, { dir, isWritten, fix }: Writing): unknown {
  const path = error instanceof Error && 'path' in error ? String(error.path) : dir;
  if (!isWritten(path)) return error;
  if (isDiskFull(error) || isDatabaseFull(error, dir))
    return new Problem('not-ready', `the disk that holds ${path} is full; ${fix}`);
  const why = words[errorCode(error) ?? ''];
  return why === undefined ? error : new StartError(`${path} cannot be written: ${why}`);
}
