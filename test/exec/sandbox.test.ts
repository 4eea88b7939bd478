// What a job of each profile sees and may do, as the job itself finds it.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isolationOf } from '../../src/exec/sandbox/sandbox.ts';
import { run, succeeded, temporaryFolder } from './sample.ts';

const isRoot = process.getuid?.() === 0;

/**
 * A server that does not run as root cannot drop its groups. In the user namespace, only its own group has a number.
 */
function keptGroups(): string {
  const groups = (process.getgroups?.() ?? []).toSorted((a, b) => a - b);
  return groups.map((group) => (group === process.getgid?.() ? group : 65534)).join('');
}

describe('a secure job', () => {
  test('runs without privileges, and as nobody if the server runs as root', async () => {
    const { end, lines } = await run(`
      id -u; id -g
      grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Groups):' /proc/self/status | tr -d ' \\t'`);
    expect(end).toEqual(succeeded);
    const uid = isRoot ? '65534' : String(process.getuid?.());
    expect(lines.slice(0, 1)).toEqual([uid]);
    const none = '0000000000000000';
    expect(lines.slice(2)).toEqual([
      `Groups:${isRoot ? '' : keptGroups()}`,
      `CapPrm:${none}`,
      `CapEff:${none}`,
      `CapBnd:${none}`,
      `CapAmb:${none}`,
      'NoNewPrivs:1',
    ]);
  });

  test.runIf(isRoot)('has the groups of the user it runs as, and no others', async () => {
    const runAs = { user: 'someone', uid: 4_711, gid: 4_712, groups: [4_712, 4_713, 4_714], home: '/srv/someone' };
    const { lines } = await run('echo $(id -u) $(id -g) $(id -G) $USER $HOME; touch file; stat -c "%u %g" file', {
      runAs,
    });
    expect(lines).toEqual(['4711 4712 4712 4713 4714 someone /workspace', '4711 4712']);
  });

  test('has its own pid, ipc, uts and cgroup namespaces, and sees only its own processes', async () => {
    const { lines } = await run('for ns in pid ipc uts cgroup; do readlink /proc/self/ns/$ns; done; uname -n');
    const ofHost = ['pid', 'ipc', 'uts', 'cgroup'].map((name) => namespaceOfThisProcess(name));
    expect(lines.slice(0, 4).filter((link) => ofHost.includes(link))).toEqual([]);
    expect(lines.slice(4)).toEqual(['flwd']);
    expect((await run('cat /proc/[0-9]*/comm')).lines.toSorted()).toEqual(['bash', 'bwrap']);
  });

  test('has no network, not even to the host’s own loopback, unless it is granted', async () => {
    const port = await listen();
    const script = `if (exec 9<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null; then echo reached; else echo refused; fi`;
    expect((await run(script)).lines).toEqual(['refused']);
    expect((await run(script, { network: 'all' })).lines).toEqual(['reached']);
    const resolv = 'if [[ -e /etc/resolv.conf ]]; then echo there; else echo missing; fi';
    expect((await run(resolv)).lines).toEqual(['missing']);
    expect((await run(resolv, { network: 'all' })).lines).toEqual(['there']);
  });

  test('sees the system, its job and its workspace, and nothing else of the host', async () => {
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, 'file'), 'of the host');
    const { lines, spec } = await run(`
      echo /* | tr ' ' '\\n' | grep -vE '^/lib(32|64|x32)?$'
      for path in /etc/shadow /etc/gshadow /etc/sudoers /root /home /var/lib /sys ${elsewhere}; do
        if [[ -e $path ]]; then echo "sees $path"; fi
      done`);
    expect(lines).toEqual([
      '/bin',
      '/dev',
      '/etc',
      '/job',
      '/proc',
      '/run',
      '/sbin',
      '/tmp',
      '/usr',
      '/var',
      '/workspace',
    ]);
    expect(existsSync(spec.attemptDir)).toBe(true);
    const inside = await run(`[[ ! -e ${spec.attemptDir} && ! -e ${spec.snapshotDir} ]]`);
    expect(inside.end).toEqual(succeeded);
  });

  test('can write to its workspace and to a private /tmp, and nowhere else', async () => {
    const { end, lines, spec } = await run(`
      for path in / /usr /etc /job /var /run /run/flwd /run/flwd/in /run/flwd/bin /run/flwd/secrets /dev /proc; do
        if touch $path/new 2>/dev/null; then echo "wrote to $path"; fi
      done
      echo kept > kept; echo gone > /tmp/flwd-private-${process.pid}; echo x > /dev/shm/x; echo x > /run/flwd/out/extra
      touch artifacts/one; pwd`);
    expect(lines).toEqual(['/workspace']);
    expect(end).toEqual(succeeded);
    expect(readFileSync(join(spec.workspaceDir, 'kept'), 'utf8')).toBe('kept\n');
    expect(existsSync(`/tmp/flwd-private-${process.pid}`)).toBe(false);
  });

  test('has only harmless devices', async () => {
    const { lines } = await run('ls /dev');
    expect(lines).toEqual('core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero'.split(' '));
  });

  test('can use common programs, which find names, certificates, libraries and time zones', async () => {
    // A small host lacks some of these files, so its jobs cannot find them.
    const services = existsSync('/etc/services') ? 'getent services https > /dev/null' : '';
    const certificates = existsSync('/etc/ssl/certs') ? '[[ -r /etc/ssl/certs ]]' : '';
    const { end } = await run(`
      getent passwd root > /dev/null; getent hosts localhost > /dev/null
      ${services}
      ${certificates}
      awk 'BEGIN { exit 0 }'; date > /dev/null
      python3 -c 'import ssl, sqlite3, ctypes, multiprocessing; multiprocessing.Lock()'`);
    expect(end).toEqual(succeeded);
  });
});

