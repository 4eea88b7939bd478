// Tests from inside a job what the profiles `permissive` and `disabled` still promise, and what they allow
// (docs/security.md).

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { startServer } from '../support/server.ts';
import { attackJob } from './attacks.ts';

const test = testWith('bwrap', 'python3');

// Not below /tmp, because a permissive job has a /tmp of its own.
const base = await mkdtemp('/var/tmp/flwd-wider-');
await chmod(base, 0o755);
await mkdir(join(base, 'open'), { mode: 0o777 });
await chmod(join(base, 'open'), 0o777);
await writeFile(join(base, 'readable'), 'of the host');
process.env.TMPDIR = base;

const permissive = { security_profile: 'permissive' };
const disabled = { security_profile: 'disabled' };
const status = `
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
held = {name: int(status[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')}
say([name for name in held if held[name]], status['NoNewPrivs'].strip(), status['Seccomp'].strip())`;

const ownFiles = `
for path in host['own']:
    def read():
        with open(path, 'rb') as file: return file.read(1)
    outcome = tried(os.listdir, path) if os.path.isdir(path) else tried(read)
    if outcome == 'done' and (os.path.isdir(path) and os.listdir(path) or os.path.isfile(path) and read()): say('reads', path)
    if tried(lambda: open(path, 'a').close()) == 'done' and not stat.S_ISCHR(os.stat(path).st_mode): say('writes', path)
    if tried(os.rename, path, path + '.old') == 'done': say('moves', path)
say('tried', len(host['own']))`;

const jobs = {
  'permissive/privileges': attackJob(status, permissive),
  'permissive/own-files': attackJob(ownFiles, permissive),
  'permissive/host': attackJob(
    `
say(open('${base}/readable').read())
for folder in ('/', '/etc', '/usr', '/var/tmp', '${base}/open', '/job', '/proc/sys/kernel'):
    if tried(open, folder + '/new', 'w') == 'done': say('wrote', folder)
say(os.path.exists('/tmp/flwd-package'), tried(open, '/tmp/own', 'w'), os.environ.get('CANARY'))`,
    permissive,
  ),
  'permissive/services': attackJob(
    `say(set(os.listdir('/run')) - {'flwd', 'systemd', 'resolvconf', 'NetworkManager', 'netconfig'})
say(os.path.exists('/run/systemd/private'))`,
    permissive,
  ),
  'permissive/processes': attackJob(
    `
say(sorted(open(f'/proc/{pid}/comm').read().strip() for pid in os.listdir('/proc') if pid.isdigit()))
say(tried(os.kill, host['pid'], 0), os.path.exists('/proc/%d' % host['pid']))`,
    permissive,
  ),
  'permissive/namespaces': attackJob(`say(call('unshare', 0x10000000))`, permissive),
  'disabled/environment': attackJob(
    `
say(os.environ.get('CANARY'), os.environ.get('CANARY_TOKEN'))
say(os.getuid() == host['uid'], tried(os.kill, host['pid'], 0))
say(sorted(open(f'/proc/{pid}/comm').read().strip() for pid in os.listdir('/proc') if pid.isdigit()))`,
    disabled,
  ),
  'disabled/privileges': attackJob(status, disabled),
};
afterAll(() => rm(base, { recursive: true }));

const users = [
  { user: 'the user of these tests', runsAs: process.getuid?.() ?? 0, as: {} },
  ...(process.getuid?.() === 0 ? [{ user: 'another user than root', runsAs: 65_534, as: { uid: 65_534 } }] : []),
];

describe.each(users)('if the server runs as $user,', async ({ runsAs, as }) => {
  const isRoot = runsAs === 0;
  const server = await startServer({
    ...as,
    jobs,
    env: { CANARY: 'a-plain-value', CANARY_TOKEN: 'a-credential' },
    config: { security: { allow_profiles: ['secure', 'permissive', 'disabled'] } },
  });
  afterAll(() => server.close());
  async function found(jobId: string): Promise<readonly string[]> {
    const own = [
      '',
      'flwd.db',
      'flwd.db-wal',
      'secret.key',
      'notify.key',
      'flwd.lock',
      'runs',
      'snapshots',
      'pipes',
    ].map((name) => join(server.dataDir, name));
    const host = { own: [...own, join(server.root, 'flwd.yaml')], pid: process.pid, uid: runsAs };
    const run = await server.run(jobId, { host: JSON.stringify(host) });
    expect(run.error).toBeNull();
    return server.messages(run.run_id);
  }

  describe('a permissive job', () => {
    test('has no capabilities and cannot gain any', async () => {
      expect(await found('permissive/privileges')).toEqual(['[] 1 0']);
    });

    test('cannot reach the server’s own files, nor its flwd.yaml', async () => {
      expect(await found('permissive/own-files')).toEqual(['tried 10']);
    });

    test('can read the host but not write to it', async () => {
      expect(await found('permissive/host')).toEqual(['of the host', 'False done None']);
    });

    test('cannot reach the sockets of system services', async () => {
      expect(await found('permissive/services')).toEqual(["{'lock'}", 'False']);
    });

    test('sees only its own processes', async () => {
      expect(await found('permissive/processes')).toEqual(["['bwrap', 'python3']", 'ESRCH False']);
    });

    test('may create user namespaces only if the host allows it', async () => {
      expect(await found('permissive/namespaces')).toEqual([expect.stringMatching(/^(done|EPERM|ENOSPC)$/)]);
    });
  });

  describe('a disabled job', () => {
    test('has the user and the environment of the server without its secrets, and a pid namespace of its own', async () => {
      expect(await found('disabled/environment')).toEqual(['a-plain-value None', 'True ESRCH', "['bwrap', 'python3']"]);
    });

    test('has no more capabilities than the server', async () => {
      const capabilities = isRoot ? "['CapPrm', 'CapEff']" : '[]';
      expect(await found('disabled/privileges')).toEqual([`${capabilities} 1 0`]);
    });
  });

  test('each run reports which protections it had', async () => {
    const isolations = await Promise.all(
      ['permissive/privileges', 'disabled/privileges'].map(async (job) => {
        const run = await server.run(job);
        return (await server.json<{ security: { isolation: unknown } }>(`/runs/${run.run_id}`)).security.isolation;
      }),
    );
    const namespaces = ['mount', 'pid', ...(isRoot ? [] : ['user'])];
    const common = { pid_namespace: true, no_new_privileges: true, namespaces, user_namespace: !isRoot, seccomp: null };
    expect(isolations).toMatchObject([
      { ...common, filesystem: 'host-read-only', capabilities: 'none' },
      { ...common, filesystem: 'host', capabilities: isRoot ? 'server' : 'none' },
    ]);
  });
});
