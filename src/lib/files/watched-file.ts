// A file of the operator's that may be replaced while the server runs.

import { statSync } from 'node:fs';
import { errorCode } from '../error-code.ts';

/** Another one for each file that was moved there or written over it. @throws where there is none */
export function stampOf(path: string): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** Why it cannot be read, in words that go on after its name; undefined where the error is none of the system's. */
export function whyUnreadable(error: unknown): string | undefined {
  const code = errorCode(error);
  return code === undefined ? undefined : (reasons[code] ?? `cannot be read (${code})`);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
};