describe('grants', () => {
  test('show a path of the host at the same path, read-only or writable, and nothing beside it', async () => {
    const host = realpathSync(temporaryFolder());
    for (const name of ['read', 'write', 'beside']) {
      mkdirSync(join(host, name), { mode: 0o777 });
      writeFileSync(join(host, name, 'file'), name);
    }
    const { lines } = await run(
      `cat ${host}/read/file ${host}/write/file; echo
       ls ${host}
       touch ${host}/read/new 2>/dev/null || echo read-only
       ls -d ${host}/write > /dev/null && echo enterable`,
      { read: [join(host, 'read')], write: [join(host, 'write')] },
    );
    expect(lines).toEqual(['readwrite', 'read', 'write', 'read-only', 'enterable']);
  });

  test('to write inside one to read can be used for writing', async () => {
    const host = realpathSync(temporaryFolder());
    mkdirSync(join(host, 'out'));
    chmodSync(join(host, 'out'), 0o777);
    const { end, lines } = await run(`touch ${host}/new 2>/dev/null || echo read-only; touch ${host}/out/new`, {
      read: [host],
      write: [join(host, 'out')],
    });
    expect(end).toEqual(succeeded);
    expect(lines).toEqual(['read-only']);
    expect(existsSync(join(host, 'out', 'new'))).toBe(true);
  });

  test('never show the data dir, even if it is inside a granted path', async () => {
    const host = realpathSync(temporaryFolder());
    mkdirSync(join(host, 'data'));
    writeFileSync(join(host, 'data', 'secret.key'), 'secret');
    writeFileSync(join(host, 'data', 'inner.key'), 'x');
    const masked = [join(host, 'data', 'inner.key'), join(host, 'data'), join(host, 'data')];
    const { lines } = await run(`ls -A ${host}/data; ls ${host}`, { read: [host], masked });
    expect(lines).toEqual(['data']);
  });

  test('keep a job from starting if a path is in the data dir, or a writable path contains it', async () => {
    const host = realpathSync(temporaryFolder());
    mkdirSync(join(host, 'data', 'logs'), { recursive: true });
    writeFileSync(join(host, 'data', 'logs', 'file'), 'a log');
    const masked = [join(host, 'data')];
    const message = 'a path that the job was granted is or contains something that belongs to the server';
    for (const grants of [{ read: [join(host, 'data', 'logs')] }, { write: [host] }, { write: [join(host, 'data')] }]) {
      const { end, lines } = await run('echo started', { ...grants, masked });
      expect({ end, lines }).toEqual({ end: { kind: 'not-started', message }, lines: [] });
    }
  });

  test('keep a job from starting if the path is a link, a pipe or a device', async () => {
    const host = realpathSync(temporaryFolder());
    symlinkSync('/etc', join(host, 'link'));
    symlinkSync(host, join(host, 'above'));
    mkdirSync(join(host, 'folder'));
    execFileSync('mkfifo', [join(host, 'pipe')]);
    const ended = async (path: string) => (await run('echo started', { read: [path] })).end;
    const moved = 'a path that the job was granted has been moved or removed since the run was created';
    const other = 'a path that the job was granted is neither a folder nor a regular file';
    expect(await ended(join(host, 'link'))).toEqual({ kind: 'not-started', message: moved });
    expect(await ended(join(host, 'above', 'folder'))).toEqual({ kind: 'not-started', message: moved });
    expect(await ended(join(host, 'pipe'))).toEqual({ kind: 'not-started', message: other });
    expect(await ended('/dev/null')).toEqual({ kind: 'not-started', message: other });
  });

  test('leave no open descriptor in the job, nor in the server after the end', async () => {
    const host = realpathSync(temporaryFolder());
    const granted = ['a', 'b', 'c'].map((name) => join(host, name));
    for (const path of granted) mkdirSync(path);
    const open = () => readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
    const { end, lines } = await run(`ls -l /proc/self/fd /proc/1/fd 2> /dev/null || true; ls ${host}`, {
      read: granted.slice(0, 2),
      write: granted.slice(2),
    });
    expect(end).toEqual(succeeded);
    expect(lines.slice(-3)).toEqual(['a', 'b', 'c']);
    expect(lines.filter((line) => line.includes(host) && !line.includes('spool'))).toEqual([]);
    expect(open().filter((path) => path.startsWith(host))).toEqual([]);
  });

  test('never show a hidden file, and ignore a hidden file that does not exist', async () => {
    const host = realpathSync(temporaryFolder());
    writeFileSync(join(host, 'secret.key'), 'secret');
    const { lines } = await run(`cat ${host}/secret.key 2> /dev/null || true; ls ${host}`, {
      read: [host],
      masked: [join(host, 'secret.key'), join(host, 'no-such-file')],
    });
    expect(lines).toEqual(['secret.key']);
  });
});

