// A process of a run never counts as the server's own user, whatever it does with its connection. Other processes of
// that user do (ADR 0032). If the server runs as root, its jobs run as another user, and otherwise as the server's own
// user.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, type JobConfig, type JobFiles, python, writeJob } from '../support/jobs.ts';
import { type Server, startServer } from '../support/server.ts';

const test = testWith('bwrap', 'python3');

type Notification = { readonly last_error: string | null };

// A folder that two jobs share.
const base = await mkdtemp('/var/tmp/flwd-operator-');
await chmod(base, 0o755);
const shared = join(base, 'shared');
await mkdir(shared, { mode: 0o777 });
await chmod(shared, 0o777);
afterAll(() => rm(base, { recursive: true }));

const prelude = `
import ctypes, json, os, socket, sys, time
port = int(os.environ['FLWD_ARG_PORT'])
body = json.dumps({'name': 'evil-%d' % time.time_ns(), 'scopes': ['admin'], 'tenant': '*'})
request = f'POST /api/v1/tokens HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nContent-Type: application/json\\r\\n' \\
    f'Content-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}'

def connect():
    return socket.create_connection(('127.0.0.1', port))

def answer(connection):
    text = ''
    while more := connection.recv(65536): text += more.decode()
    return text

def ask(connection):
    connection.sendall(request.encode())
    return answer(connection)

def say(text):
    status, detail = text.split(' ')[1], json.loads(text.split('\\r\\n\\r\\n', 1)[1]).get('detail')
    words = {'comes from a job': 'run', 'find in /proc': 'unseen'}
    print(status, *[word for part, word in words.items() if part in (detail or '')], flush=True)
`;

const argspec = { type: 'object', properties: { port: { type: 'integer' } } };
const network = { permissions: { network: 'all' } };
const permissive = { security_profile: 'permissive' };

function caller(script: string, config: JobConfig): JobFiles {
  return python(prelude + script, { argspec, ...config });
}

/**
 * Each attack has a script, a config and `seen`, which says what the server finds if it has to check the connection.
 */
const attacks: Record<string, readonly [script: string, config: JobConfig, seen: 'run' | 'unseen']> = {
  'that just asks': ['say(ask(connect()))', network, 'run'],
  'that just asks, in the profile permissive,': ['say(ask(connect()))', permissive, 'run'],
  'whose connection is in flight from one socket to another while the server looks': [
    `
one, other = socket.socketpair()
connection = connect()
local = ':%04X' % connection.getsockname()[1]
connection.sendall(request.encode())
socket.send_fds(one, [b'x'], [connection.fileno()])
connection.close()
# The server has looked once its answer waits to be read.
def is_answered():
    rows = [line.split() for line in open('/proc/net/tcp')]
    return any(row[1].endswith(local) and int(row[4].split(':')[1], 16) for row in rows)
while not is_answered(): time.sleep(0.01)
_, [fd], _, _ = socket.recv_fds(other, 1, 1)
say(answer(socket.socket(fileno=fd)))`,
    network,
    'unseen',
  ],
  'that leaves its connection to an orphaned daemon': [
    `
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while os.getppid() != 1: time.sleep(0.01)
        say(ask(connect()))
        open('done', 'w').close()
    os._exit(0)
os.wait()
while not os.path.exists('done'): time.sleep(0.01)`,
    network,
    'run',
  ],
  'that asks from namespaces of its own, of users, processes and the network,': [
    `
connection = connect()
libc = ctypes.CDLL(None, use_errno=True)
# Not every host lets it.
for flags in (0x10000000 | 0x20000000 | 0x40000000, 0x10000000 | 0x40000000, 0x10000000):
    if libc.unshare(flags) == 0: break
if os.fork() == 0:
    say(ask(connection))
    os._exit(0)
connection.close()
os.wait()`,
    permissive,
    'run',
  ],
  'that has another name and cannot be looked into': [
    `
libc = ctypes.CDLL(None)
libc.prctl(15, b'bash', 0, 0, 0)
libc.prctl(4, 0, 0, 0, 0)
say(ask(connect()))`,
    network,
    'unseen',
  ],
};

/** Two jobs share a folder. The first one connects and ends, and then the second one sends the request. */
const gives = `
from pathlib import Path
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind('${shared}/meeting')
    os.chmod('${shared}/meeting', 0o777)
    listener.listen()
    taker, _ = listener.accept()
connection = connect()
socket.send_fds(taker, [b'x'], [connection.fileno()])`;
const takes = `
taker = socket.socket(socket.AF_UNIX)
while taker.connect_ex('${shared}/meeting') != 0: time.sleep(0.01)
_, [fd], _, _ = socket.recv_fds(taker, 1, 1)
taker.recv(1)
time.sleep(2)
say(ask(socket.socket(fileno=fd)))`;

/** Sends its request only when it knows the address of the restarted server. */
const stays = `
print('begun', flush=True)
while not os.path.exists('${shared}/port'): time.sleep(0.01)
port = int(open('${shared}/port').read())
say(ask(connect()))`;

