// A server that does not run as root starts jobs as its own user, in a user namespace. Tests that run as root become
// such a server.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { noResources } from '../../src/domain/resources.ts';
import type { AttemptEnd } from '../../src/exec/executor.ts';
import type { AttemptLimits } from '../../src/exec/proc/attempt-groups.ts';
import { processesOf, processesWith } from '../support/processes.ts';
import { nap, printed, type Ran, type Sample, sample, succeeded } from './sample.ts';
import { serialized } from './serialized.ts';

const none = { by: 'none', detail: '' } as const;
const nobody = { uid: 65534, gid: 65534 };
const root = join(import.meta.dirname, '..', '..');
let home = '';
let node = process.execPath;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'flwd-nobody-'));
  // The checkout may be in a folder that this user cannot enter.
  for (const part of ['src', 'libexec', 'test/exec', 'package.json']) {
    mkdirSync(dirname(join(home, part)), { recursive: true });
    cpSync(join(root, part), join(home, part), { recursive: true });
  }
  if (spawnSync(node, ['-e', '0'], { cwd: '/', ...nobody }).status !== 0) {
    node = join(home, 'node');
    copyFileSync(process.execPath, node);
  }
  give(home);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function give(path: string): void {
  spawnSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, path]);
}

/** @param limited words that start the server under a limit */
async function runAsNobody(script: string, o: Sample = {}, limited: readonly string[] = []): Promise<Ran> {
  const spec = sample(script, o);
  give(dirname(dirname(spec.snapshotDir)));
  const [program, ...words] = [...limited, node, join(home, 'test/exec/programs/launcher.ts')];
  const server = spawn(program, words, {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, SPEC: serialized(spec) },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...nobody,
  });
  const said: string[] = [];
  server.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  await once(server, 'close');
  const end: AttemptEnd = JSON.parse(said.join('').split('\n')[1] ?? 'null');
  return { end, spec, ...printed(spec) };
}

/**
 * Tampers with the first process of its pid namespace, which is bwrap's: it must not die with its parent, must close
 * its output, report through descriptor 5 that the script has ended with 0, and wait forever.
 */
const outlives = `
import os, time
calls = [
    'b89d000000bf0100000031f60f05',         # prctl(PR_SET_PDEATHSIG, 0)
    'bf02000000b8030000000f05',             # close(2)
    'bf01000000b8030000000f05',             # close(1)
    '488d351a000000bf05000000ba08000000b8010000000f05',  # write(5, what follows, 8)
    'b8220000000f05ebf7',                   # pause(), again and again
    '0100000000000000',
]
def hush():
    for fd in (1, 2): os.dup2(os.open('/dev/null', os.O_RDWR), fd)
if os.fork() == 0:
    os.setsid(); hush()
    os.execvp('bash', ['bash', '-c', '${nap}'])
with open('/proc/1/syscall') as file: at = int(file.read().split()[-1], 16)
with open('/proc/1/mem', 'r+b', buffering=0) as memory:
    memory.seek(at)
    memory.write(bytes.fromhex(''.join(calls)))
# The end of an orphan wakes it.
if os.fork() == 0:
    if os.fork() == 0: time.sleep(0.3)
    os._exit(0)
hush()
time.sleep(100)
`;

