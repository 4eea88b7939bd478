// The Debian package, in a fresh root of Debian that release/check.bash makes: installed, started as its systemd unit
// would, upgraded, removed and purged.

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { deb, testRoot as root } from './releases.ts';

const path = '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin';
const scratch = mkdtempSync(join(tmpdir(), 'flwd-deb-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const at = (file: string): string => join(root, file);
const inRoot = [join(import.meta.dirname, 'in-root.sh'), root] as const;
const env = { PATH: path, HOME: '/root', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

function run(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(inRoot[0], [inRoot[1], ...words], { cwd: '/', env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function must(...words: readonly string[]): string {
  const { status, stdout, stderr } = run(...words);
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** `owner:group mode` of a path in the root. */
const ownership = (file: string): string => must('stat', '--format=%U:%G %a', file).trim();

/** The same package with a higher version. */
function laterPackage(): string {
  const tree = join(scratch, 'later');
  spawnSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 99-1'));
  spawnSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, join(scratch, 'later.deb')]);
  return join(scratch, 'later.deb');
}

const edited = '# Edited by the administrator.\n';

// Each test continues where the one before it stopped.

test('apt installs the package with its dependencies, and its folders have the right owners', () => {
  copyFileSync(deb, at('/var/cache/flwd.deb'));
  must('apt-get', 'install', '--yes', '--no-install-recommends', '/var/cache/flwd.deb');
  expect(must('flwd', 'version')).toMatch(/^flwd \d/);
  expect(must('dpkg', '--verify', 'flwd')).toBe('');
  expect(['/etc/flwd/flwd.yaml', '/var/lib/flwd', '/srv/flwd/jobs', '/usr/lib/flwd/node'].map(ownership)).toEqual([
    'root:root 644',
    'flwd:flwd 700',
    'flwd:flwd 755',
    'root:root 755',
  ]);
  expect(must('getent', 'passwd', 'flwd')).toMatch(/:\/var\/lib\/flwd:\/usr\/sbin\/nologin\n$/);
  expect(must('systemctl', 'is-enabled', 'flwd.service')).toBe('enabled\n');
});

test('systemd finds nothing wrong with the unit, and the configuration is valid for its user', () => {
  const unit = '/usr/lib/systemd/system/flwd.service';
  expect(run('systemd-analyze', 'verify', '--man=no', unit)).toEqual({ status: 0, stdout: '', stderr: '' });
  must('setpriv', ...asTheUnit(), 'flwd', 'config', 'validate', '--config', '/etc/flwd/flwd.yaml');
});

test('the ExecStart of the unit serves jobs, as its user, without privileges and without capabilities', async () => {
  const job = at('/srv/flwd/jobs/whoami');
  must('install', '-d', '-o', 'flwd', '-g', 'flwd', '/srv/flwd/jobs/whoami');
  writeFileSync(join(job, 'config.yaml'), 'command: ./main.mjs\n');
  writeFileSync(join(job, 'main.mjs'), 'import os from "node:os"; console.log(`uid ${os.userInfo().uid}`);\n');
  const words = ['setpriv', ...asTheUnit(), ...execStart(), '--bind', '127.0.0.1:0'];
  const server = spawn(inRoot[0], [inRoot[1], ...words], { cwd: '/', env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve));
  try {
    await new Promise((resolve, reject) => {
      server.stdout.on('data', (chunk) => String(chunk).includes('listening on') && resolve(null));
      void ended.then((code) => reject(new Error(`the server ended with ${code}`)));
    });
    const uid = must('id', '--user', 'flwd').trim();
    expect(uid).not.toBe('0');
    // Root asks the server, which it finds in the data dir that /etc/flwd/flwd.yaml names.
    expect(must('flwd', 'whoami')).toContain(`uid ${uid}`);
    expect(must('flwd', 'runs')).toContain('whoami');
  } finally {
    server.kill();
  }
  expect(await ended).toBe(0);
});

/** Options of setpriv that do what the unit asks systemd for. */
function asTheUnit(): string[] {
  expect(setting('NoNewPrivileges')).toBe('yes');
  expect(setting('CapabilityBoundingSet')).toBe('');
  const user = [`--reuid=${setting('User')}`, `--regid=${setting('Group')}`, '--clear-groups'];
  const home = ['env', `HOME=/var/lib/flwd`, `USER=${setting('User')}`];
  return [...user, '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--', ...home];
}

function execStart(): string[] {
  return setting('ExecStart').split(' ');
}

function setting(name: string): string {
  const unit = readFileSync(at('/usr/lib/systemd/system/flwd.service'), 'utf8');
  return new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
}

test.each([
  ['restarts a service that runs', 0, ['restart']],
  ['leaves a service that was stopped', 3, []],
])('an upgrade %s, and keeps edits and data', (_, activeStatus, actions) => {
  writeFileSync(at('/etc/flwd/flwd.yaml'), edited, { flag: 'a' });
  const { ino } = statSync(at('/var/lib/flwd/flwd.db'));
  // Stands in for a running systemd: says whether the service is active, and records what it is asked for.
  writeFileSync(
    at('/usr/local/sbin/systemctl'),
    `#!/bin/sh\necho "$*" >>/var/cache/asked\ncase " $* " in *" is-active "*) exit ${activeStatus} ;; esac\n`,
  );
  chmodSync(at('/usr/local/sbin/systemctl'), 0o755);
  copyFileSync(laterPackage(), at('/var/cache/later.deb'));
  must('dpkg', '--install', '/var/cache/flwd.deb');
  must('rm', '-f', '/var/cache/asked');
  must(
    'sh',
    '-c',
    'mkdir -p /run/systemd/system && dpkg --install /var/cache/later.deb; status=$?; rm -r /run/systemd; exit $status',
  );
  rmSync(at('/usr/local/sbin/systemctl'));

  const asked = readFileSync(at('/var/cache/asked'), 'utf8').split('\n');
  const acts = ['start', 'stop', 'restart'].filter((act) => asked.some((line) => line.split(' ').includes(act)));
  expect({ acts, asked }).toMatchObject({ acts: actions });
  expect(asked.some((line) => line.includes('daemon-reload'))).toBe(true);
  expect(must('dpkg-query', '--show', '--showformat=${Version}', 'flwd')).toBe('99-1');
  expect(readFileSync(at('/etc/flwd/flwd.yaml'), 'utf8').endsWith(edited)).toBe(true);
  expect(statSync(at('/var/lib/flwd/flwd.db')).ino).toBe(ino);
});

test('removing the package keeps configuration, data and jobs', () => {
  must('flwd', 'version');
  must('apt-get', 'remove', '--yes', 'flwd');
  expect(['/usr/bin/flwd', '/usr/lib/flwd', '/usr/share/doc/flwd'].filter((file) => existsSync(at(file)))).toEqual([]);
  for (const kept of ['/etc/flwd/flwd.yaml', '/var/lib/flwd/flwd.db', '/srv/flwd/jobs/whoami/main.mjs'])
    expect(existsSync(at(kept)), kept).toBe(true);
});

test('purging the package removes the configuration but neither the data nor the jobs, and says so', () => {
  const said = must('apt-get', 'purge', '--yes', 'flwd');
  expect(said).toContain('/var/lib/flwd was kept. To delete it: rm -r /var/lib/flwd');
  expect(existsSync(at('/etc/flwd'))).toBe(false);
  for (const kept of ['/var/lib/flwd/flwd.db', '/srv/flwd/jobs/whoami/main.mjs'])
    expect(existsSync(at(kept)), kept).toBe(true);
  // No trace of the service is left.
  expect(must('find', '/etc/systemd', '-name', 'flwd*')).toBe('');
});

test('a fresh installation finds the data and the jobs again', () => {
  must('dpkg', '--install', '/var/cache/flwd.deb');
  expect(ownership('/var/lib/flwd/flwd.db')).toBe('flwd:flwd 600');
  expect(must('setpriv', ...asTheUnit(), 'flwd', 'runs')).toContain('whoami');
});
