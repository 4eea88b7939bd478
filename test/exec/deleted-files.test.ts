// Files without a name that real processes have open.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import { namelessBytes } from '../../src/exec/collect/deleted-files.ts';
import { testWith } from '../support/host.ts';
import { temporaryFolder } from './sample.ts';

const test = testWith('python3');

/** Runs Python in the folder until it has printed its pids. The processes end with the test. */
async function processesIn(dir: string, script: string): Promise<number[]> {
  const prelude = `
import ctypes, os, sys, threading, time
threading.stack_size(65536)
def nameless(mib):
    fd = os.open('file', os.O_RDWR | os.O_CREAT)
    os.unlink('file')
    os.posix_fallocate(fd, 0, mib * 2 ** 20)
    return fd
def ready(*pids):
    print(*pids, flush=True)
    sys.stdin.read()
    os._exit(0)
`;
  const child = spawn('python3', ['-c', prelude + script], { cwd: dir, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.stdin.end());
  for await (const line of createInterface(child.stdout)) return line.split(' ').map(Number);
  return expect.fail('the processes did not start');
}

/** Looks once. `turns` counts the links that it reads. At each of them, other work may run. */
async function look(pids: readonly number[], dir: string): Promise<{ bytes: number; turns: number }> {
  let turns = 0;
  const bytes = await namelessBytes(pids, [dir], () => {
    turns += 1;
    return undefined;
  });
  return { bytes, turns };
}

const mebibyte = 2 ** 20;

test('the descriptors of a process are not read again for each of its threads', async () => {
  const dir = temporaryFolder();
  const pids = await processesIn(
    dir,
    `
nameless(3)
for _ in range(900): os.open('/dev/null', os.O_RDONLY)
for _ in range(900): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
ready(os.getpid())`,
  );
  const { bytes, turns } = await look(pids, dir);
  expect(bytes).toBe(3 * mebibyte);
  expect(turns).toBeLessThan(20_000);
});

test('a thread whose descriptors differ from those of its process is read as well', async () => {
  const dir = temporaryFolder();
  const pids = await processesIn(
    dir,
    `
fd = nameless(1)
hidden = threading.Event()
def hide():
    ctypes.CDLL(None).unshare(0x400)
    os.dup2(nameless(2), fd)
    hidden.set()
    time.sleep(600)
threading.Thread(target=hide, daemon=True).start()
hidden.wait()
os.open('/dev/null', os.O_RDONLY)
ready(os.getpid())`,
  );
  expect((await look(pids, dir)).bytes).toBe(3 * mebibyte);
});

test('when processes have more open files than one look can read, no size is reported', async () => {
  const dir = temporaryFolder();
  const pids = await processesIn(
    dir,
    `
for _ in range(900): os.open('/dev/null', os.O_RDONLY)
pids = []
for _ in range(120):
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    pids.append(pid)
ready(*pids)`,
  );
  expect((await look(pids, dir)).bytes).toBe(Infinity);
});
