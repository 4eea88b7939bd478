// Tricks by which a job tries to stay unnoticed, or to delay the server, while it looks for the process behind a
// connection (ADR 0032).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { statOf } from '../../src/exec/proc/process-table.ts';
import { createRunCallers } from '../../src/exec/proc/run-callers.ts';
import { longestTurnMs } from '../support/goes.ts';
import { testWith } from '../support/host.ts';
import { temporaryFolder } from './sample.ts';

const test = testWith('python3');

/** A process that holds a socket and a number of other descriptors. */
async function aProcess({ descriptors = 0 }: { descriptors?: number } = {}) {
  const script = `
import os, resource, socket, sys
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
one = socket.socket()
null = os.open('/dev/null', os.O_RDONLY)
for _ in range(${descriptors}): os.dup(null)
print(os.fstat(one.fileno()).st_ino, flush=True)
sys.stdin.read()`;
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [inode]: Buffer[] = await once(child.stdout, 'data');
  return { pid: child.pid ?? 0, inode: String(inode).trim() };
}

/** The folder of an attempt whose shim is this process. */
function attemptOf(pid: number): string {
  const dir = join(temporaryFolder(), '1-1');
  mkdirSync(dir);
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const shim = { pid, start_ticks: statOf(pid)?.startTicks, boot_id: bootId };
  writeFileSync(join(dir, 'status'), `${JSON.stringify(shim)}\n`);
  return dir;
}

test('the server answers other requests while it reads a process with 15,000 descriptors', async () => {
  const { inode } = await aProcess();
  await aProcess({ descriptors: 15_000 });
  const look = async () => expect(await createRunCallers().ownerOf(inode)).toBe('outside');
  expect(await longestTurnMs(look)).toBeLessThan(50);
});

test('while a job has more descriptors than the server reads, no caller counts as outside of all runs', async () => {
  const runCallers = createRunCallers();
  const outside = await aProcess();
  const job = await aProcess({ descriptors: 5_000 });
  expect(await runCallers.ownerOf(outside.inode)).toBe('outside');
  runCallers.enter(attemptOf(job.pid), true);
  expect(await runCallers.ownerOf(outside.inode)).toBe('unknown');
});

test('a connection whose socket a job holds belongs to the job', async () => {
  const runCallers = createRunCallers();
  const job = await aProcess({ descriptors: 100 });
  runCallers.enter(attemptOf(job.pid), true);
  expect(await runCallers.ownerOf(job.inode)).toBe('run');
});