const jobs = {
  ...Object.fromEntries(
    Object.values(attacks).map(([script, config], index) => [`attack-${index}`, caller(script, config)]),
  ),
  gives: caller(gives, { permissions: { network: 'all', write: [shared] } }),
  takes: caller(takes, { permissions: { write: [shared] } }),
  disabled: caller('say(ask(connect()))', { security_profile: 'disabled' }),
  stays: caller(stays, { permissions: { network: 'all', read: [shared] } }),
  'stays-disabled': caller(stays, { security_profile: 'disabled' }),
  goes: caller(
    `
ask(connect())
print('begun', flush=True)
while True: ask(connect())`,
    { permissions: { network: 'all' } },
  ),
};

const users = [
  { user: 'the user of these tests', uid: process.getuid?.() ?? 0, as: {} },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', uid: 65_534, as: { uid: 65_534 } }] : []),
];

describe.each(users)('if the server runs as $user,', ({ uid, as }) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({
      ...as,
      jobs,
      config: {
        security: {
          allow_profiles: ['secure', 'permissive', 'disabled'],
          paths: [shared],
          profiles: { secure: { may_grant: ['network', 'read', 'write'] } },
        },
      },
    });
  });
  afterAll(() => server.close());
  /** The port of the server itself, not of a tunnel, because a tunnel is a process that belongs to no run. */
  const port = () => Number(/127\.0\.0\.1:(\d+)/.exec(server.stdout.split('\n').findLast((line) => line) ?? '')?.[1]);
  const printedBy = async (job: string) => server.messages((await server.run(job, { port: port() })).run_id);
  const refused = (seen: string) => [uid === 0 ? '401' : `401 ${seen}`];

  test.each(Object.entries(attacks).map(([name, [, , seen]], index) => [name, `attack-${index}`, seen]))(
    'a job %s is not treated as the server’s user',
    async (_, job, seen) => {
      expect(await printedBy(job)).toEqual(refused(seen));
    },
  );

  test('a process that belongs to no run is still treated as the server’s user while a job has network access', async () => {
    const going = await server.start('goes', { port: port() });
    await expect.poll(() => server.messages(going)).toEqual(['begun']);
    const asked = 'say(ask(connect()))';
    expect(await outside(asked, { port: port(), uid })).toBe('201');
    expect(await outside(asked, { port: port(), uid, isApart: true })).toBe('201');
    const orphan = 'if os.fork() == 0: os.setsid(); os.fork() and os._exit(0); time.sleep(0.1); say(ask(connect()))';
    expect(await outside(orphan, { port: port(), uid })).toBe('201');
    await server.fetch(`/runs/${going}/cancel`, { method: 'POST' });
    await server.finished(going);
  });

  test('a job in the profile disabled acts as the server’s user', async () => {
    expect(await printedBy('disabled')).toEqual(['201']);
  });

  test('a notification that a job sends to the server does not act as the server’s user', async () => {
    const webhook = `http://127.0.0.1:${port()}/api/v1/system/gc`;
    await writeJob(join(server.jobsDir, 'notifies'), bash('true', { notify: { webhook, on: ['success'] } }));
    await expect.poll(async () => (await server.fetch('/jobs/notifies')).status).toBe(200);
    const { run_id: runId } = await server.run('notifies');
    const errors = async () =>
      (await server.json<{ notices: Notification[] }>(`/runs/${runId}/notices`)).notices.map(
        ({ last_error }) => last_error,
      );
    await expect.poll(errors).toEqual(['the answer was 401']);
  });

  test('a job that inherits a connection of an ended job does not act as the server’s user', async () => {
    const taking = await server.start('takes', { port: port() });
    await server.run('gives', { port: port() });
    await server.finished(taking);
    await rm(join(shared, 'meeting'));
    expect(await server.messages(taking)).toEqual(refused('run'));
  });

  test.each([
    ['a job that was there before the server started again is nobody', 'stays', refused('run')],
    ['a disabled job that was there before is the server’s user as it was', 'stays-disabled', ['201']],
  ])('%s', async (_, job, seen) => {
    const going = await server.start(job, { port: port() });
    await expect.poll(() => server.messages(going)).toEqual(['begun']);
    await server.stop();
    await server.startAgain();
    await writeFile(join(base, 'port'), String(port()));
    await rename(join(base, 'port'), join(shared, 'port'));
    await server.finished(going);
    await rm(join(shared, 'port'));
    expect(await server.messages(going)).toEqual(['begun', ...seen]);
  });
});

test.each(users.filter(({ uid }) => uid !== 0))(
  'with auth.trust_jobs, the jobs of $user are treated as the server’s user',
  async ({ as }) => {
    await using server = await startServer({ ...as, jobs, config: { auth: { trust_jobs: true } } });
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1]);
    expect(await server.messages((await server.run('attack-0', { port })).run_id)).toEqual(['201']);
  },
);

/** Returns the output of a process of this user that belongs to no run, with or without its own pid namespace. */
async function outside(
  script: string,
  o: { readonly port: number; readonly uid: number; readonly isApart?: boolean },
): Promise<string> {
  const python3 = ['python3', '-c', prelude + script];
  const apart = [
    'bwrap',
    '--unshare-user',
    '--unshare-pid',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--',
    ...python3,
  ];
  const [program = '', ...args] = o.isApart ? apart : python3;
  const child = spawn(program, args, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', FLWD_ARG_PORT: String(o.port) },
    uid: o.uid,
    gid: o.uid,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await once(child, 'close');
  return printed.trim();
}