describe('a permissive job', () => {
  test('sees the host read-only, has its own /tmp, and does not see the data dir', async () => {
    const data = mkdtempSync('/var/tmp/flwd-masked-');
    onTestFinished(() => rmSync(data, { recursive: true }));
    writeFileSync(join(data, 'secret.key'), 'secret');
    const ofHost = temporaryFolder();
    const { end, lines, spec } = await run(
      `[[ -e /etc/hosts && -d /var/tmp && ! -e ${ofHost} ]]
       ls -A ${data}
       for path in / /var/tmp /etc /job; do if touch $path/new 2>/dev/null; then echo "wrote to $path"; fi; done
       echo kept > kept; id -u`,
      { profile: 'permissive', masked: [data] },
    );
    expect(end).toEqual(succeeded);
    expect(lines).toEqual([isRoot ? '65534' : String(process.getuid?.())]);
    expect(existsSync(join(spec.workspaceDir, 'kept'))).toBe(true);
  });

  test('has its own pid namespace, but the host’s network', async () => {
    const port = await listen();
    const { lines } = await run(`(exec 9<>/dev/tcp/127.0.0.1/${port}) && echo reached; readlink /proc/self/ns/pid`, {
      profile: 'permissive',
    });
    expect(lines).toEqual(['reached', expect.not.stringContaining(namespaceOfThisProcess('pid'))]);
  });
});

describe('a disabled job', () => {
  test('has the same access to the host as the server’s user, but in a pid namespace', async () => {
    const host = realpathSync(temporaryFolder());
    const { end, lines } = await run(
      `echo new > ${host}/new; id -u; readlink /proc/self/ns/pid; grep CapEff /proc/self/status`,
      { profile: 'disabled' },
    );
    expect(end).toEqual(succeeded);
    expect(readFileSync(join(host, 'new'), 'utf8')).toBe('new\n');
    expect(lines[0]).toBe(String(process.getuid?.()));
    expect(lines[1]).not.toBe(namespaceOfThisProcess('pid'));
    const [capabilities] = /CapEff.*/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    expect(lines[2]).toBe(capabilities);
  });

  test('cannot write beside the host’s folders, where its files would be lost', async () => {
    const { lines } = await run('touch /flwd-new 2> /dev/null || echo refused', { profile: 'disabled' });
    expect(lines).toEqual(['refused']);
  });
});

test('a run shows the isolation in force', () => {
  const common = { pid_namespace: true, no_new_privileges: true };
  const uid = process.getuid?.();
  expect(isolationOf('secure', 'none', true)).toEqual({
    ...common,
    network: 'none',
    filesystem: 'workspace',
    environment: 'clean',
    uid: isRoot ? 65534 : uid,
    namespaces: ['mount', 'pid', ...(isRoot ? [] : ['user']), 'network', 'ipc', 'uts', 'cgroup'],
    user_namespace: !isRoot,
    capabilities: 'none',
    seccomp: 1,
  });
  expect(isolationOf('permissive', 'all', true)).toMatchObject({
    filesystem: 'host-read-only',
    environment: 'passthrough',
    namespaces: ['mount', 'pid', ...(isRoot ? [] : ['user'])],
    seccomp: null,
  });
  expect(isolationOf('disabled', 'all', true)).toMatchObject({
    filesystem: 'host',
    environment: 'server',
    uid,
    capabilities: isRoot ? 'server' : 'none',
    seccomp: null,
  });
});

function namespaceOfThisProcess(name: string): string {
  return readlinkSync(`/proc/self/ns/${name}`);
}

async function listen(): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

/** The target of a descriptor that may be closed by now. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
