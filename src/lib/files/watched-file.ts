// A file of the operator that may be replaced while the server runs.

import { statSync } from 'node:fs';
import { errorCode } from '../error-code.ts';

/** Returns a text that changes whenever the file is replaced or overwritten. @throws when there is no such file */
export function stampOf(path: string): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** Why the file cannot be read; the text follows the file's name. undefined unless the error is a system error. */
export function whyUnreadable(error: unknown): string | undefined {
  const code = errorCode(error);
  return code === undefined ? undefined : (reasons[code] ?? `cannot be read (${code})`);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  EACCES: 'cannot be read by this user',
  EISDIR: 'is a folder',
};
