// Says why a script was never started, for people who read the run. The programs that build the sandbox write their
// errors to stderr. The spool contains these errors, and is not redacted yet. The reason that is shown leaves out paths
// of the host.

import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errorCode } from '../../lib/error-code.ts';
import { isServerRoot } from '../job-user.ts';
import type { ShimStatus, Unstartable } from './shim-status.ts';

const headBytes = 8 * 1024;

/** The reason if nothing more is known. */
export function startFailed(isSandboxed: boolean): string {
  return isSandboxed ? 'the sandbox could not be started' : 'the script could not be started';
}

const reasons: Readonly<Record<Unstartable, string>> = {
  missing: 'there is no such program on this host',
  forbidden: 'it is not executable',
  'no-interpreter': 'the program that its first line names does not exist',
};

/** Says why the script was not started. Returns undefined if it was started, or if this cannot be determined. */
export function startFailure(
  spoolPath: string,
  { exitCode, sandbox, script, unstartable, isOver }: ShimStatus,
  isSandboxed: boolean,
): string | undefined {
  if (unstartable) return `its program cannot be started: ${reasons[unstartable]}`;
  if (exitCode === 126 || exitCode === 127) {
    // If setpriv or prlimit cannot start the script, the exit code is 126 or 127, and the only output is the message of
    // setpriv or prlimit. A server that does not run as root does not use setpriv, so only the script can print a line
    // that looks like one of setpriv.
    const [line = '', ...others] = readHead(spoolPath).split('\n');
    const launchers = isServerRoot ? ['setpriv', 'prlimit'] : ['prlimit'];
    const isLaunchers = launchers.some((name) => line.startsWith(`\x1eE${name}: `));
    return isLaunchers && others.join('') === '' ? explain(line, isSandboxed) : undefined;
  }
  if (exitCode !== undefined || !isOver) return undefined;
  const said = readHead(spoolPath)
    .split('\n')
    .find((line) => line.startsWith('\x1eEbwrap: '));
  if (said !== undefined) return explain(said, isSandboxed);
  return sandbox || script ? undefined : startFailed(isSandboxed);
}

function explain(line: string, isSandboxed: boolean): string {
  const [, path, why] = /(?:execvp|failed to execute) (.+): ([^:]+)$/.exec(line) ?? [];
  if (path !== undefined && why !== undefined) {
    // Without a sandbox, the path is a path of the host, which must not be shown.
    const name = isSandboxed ? nameInJob(path) : 'its program';
    return `${name} cannot be started: ${reasonOf(path, why)}`;
  }
  if (/uid map|gid map|namespace|unshare|clone/i.test(line)) {
    return 'the host does not let the sandbox have namespaces of its own';
  }
  if (/Race condition|on symlink destination|Destination is not a/.test(line))
    return 'a path that the job was granted was moved while it started';
  if (/Can't find source path/.test(line)) return 'a path that the job was granted no longer exists';
  return 'the sandbox could not be set up; the log says why';
}

function nameInJob(path: string): string {
  return path.startsWith('/job/') ? `./${path.slice('/job/'.length)}` : path;
}

/** Programs that new jobs often need and a host may lack. */
const installations: Readonly<Record<string, string>> = {
  pwsh: '; install PowerShell 7: https://aka.ms/install-powershell',
  python3: '; install python3',
};

function reasonOf(path: string, why: string): string {
  switch (why) {
    case 'No such file or directory':
      if (!path.includes('/')) return `there is no such program on this host${installations[path] ?? ''}`;
      return 'it does not exist in the sandbox, or the program that its first line names does not';
    case 'Permission denied':
      return 'it is not executable';
    default:
      return why;
  }
}

function readHead(spoolPath: string): string {
  let fd: number;
  try {
    fd = openSync(spoolPath, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    // The script has a lease on the spool (src/exec/spool/spool.ts), so it was started.
    if (errorCode(error) === 'EAGAIN') return '';
    throw error;
  }
  try {
    const buffer = Buffer.alloc(headBytes);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, headBytes, 0));
  } finally {
    closeSync(fd);
  }
}
