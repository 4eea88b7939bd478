// A process that takes a lease on a file, which fcntl(2) allows its owner: opening the file then blocks for as long as
// the kernel allows.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

const script = `
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('taken', flush=True)
sys.stdin.read()`;

/** Resolves when the lease is taken; it lasts until `end`, or the end of the test. */
export async function takeLease(path: string): Promise<{ readonly end: () => Promise<void> }> {
  const holder: ChildProcess = spawn('python3', ['-c', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void holder.kill('SIGKILL'));
  const exited = once(holder, 'exit');
  await Promise.race([once(holder.stdout ?? holder, 'data'), exited]);
  if (holder.exitCode !== null) throw new Error('no lease was to be had');
  return {
    async end() {
      holder.stdin?.end();
      await exited;
    },
  };
}
