// Jobs that try to exceed the size limit of their workspace with data that the server does not see when it walks
// through the folders.

import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import type { JobConfig } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { attackJob } from './attacks.ts';

const test = testWith('bwrap', 'python3');

const granted = await realpath(await mkdtemp('/var/tmp/flwd-disk-'));
await chmod(granted, 0o777);
afterAll(() => rm(granted, { recursive: true }));

const resources = { workspace: '16MiB' };
const limited: JobConfig = { permissions: { resources } };
const prelude = `
import mmap, threading, time
def fill(fd):
    for _ in range(48): os.write(fd, b'x' * 2 ** 20)
def removed(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.unlink(path)
    return fd
def unlinked(): return os.open('.', os.O_RDWR | os.O_TMPFILE)
`;

const attacks = {
  'a file that was removed while it is open': `fill(removed('file'))`,
  'one in the folder for results': `fill(removed('/run/flwd/out/file'))`,
  'one that never had a name': 'fill(unlinked())',
  'one with room that nothing was written to': `os.posix_fallocate(removed('file'), 0, 48 * 2 ** 20)`,
  'one that is mapped and not open': `
fd = removed('file')
os.ftruncate(fd, 48 * 2 ** 20)
held = mmap.mmap(fd, 48 * 2 ** 20)
os.close(fd)
# mmap keeps a descriptor of its own.
for one in range(3, 20):
    path = '/proc/self/fd/%d' % one
    if os.path.lexists(path) and 'deleted' in os.readlink(path): os.close(one)
for _ in range(48): held.write(b'x' * 2 ** 20)`,
  'one that a thread alone has open, in a process whose first thread has ended': `
def work():
    ctypes.CDLL(None).unshare(0x400)
    fill(unlinked())
    time.sleep(60)
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall(93 if os.uname().machine == 'aarch64' else 60, 0)`,
  'one in folders that are gone, deeper than a path can name': `
for _ in range(20): os.mkdir('d' * 250); os.chdir('d' * 250)
fd = unlinked()
for _ in range(20): os.chdir('..'); os.rmdir('d' * 250)
fill(fd)`,
  'a process that it is left to': `
fd = unlinked()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: fill(fd); time.sleep(60)
    os._exit(0)
os.close(fd)`,
  'a file, though a thousand threads share a thousand descriptors': `
for _ in range(900): os.open('/dev/null', os.O_RDONLY)
threading.stack_size(65536)
for _ in range(900): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
time.sleep(1)
fill(os.open('file', os.O_RDWR | os.O_CREAT))`,
  '60,000 empty files': `for name in range(60_000): open(str(name), 'w').close()`,
};

const jobs = {
  ...Object.fromEntries(
    Object.entries(attacks).map(([, script], index) => [
      `attack-${index}`,
      attackJob(`${prelude}${script}\ntime.sleep(60)`, limited),
    ]),
  ),
  backup: attackJob(
    `${prelude}
os.chdir('${granted}')
fd = unlinked()
fill(fd)
for _ in range(200): print('x' * 100_000, flush=True)
time.sleep(1)
print('done')`,
    { ...limited, permissions: { resources, write: [granted] } },
  ),
};

const users = [
  { user: 'the user of these tests', as: {} },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', as: { uid: 65_534 } }] : []),
];

describe.each(users)('if the server runs as $user,', async ({ as }) => {
  const server = await startServer({
    ...as,
    jobs,
    config: { security: { paths: [granted] }, scheduler: { global_concurrency: 4 } },
  });
  afterAll(() => server.close());

  test.concurrent.each(Object.keys(attacks).map((name, index) => [name, index] as const))(
    'the size limit of the workspace applies to %s',
    async (_, index) => {
      const run = await server.run(`attack-${index}`);
      expect([run.status, run.reason, run.error?.message]).toEqual([
        'failed',
        'quota_exceeded',
        // A check that finds the deep folders before they are removed already ends the run.
        expect.stringMatching(/^its workspace (grew to [\d.]+ MiB or more, |has folders deeper than a path can name)/),
      ]);
    },
  );

  test('files in a granted path and the log do not count towards the limit, and are not truncated', async () => {
    const run = await server.run('backup');
    expect([run.status, run.error]).toEqual(['success', null]);
    const text = await (await server.fetch(`/runs/${run.run_id}/logs`, { headers: { accept: 'text/plain' } })).text();
    expect([text.length > 20_000_000, text.slice(-5)]).toEqual([true, 'done\n']);
  });
});
