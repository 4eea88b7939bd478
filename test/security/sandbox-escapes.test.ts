// Jobs that try to outlive their run, use up the host, or return files that are not theirs. The server must end them,
// say why, and continue.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, type JobConfig } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';
import { attackJob } from './attacks.ts';

const test = testWith('bwrap', 'python3');

/** How long the daemon of an attack sleeps. No other process on this machine sleeps for exactly that long. */
const nap = `3600.${process.pid}`;
const limited = (resources: Readonly<Record<string, unknown>>, run?: string): JobConfig => ({
  permissions: { resources },
  ...(run && { timeouts: { run } }),
});

const daemon = `
def daemonize():
    if os.fork(): return
    os.setsid()
    for sent in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(sent, signal.SIG_IGN)
    if os.fork(): os._exit(0)
    os.chdir('/'); os.closerange(0, 3)
    os.execvp('sleep', ['sleep', '${nap}'])
daemonize()
`;

const server = await startServer({
  jobs: {
    daemon: attackJob(`${daemon}\nsay('left')`),
    'daemon-and-stay': attackJob(
      `${daemon}\nsay('left')\nfor sent in (15, 2, 1): signal.signal(sent, signal.SIG_IGN)
signal.pause()`,
      { cancel: { grace: '200ms' } },
    ),
    stopped: attackJob(`say('stops')\nos.kill(os.getpid(), signal.SIGSTOP)`, { cancel: { grace: '200ms' } }),
    'fork-bomb': attackJob(
      `
while True:
    try: os.fork()
    except OSError: pass`,
      limited({ pids: 64 }, '2s'),
    ),
    memory: attackJob(`hog = []\nwhile True: hog.append(b'x' * 2 ** 20)`, limited({ memory: '128MiB' })),
    'memory-as-files': attackJob(
      `
for folder in ('/tmp', '/dev/shm', '/run/lock'):
    with open(folder + '/fill', 'wb') as file:
        try:
            while True: file.write(b'x' * 2 ** 20)
        except OSError as error: say(errno.errorcode[error.errno])`,
      limited({ memory: '128MiB' }),
    ),
    workspace: attackJob(
      `
import time
with open('fill', 'wb') as file:
    for _ in range(64): file.write(b'x' * 2 ** 20); file.flush()
time.sleep(60)`,
      limited({ workspace: '16MiB' }),
    ),
    'out-folder': attackJob(
      `
import time
with open('/run/flwd/out/fill', 'wb') as file:
    for _ in range(64): file.write(b'x' * 2 ** 20); file.flush()
time.sleep(60)`,
      limited({ workspace: '16MiB' }),
    ),
    'out-of-sight': attackJob(
      `
import time
for _ in range(20): os.mkdir('d' * 250); os.chdir('d' * 250)
with open('fill', 'wb') as file:
    for _ in range(64): file.write(b'x' * 2 ** 20); file.flush()
time.sleep(60)`,
      limited({ workspace: '16MiB' }),
    ),
    descriptors: attackJob(`
files = []
try:
    while True: files.append(open('/dev/null'))
except OSError as error: files.clear(); say(errno.errorcode[error.errno])`),
    'cut-log': attackJob(`
import time
say('before')
while not os.path.exists('seen'): time.sleep(0.05)
say(tried(os.ftruncate, 1, 0)); os.lseek(1, 0, 0); say('after')
for path in ('/dev/stdout', '/proc/self/fd/1', '/proc/1/fd/1'):
    tried(os.fchmod, 1, 0o666)
    tried(lambda: open(path, 'w').write('by path\\n'))
time.sleep(1); say('end')`),
    plain: bash('echo plain'),
  },
});
afterAll(() => server.close());

async function isUnharmed(): Promise<void> {
  expect((await server.json<{ checks: { database: { status: string } } }>('/health')).checks.database.status).toBe(
    'ok',
  );
  expect(await server.run('plain')).toMatchObject({ status: 'success' });
}

describe('no process is left after a run', () => {
  test('that starts a daemon in another session', async () => {
    const run = await server.run('daemon');
    expect(run.status).toBe('success');
    expect(processesWith(nap)).toEqual([]);
  });

  test('that starts a daemon, ignores every signal and is cancelled', async () => {
    const runId = await server.start('daemon-and-stay');
    await expect.poll(() => processesWith(nap)).toHaveLength(1);
    await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
    expect(await server.finished(runId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
    expect(processesWith(nap)).toEqual([]);
  });

  test('that has stopped itself', async () => {
    const runId = await server.start('stopped');
    await expect.poll(() => server.messages(runId)).toEqual(['stops']);
    await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
    expect(await server.finished(runId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
  });
});

describe('a run is limited in its use of', () => {
  test('processes, by a fork bomb', async () => {
    const run = await server.run('fork-bomb');
    expect(run).toMatchObject({ status: 'failed', reason: 'timeout', termination: { remaining: 0 } });
    await isUnharmed();
  });

  test('memory', async () => {
    const run = await server.run('memory');
    expect(run).toMatchObject({ status: 'failed', reason: expect.stringMatching(/^(out_of_memory|exit)$/) });
    await isUnharmed();
  });

  test('memory, even if files use it', async () => {
    const run = await server.run('memory-as-files');
    const ends = run.status === 'success' ? await server.messages(run.run_id) : [run.reason];
    expect([['ENOSPC', 'ENOSPC'], ['out_of_memory']]).toContainEqual(ends);
    await isUnharmed();
  });

  test('the disk, in its workspace', async () => {
    expect(await server.run('workspace')).toMatchObject({ status: 'failed', reason: 'quota_exceeded' });
    await isUnharmed();
  });

  test('the disk, in the folder for results', async () => {
    expect(await server.run('out-folder')).toMatchObject({ status: 'failed', reason: 'quota_exceeded' });
    await isUnharmed();
  });

  test('the disk, even if folders are nested too deeply for any path', async () => {
    const run = await server.run('out-of-sight');
    expect(run).toMatchObject({ status: 'failed', reason: 'quota_exceeded' });
    expect(run.error?.message).toContain('deeper than a path can name');
    await isUnharmed();
  });

  test('file descriptors', async () => {
    const run = await server.run('descriptors');
    expect([run.status, await server.messages(run.run_id)]).toEqual(['success', ['EMFILE']]);
    await isUnharmed();
  });
});

test('a run that truncates its own log harms only that log', async () => {
  const runId = await server.start('cut-log');
  await expect.poll(() => server.messages(runId)).toEqual(['before']);
  writeFileSync(join(server.dataDir, 'runs', runId, 'workspace/seen'), '');
  const run = await server.finished(runId);
  const messages = await server.messages(run.run_id);
  expect(run.status).toBe('success');
  expect(messages[0]).toBe('before');
  expect(messages).not.toContain('by path');
  expect(messages.at(-1)).toBe('end');
  await isUnharmed();
});
