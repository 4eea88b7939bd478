// Finds the files that an attempt has left in its own /tmp, which is in memory and disappears with the sandbox. The
// shim has this /tmp open until the server has read it (libexec/shim.bash). The result is stored in the attempt's
// folder until its run ends.

import { closeSync, constants, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftBehind } from '../../domain/outcome/left-behind.ts';
import { errorCode } from '../../lib/error-code.ts';
import { isAlive, type ProcessIdentity } from '../proc/process-table.ts';
import type { ShimStatus } from '../proc/shim-status.ts';
import { findLeftFiles } from './left-behind.ts';

/** Call this once all processes of the sandbox have ended. The shim continues whether this succeeds or not. */
export async function lookAtTmp(attemptDir: string, { shim, tmpFd }: ShimStatus): Promise<void> {
  if (!shim || tmpFd === undefined) return;
  const pipe = openOf(shim, 9, constants.O_WRONLY | constants.O_NONBLOCK);
  if (pipe === undefined) return;
  try {
    const folder = openOf(shim, tmpFd, constants.O_RDONLY | constants.O_DIRECTORY);
    if (folder !== undefined) await look(attemptDir, folder);
  } finally {
    releaseShim(pipe);
  }
}

async function look(attemptDir: string, folder: number): Promise<void> {
  try {
    const mounts = mountsIn(attemptDir);
    // If the job was granted /tmp, this is the folder of the host.
    if (mounts.has('/tmp')) return;
    const isKept = (path: string): boolean => mounts.has(`/tmp/${path}`);
    const found = await findLeftFiles({ dir: `/proc/self/fd/${folder}`, shownBelow: '/tmp/', isKept });
    if (found.count > 0 || found.more) writeFileSync(foundPath(attemptDir), JSON.stringify(found));
  } finally {
    closeSync(folder);
  }
}

/** Reads the result of `lookAtTmp`. Returns null if no file was left, or if there is no complete result. */
export function readTmpLeft(attemptDir: string): LeftBehind | null {
  try {
    return JSON.parse(readFileSync(foundPath(attemptDir), 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return null;
    throw error;
  }
}

function foundPath(attemptDir: string): string {
  return join(attemptDir, 'tmp-left');
}

/**
 * Opens the file that the shim has open. The shim waits for at most 10 s, and after that another process may get its
 * pid. So after opening the file, this checks that the shim is still alive.
 */
function openOf(shim: ProcessIdentity, number: number, flags: number): number | undefined {
  if (!isAlive(shim)) return undefined;
  let fd: number;
  try {
    fd = openSync(`/proc/${shim.pid}/fd/${number}`, flags);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || !isAlive(shim)) return undefined;
    throw error;
  }
  if (isAlive(shim)) return fd;
  closeSync(fd);
  return undefined;
}

function releaseShim(pipe: number): void {
  try {
    writeSync(pipe, '.');
  } catch {
    // The shim has ended already, or it will end after its own timeout.
  } finally {
    closeSync(pipe);
  }
}

/**
 * Finds the places in /tmp where something is mounted. bwrap creates an empty file or folder there, which the script
 * did not leave.
 */
function mountsIn(attemptDir: string): ReadonlySet<string> {
  const words = readFileSync(join(attemptDir, 'sandbox'), 'latin1').split('\0');
  return new Set(
    words.filter((word, at) => /^\/tmp(?:\/|$)/.test(word) && /^--(?:ro-)?bind$/.test(words[at - 2] ?? '')),
  );
}