describe.skipIf(process.getuid?.() !== 0)('a server that does not run as root', () => {
  test('starts a secure job as its own user, without capabilities and without a way to gain any', async () => {
    const { end, lines } = await runAsNobody(
      `id -u; grep -E '^(CapPrm|CapEff|NoNewPrivs):' /proc/self/status | tr -d ' \\t'; pwd; echo kept > kept
       flwd_log info "from a helper"; echo e > /dev/stderr`,
    );
    expect(end).toEqual(succeeded);
    expect(lines.toSorted()).toEqual(
      [
        '65534',
        'CapPrm:0000000000000000',
        'CapEff:0000000000000000',
        'NoNewPrivs:1',
        '/workspace',
        '^ifrom a helper',
        '^Ee',
      ].toSorted(),
    );
  });

  test('hides the host, the data dir and the network from a secure job', async () => {
    const { end, lines, spec } = await runAsNobody(`
      for path in /etc/shadow /root /home ${home}; do if [[ -e $path ]]; then echo "sees $path"; fi; done
      for path in / /usr /job /run/flwd/in; do if touch $path/new 2>/dev/null; then echo "wrote to $path"; fi; done
      tail -n +3 /proc/net/dev | cut -d: -f1`);
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['    lo']);
    expect(existsSync(join(spec.workspaceDir, 'artifacts'))).toBe(true);
  });

  test('passes secrets as files that only the job can read', async () => {
    const { lines } = await runAsNobody('cat $FLWD_SECRETS_DIR/token; stat -c " %u %a" $FLWD_SECRETS_DIR/token', {
      secrets: { token: 's3cret' },
    });
    expect(lines).toEqual(['s3cret 65534 400']);
  });

  test('leaves nothing behind, and cannot be made to truncate its log', async () => {
    const { end, lines, spec } = await runAsNobody(`
      setsid ${nap} & echo before; (echo x > /dev/stdout) 2> /dev/null || echo refused`);
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['before', 'refused']);
    expect([...processesWith(nap), ...processesOf(spec.attemptDir)]).toEqual([]);
  });

  test.runIf(process.arch === 'x64')('ends a job that keeps the first process of its sandbox alive', async () => {
    const { spec } = await runAsNobody(outlives, { ulcProfile: 'ulc.python.3' });
    expect([...processesWith(nap), ...processesOf(spec.attemptDir)]).toEqual([]);
  });

  test('shows the host read-only to a permissive job', async () => {
    const data = mkdtempSync(join(tmpdir(), 'flwd-host-'));
    writeFileSync(join(data, 'file'), 'x');
    const { end, lines } = await runAsNobody(
      `[[ ! -e ${data} ]]; touch /var/tmp/new 2> /dev/null || echo read-only; id -u; [[ -e /etc/fstab || -e /etc/passwd ]]`,
      { profile: 'permissive' },
    );
    rmSync(data, { recursive: true });
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['read-only', '65534']);
  });

  test('hides its own files from a permissive job, although they belong to the same user', async () => {
    const own = mkdtempSync('/var/tmp/flwd-own-');
    mkdirSync(join(own, 'blobs'));
    for (const name of ['secret.key', 'blobs/log', 'other']) writeFileSync(join(own, name), name);
    give(own);
    const { end, lines } = await runAsNobody(
      `for name in secret.key blobs/log other; do cat ${own}/$name 2> /dev/null && echo || echo "no $name"; done`,
      { profile: 'permissive', masked: [join(own, 'secret.key'), join(own, 'blobs')] },
    );
    rmSync(own, { recursive: true });
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['no secret.key', 'no blobs/log', 'other']);
  });

  test('runs a disabled job as its own user on the host', async () => {
    const { end, lines } = await runAsNobody(`echo new > ${home}/by-the-job; id -u`, { profile: 'disabled' });
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['65534']);
    expect(readFileSync(join(home, 'by-the-job'), 'utf8')).toBe('new\n');
  });

  test('ends a script without a sandbox as far as it may, and counts the processes of other users', async () => {
    const { spec } = await runAsNobody('true', { profile: 'disabled' });
    const setpriv = `setpriv --reuid=${nobody.uid} --clear-groups`;
    const leader = spawn('bash', ['-c', `${nap} & ${setpriv} ${nap} & wait`], { detached: true, stdio: 'ignore' });
    onTestFinished(() => void process.kill(-(leader.pid ?? 0), 'SIGKILL'));
    await expect.poll(() => processesWith(nap).filter(({ command }) => command === nap).length).toBe(2);
    const [, startTicks] = / (\d+)(?: \d+){30}\s*$/.exec(readFileSync(`/proc/${leader.pid}/stat`, 'utf8')) ?? [];
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const shim = { pid: leader.pid, start_ticks: 1, boot_id: bootId };
    const script = { script: leader.pid, start_ticks: Number(startTicks) };
    writeFileSync(join(spec.attemptDir, 'status'), `${JSON.stringify(shim)}\n${JSON.stringify(script)}\n`);
    const program = join(home, 'test/exec/programs/kill-domain.ts');
    const { stdout, stderr } = spawnSync(node, [program, spec.attemptDir, '2'], {
      cwd: '/',
      ...nobody,
      encoding: 'utf8',
    });
    expect([stdout, stderr]).toEqual(['{"found":3,"left":2}\n', '']);
    expect(processesWith(nap).map(({ command }) => command)).toEqual([expect.stringContaining('bash -c'), nap]);
  });

  test('is not deceived by a script that claims not to have started', async () => {
    const { end } = await runAsNobody(
      'echo "setpriv: failed to execute tool: No such file or directory" >&2; exit 127',
    );
    expect(end).toEqual({ kind: 'exited', code: 127 });
  });

  test('says why a script could not be started', async () => {
    const { end } = await runAsNobody('', { ulcProfile: 'ulc.exec', command: ['no-such-program'] });
    expect(end).toEqual({
      kind: 'not-started',
      message: 'no-such-program cannot be started: there is no such program on this host',
    });
  });

  test('limits the processes of each job separately, although all have the same user', async () => {
    const limits: AttemptLimits = {
      resources: { ...noResources, pids: 16 },
      host: { cpu: none, memory: none, pids: { by: 'rlimit', detail: '' } },
    };
    const neighbour = runAsNobody('for i in {1..12}; do sleep 1 & done; wait; echo all', { limits });
    const bomb = await runAsNobody("exec python3 -c 'import os\nwhile True: os.fork()'", { limits });
    expect(bomb.end).toEqual({ kind: 'exited', code: 1 });
    expect(bomb.text).toContain('Resource temporarily unavailable');
    expect((await neighbour).lines).toEqual(['all']);
  });

  test('limits the memory of each process', async () => {
    const { end, text } = await runAsNobody("python3 -c 'bytearray(2 ** 30)'", {
      limits: {
        resources: { ...noResources, memoryBytes: 2 ** 28 },
        host: { cpu: none, memory: { by: 'rlimit', detail: '' }, pids: none },
      },
    });
    expect(end).toEqual({ kind: 'exited', code: 1 });
    expect(text).toContain('MemoryError');
  });

  test('starts a job whose limits are higher than those of the server', async () => {
    const limits: AttemptLimits = {
      resources: { ...noResources, pids: 1024, memoryBytes: 2 ** 50 },
      host: { cpu: none, memory: { by: 'rlimit', detail: '' }, pids: { by: 'rlimit', detail: '' } },
    };
    const limited = ['prlimit', '--nproc=900', `--as=${2 ** 44}`, '--'];
    const { end, lines } = await runAsNobody('ulimit -u; ulimit -v', { limits }, limited);
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['900', String(2 ** 34)]);
  });

  test('says why a script under a limit could not be started, too', async () => {
    const { end } = await runAsNobody('', {
      ulcProfile: 'ulc.exec',
      command: ['no-such-program'],
      limits: {
        resources: { ...noResources, pids: 16 },
        host: { cpu: none, memory: none, pids: { by: 'rlimit', detail: '' } },
      },
    });
    expect(end).toEqual({
      kind: 'not-started',
      message: 'no-such-program cannot be started: there is no such program on this host',
    });
  });
});
