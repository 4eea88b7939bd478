// Reads a file from an attempt's out folder, into which hostile code could write. The file may be a link, a pipe,
// endless or unreadable. The attempt has ended, but it may have passed a descriptor of the folder to another step of
// the run that is still alive. So the file is opened first, and only the open file is trusted. No job can replace the
// folder itself.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import { isThere } from '../../lib/files/is-there.ts';

export type UntrustedFile =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** `why` is the end of a sentence that begins with the file's name. */
  | { readonly kind: 'refused'; readonly why: string };

/** Errors that a job can cause. Any other error is a failure of the host and is thrown. */
const causedByJob: Record<string, string> = {
  ELOOP: 'is a link',
  ENXIO: 'is a socket',
  ENODEV: 'is a device',
  EACCES: 'cannot be read',
  EPERM: 'cannot be read',
  EAGAIN: 'is held by a lease (F_SETLEASE)',
};

/**
 * How long to wait for a process that has a lease on the file. An honest process releases it as soon as it learns that
 * the file is being opened.
 */
const leaseMs = 20;
const leaseTries = 4;

/**
 * Reads synchronously, because the file usually does not exist, and otherwise is small and was just written. With
 * `nonblocking`, a file with a lease on it is refused at once. Use `nonblocking` for attempts that are alive, because
 * they may have many such files.
 */
export function readUntrustedFile(path: string, maxSizeBytes: number, how?: 'nonblocking'): UntrustedFile {
  let fd: number;
  try {
    if (!isThere(path)) return { kind: 'none' };
    fd = openWithRetry(path, how ? 0 : leaseTries);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return { kind: 'none' };
    const why = code && causedByJob[code];
    if (why) return { kind: 'refused', why };
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    const { size } = stats;
    if (!stats.isFile()) return { kind: 'refused', why: 'is not a regular file' };
    if (size > maxSizeBytes)
      return { kind: 'refused', why: `has ${size} bytes, more than the ${maxSizeBytes} allowed` };
    const bytes = Buffer.alloc(size);
    return { kind: 'bytes', bytes: bytes.subarray(0, readSync(fd, bytes, 0, size, 0)) };
  } finally {
    closeSync(fd);
  }
}

/** Without O_NONBLOCK a pipe would block until somebody writes to it, and a lease would block for 45 s. */
function openWithRetry(path: string, tries: number): number {
  for (let triesLeft = tries; ; triesLeft--) {
    try {
      return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN' || triesLeft === 0) throw error;
    }
    Atomics.wait(sleeper, 0, 0, leaseMs / leaseTries);
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
