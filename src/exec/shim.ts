// Starts the shim of an attempt: apart from the server, with exactly the job's environment (ADR 0003).

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { makeAttemptFiles, spoolPath } from './attempt-files.ts';
import type { AttemptSpec } from './attempt-spec.ts';
import { commandWords } from './command-words.ts';
import { attemptEnvironment } from './environment.ts';
import { inheritedDescriptors } from './inherited-descriptors.ts';
import { libexecDir, sandboxCommand } from './sandbox.ts';
import { openStderrPipe } from './stderr-pipe.ts';

/** What libexec/shim.sh finds at 0 to 4: nothing, the spool, nothing, a place for its status file, the stderr's pipe. */
const firstFreeFd = 5;

/** @throws what the system says where files cannot be written or nothing can be started; some it emits as `error` instead. */
export function startShim(spec: AttemptSpec): ChildProcess {
  const places = makeAttemptFiles(spec);
  const secretFds = freeDescriptors([...spec.secrets.keys()]);
  const command = sandboxCommand({ ...spec, ...places, secretFds, argv: commandWords(spec.job) });
  const opened: number[] = [];
  try {
    const spoolFd = openSpool(spoolPath(spec.attemptDir));
    opened.push(spoolFd);
    const pipeFd = openStderrPipe();
    opened.push(pipeFd);
    const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', spoolFd, 'ignore', 'ignore', pipeFd];
    for (const { fd } of secretFds) stdio[fd] = 'pipe';
    for (const fd of inheritedDescriptors()) {
      if (fd < firstFreeFd) continue;
      opened.push(openSync('/dev/null', 'r'));
      stdio[fd] = opened.at(-1) ?? 'ignore';
    }
    const shim = spawn('/bin/sh', [join(libexecDir, 'shim.sh'), spec.attemptDir, ...command], {
      cwd: '/',
      env: attemptEnvironment(spec),
      detached: true,
      stdio: Array.from(stdio, (end) => end ?? 'ignore'),
    });
    const ends: readonly unknown[] = shim.stdio;
    for (const { name, fd } of secretFds) hand(ends[fd], spec.secrets.get(name) ?? '');
    return shim;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** A descriptor for each name, none of them one that the server has inherited: /dev/null takes the place of those. */
function freeDescriptors(names: readonly string[]): { name: string; fd: number }[] {
  let fd = firstFreeFd - 1;
  return names.map((name) => {
    do fd += 1;
    while (inheritedDescriptors().includes(fd));
    return { name, fd };
  });
}

/** Nobody but root can open it for writing again: a script that writes to /dev/stdout would cut it short. */
function openSpool(path: string): number {
  return openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o400);
}

/** A secret is never in an argument or on a disk. The other end may be gone already, or never have come into being. */
function hand(pipe: unknown, value: string): void {
  if (!(pipe instanceof Writable)) return;
  pipe.on('error', () => undefined);
  pipe.end(value, () => pipe.destroy());
}
