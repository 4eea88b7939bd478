// The status file of an attempt: the identity of its shim, the sandbox that the shim made, and how the script ended.
// libexec/shim.bash and bwrap (--json-status-fd) write it.

import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import type { PidNamespace, ProcessIdentity } from './process-table.ts';

export type Unstartable = 'missing' | 'forbidden' | 'no-interpreter';

export type ShimStatus = {
  readonly shim?: ProcessIdentity;
  /** The pid of bwrap, a child of the shim. */
  readonly bwrapPid?: number;
  readonly sandbox?: PidNamespace;
  /**
   * The descriptor with which the shim has the sandbox's own /tmp open. Before the shim ends, it waits until the server
   * has looked into that folder (src/exec/collect/tmp-left.ts).
   */
  readonly tmpFd?: number;
  /** The first process of a script without a sandbox. It leads its process group. */
  readonly script?: { readonly pid: number; readonly startTicks: number };
  /**
   * Set for a script without a sandbox if its program does not exist, is not executable, or names an interpreter that
   * does not exist.
   */
  readonly unstartable?: Unstartable;
  /** The script's exit code. Left out if the script was not started. */
  readonly exitCode?: number;
  /** bwrap, or the script itself, has ended with any exit code. */
  readonly isOver?: true;
  /** The attempt was given up before its shim began, so the shim must not begin. */
  readonly isGivenUp?: true;
};

export function statusPath(attemptDir: string): string {
  return join(attemptDir, 'status');
}

/** Makes sure that a shim that has not begun never begins. Returns false if it has begun already. */
export function giveUp(attemptDir: string): boolean {
  const path = statusPath(attemptDir);
  let fd: number;
  try {
    fd = openSync(path, 'wx');
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (errorCode(error) === 'ENOENT') return true;
    throw error;
  }
  try {
    writeSync(fd, '{"given_up":true}\n');
    return true;
  } catch (error) {
    // An empty file would look like the file of a shim.
    rmSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads the status file. Returns undefined if the file does not exist, because no shim has begun. */
export function readStatus(attemptDir: string): ShimStatus | undefined {
  let text: string;
  try {
    text = readFileSync(statusPath(attemptDir), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  let status: ShimStatus = {};
  for (const line of text.split('\n').slice(0, -1)) status = { ...status, ...readLine(line) };
  return status;
}

function readLine(line: string): Partial<ShimStatus> {
  const said = parseObject(line);
  const { pid, start_ticks: startTicks, boot_id: bootId } = said;
  if (typeof pid === 'number' && typeof startTicks === 'number' && typeof bootId === 'string') {
    return { shim: { pid, startTicks, bootId } };
  }
  if (typeof said.script === 'number' && typeof startTicks === 'number')
    return { script: { pid: said.script, startTicks } };
  const { unstartable } = said;
  if (unstartable === 'missing' || unstartable === 'forbidden' || unstartable === 'no-interpreter')
    return { unstartable };
  const { 'child-pid': initPid, 'pid-namespace': inode, 'exit-code': exitCode } = said;
  if (typeof initPid === 'number' && typeof inode === 'number') return { sandbox: { initPid, inode } };
  if (typeof exitCode === 'number') return { exitCode };
  if (typeof said.bwrap === 'number') return { bwrapPid: said.bwrap };
  if (typeof said.tmp_fd === 'number') return { tmpFd: said.tmp_fd };
  if ('exit' in said) return { isOver: true };
  return 'given_up' in said ? { isGivenUp: true } : {};
}

/** Parses a line of the file. A full disk may have cut it short. */
function parseObject(line: string): Record<string, unknown> {
  try {
    const object: Record<string, unknown> = JSON.parse(line);
    return object;
  } catch {
    return {};
  }
}
