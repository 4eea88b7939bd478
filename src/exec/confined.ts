// Runs a system program on files that a job has left. Another process may still change these files while the program
// runs. The program sees only the system's files and the given folders, so no link leads it anywhere else on the host.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from './host/host-programs.ts';
import { isServerRoot } from './job-user.ts';
import { systemFolderMounts } from './sandbox/host-mounts.ts';

export type ConfinedFolder = { readonly from: string; readonly at: string; readonly access: 'read' | 'write' };

/** The capabilities to handle files of any owner and mode. */
const rootCapabilities = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID'];

/** Runs the program with English messages. Rejects like execFile. */
export async function runConfined(argv: readonly string[], folders: readonly ConfinedFolder[]): Promise<void> {
  const binds = { read: '--ro-bind', write: '--bind' } as const;
  await promisify(execFile)(
    findProgram('bwrap') ?? 'bwrap',
    [
      ['--die-with-parent', '--new-session', '--unshare-pid', '--unshare-net', '--unshare-ipc'],
      isServerRoot ? [] : ['--unshare-user'],
      ['--cap-drop', 'ALL'],
      isServerRoot ? rootCapabilities.flatMap((name) => ['--cap-add', name]) : [],
      systemFolderMounts(),
      folders.flatMap(({ from, at, access }) => [binds[access], from, at]),
      ['--', ...argv],
    ].flat(),
    { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } },
  );
}
