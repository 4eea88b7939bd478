// Reads a small text file of a source safely. A pipe must not block the server. A link must not lead out of the source.
// An endless file must not fill the memory.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';

export type SourceFile = { readonly text: string } | { readonly message: string };

/** `path` is relative to `root`. `message` continues after the file's name: `is a folder`. */
export function readSourceFile(root: string, path: string, limitBytes: number): SourceFile {
  const found = open(root, join(root, path));
  if (typeof found !== 'number') return found;
  try {
    const stat = fstatSync(found);
    if (stat.isDirectory()) return { message: 'is a folder' };
    if (!stat.isFile()) return { message: 'is not a regular file' };
    const bytes = readUpTo(found, Math.min(stat.size, limitBytes) + 1, limitBytes);
    if (bytes.length > limitBytes) return { message: `is larger than ${limitBytes / 1024} KiB` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    return {
      message: error instanceof TypeError ? 'is not UTF-8' : `cannot be read (${errorCode(error) ?? 'unknown error'})`,
    };
  } finally {
    closeSync(found);
  }
}

function open(root: string, path: string): number | { readonly message: string } {
  // With O_NONBLOCK, opening a pipe does not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (errorCode(error) !== 'ELOOP') return { message: `cannot be read (${errorCode(error) ?? 'unknown error'})` };
  }
  try {
    const real = realpathSync.native(path);
    if (!isWithin(realpathSync.native(root), real)) return { message: 'is a link that leads outside the source' };
    return openSync(real, flags);
  } catch (error) {
    return {
      message:
        errorCode(error) === 'ENOENT'
          ? 'is a broken link'
          : `is a link that cannot be read (${errorCode(error) ?? 'unknown error'})`,
    };
  }
}

function readUpTo(fd: number, expectedBytes: number, limitBytes: number): Buffer {
  let buffer = Buffer.allocUnsafe(expectedBytes);
  let length = 0;
  while (length <= limitBytes) {
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
    const count = readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}

/** Undefined when nothing is there, or access is denied. */
export function lstatOf(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Like lstatOf, but follows links. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/**
 * Identifies a directory, even if another one gets its inode later. The mode is part of the identity, because the mode
 * decides whether the directory can be read and watched.
 */
export function identityOf({ dev, ino, birthtimeMs, mode }: Stats): string {
  return `${dev} ${ino} ${birthtimeMs} ${mode}`;
}

/** Differs after each change of the file, unless the clock of the file system stood still in between. */
export function stampOfFile({ ino, size, ctimeMs }: Stats): string {
  return `${ino} ${size} ${ctimeMs}`;
}

/** The clock of a file system can stand still for this long. Two writes in this time can give a file the same times. */
const clockStepMs = 50;

/** Returns false if a file changed so shortly before `lookedAtMs` that another change might leave the same times. */
export function isSettled(newestMs: number, lookedAtMs: number): boolean {
  return newestMs < lookedAtMs - clockStepMs;
}

/** Both paths must be real paths, without links. */
export function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
