// API reference, Authentication: the security profiles, as a job finds them.

import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap', 'python3');

// A folder of the host that any user may read. Not in /tmp, which is private to each run.
const shared = await mkdtemp('/var/tmp/flwd-shared-');
await chmod(shared, 0o755);
await mkdir(join(shared, 'granted'), { mode: 0o777 });
await chmod(join(shared, 'granted'), 0o777);
await writeFile(join(shared, 'granted', 'data.txt'), 'granted data');
await mkdir(join(shared, 'private'));
await writeFile(join(shared, 'private', 'data.txt'), 'private data');
await symlink(join(shared, 'private'), join(shared, 'granted', 'way-out'));

const look = `
import json, os, socket
def readable(path):
    try:
        return open(path, "rb").read(40) != b""
    except OSError:
        return False
def writable(path):
    try:
        open(path, "w").close()
        os.remove(path)
        return True
    except OSError:
        return False
def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False
def environs():
    found = "".join(f"{k}={v}\\n" for k, v in os.environ.items())
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += open(f"/proc/{pid}/environ").read()
        except OSError:
            pass
    return found
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
args = json.load(open(os.environ["FLWD_ARGS_FILE"]))
json.dump({
    "reads": [path for path in args["read"] if readable(path)],
    "exists": [path for path in args["read"] if os.path.lexists(path)],
    "writes": [path for path in args["write"] if writable(path)],
    "connects": connects(args["port"]),
    "interfaces": sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]),
    "canaries": [name for name in ("CANARY_PASSED", "CANARY_KEPT") if name in environs()],
    "uid": os.getuid(),
    "capabilities": int(status["CapEff"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "processes": len([pid for pid in os.listdir("/proc") if pid.isdigit()]),
    "root": sorted(os.listdir("/")),
}, open(os.environ["FLWD_RESULT_FILE"], "w"))
`;
const argspec = {
  type: 'object',
  properties: {
    read: { type: 'array', items: { type: 'string' }, default: [] },
    write: { type: 'array', items: { type: 'string' }, default: [] },
    port: { type: 'integer', default: 1 },
  },
};
const targeted = { type: 'object', required: ['target'], properties: { target: { type: 'string', format: 'path' } } };

const server = await startServer({
  jobs: {
    secure: python(look, { argspec }),
    permissive: python(look, { argspec, security_profile: 'permissive' }),
    disabled: python(look, { argspec, security_profile: 'disabled' }),
    marks: bash('for place in /tmp /workspace; do if [ -e "$place/mark" ]; then exit 9; fi; touch "$place/mark"; done'),
    networked: python(look, { argspec, permissions: { network: 'all' } }),
    reader: bash('cat "$target/data.txt"; ! touch "$target/new"', {
      argspec: targeted,
      permissions: { read: [{ arg: 'target' }] },
    }),
    writer: bash('echo written > "$target/out.txt"', {
      argspec: targeted,
      permissions: { write: [{ arg: 'target' }] },
    }),
    copier: bash('true', {
      argspec: { type: 'object', properties: { from: { type: 'string' }, to: { type: 'string' } } },
      permissions: { read: [{ arg: 'from' }, { arg: 'to' }], write: [{ arg: 'to' }] },
    }),
    greedy: bash('true', { permissions: { read: ['/root'] } }),
  },
  config: {
    security: {
      allow_profiles: ['secure', 'permissive', 'disabled'],
      paths: [join(shared, 'granted')],
      profiles: { permissive: { env_passthrough: ['CANARY_PASSED'] } },
    },
  },
  env: { CANARY_PASSED: 'yes', CANARY_KEPT: 'no' },
});
afterAll(async () => {
  await server.close();
  await rm(shared, { recursive: true });
});
const { port } = new URL(server.url);

describe('a secure job', () => {
  const forbidden = ['/etc/shadow', '/root/.bashrc', '/proc/1/root/etc/shadow', join(shared, 'private', 'data.txt')];

  test('sees no network, no file of the host, no variable of the server, and has no privilege', async () => {
    const read = [...forbidden, join(server.dataDir, 'secret.key'), join(server.root, 'flwd.yaml'), '/usr/bin/env'];
    const write = [
      '/new',
      '/usr/new',
      '/etc/new',
      '/job/new',
      '/tmp/new',
      '/workspace/new',
      '/dev/new',
      '/run/flwd/in/new',
    ];
    const run = await server.run('secure', { read, write, port: Number(port) });
    expect(run).toMatchObject({ status: 'success' });
    expect(run.result?.value).toMatchObject({
      reads: ['/usr/bin/env'],
      exists: ['/usr/bin/env'],
      writes: ['/tmp/new', '/workspace/new'],
      connects: false,
      interfaces: ['lo'],
      canaries: [],
      capabilities: 0,
      no_new_privileges: 1,
      root: expect.not.arrayContaining(['root', 'home', 'srv', 'mnt', 'media', 'boot']),
    });
    expect(run.result?.value.uid).not.toBe(0);
    expect(run.result?.value.processes).toBeLessThan(8);
  });

  test('the run shows its isolation', async () => {
    const run = await server.run('secure');
    expect(run).toMatchObject({
      security: {
        profile: 'secure',
        isolation: {
          pid_namespace: true,
          network: 'none',
          filesystem: 'workspace',
          environment: 'clean',
          no_new_privileges: true,
          uid: run.result?.value.uid,
        },
      },
      grants: [],
    });
  });

  test('/tmp and the workspace are private to a run', async () => {
    expect(await server.run('marks')).toMatchObject({ status: 'success' });
    expect(await server.run('marks')).toMatchObject({ status: 'success' });
  });

  test('a granted path is available, read-only or writable, and the run shows the grant', async () => {
    const granted = join(shared, 'granted');
    const reading = await server.run('reader', { target: granted });
    expect(reading).toMatchObject({ status: 'success', grants: [{ kind: 'read', path: granted }] });
    expect(await server.messages(reading.run_id)).toContain('granted data');
    expect(await server.run('writer', { target: granted })).toMatchObject({
      status: 'success',
      grants: [{ kind: 'write', path: granted }],
    });
    expect(await readFile(join(granted, 'out.txt'), 'utf8')).toBe('written\n');
  });

  test('all missing paths are reported at once', async () => {
    const args = { from: join(shared, 'granted', 'gone'), to: join(shared, 'granted', 'lost') };
    const create = `create it first (a folder with \`mkdir -p ${args.to}\`), or let the job write to a folder above it`;
    const response = await server.fetch('/runs', { body: { job_id: 'copier', args } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [
        { pointer: '/args/from', message: `'${args.from}' does not exist on this host`, keyword: 'path' },
        { pointer: '/args/to', message: `'${args.to}' does not exist on this host: ${create}`, keyword: 'path' },
      ],
    });
  });

  test('a network grant opens only the network', async () => {
    const run = await server.run('networked', { read: forbidden, port: Number(port) });
    expect(run).toMatchObject({
      result: { value: { reads: [], connects: true, canaries: [] } },
      grants: [{ kind: 'network' }],
      security: { isolation: { network: 'all', filesystem: 'workspace' } },
    });
  });

  test.each([
    ['outside security.paths', join(shared, 'private')],
    ['with .. out of them', `${shared}/granted/../private`],
    ['through a link out of them', join(shared, 'granted', 'way-out')],
    ['whose name merely begins like them', `${join(shared, 'granted')}-not`],
    ['of the whole host', '/'],
    ['of the data dir', server.dataDir],
  ])('a path %s gets 422 grant-not-allowed', async (_what, target) => {
    const response = await server.fetch('/runs', { body: { job_id: 'reader', args: { target } } });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ type: 'https://flowd.org/problems/grant-not-allowed' });
  });

  test('a fixed path that the instance does not grant is refused too', async () => {
    const response = await server.fetch('/runs', { body: { job_id: 'greedy' } });
    expect(response.status).toBe(422);
  });
});

describe('a permissive job', () => {
  test('reads the host, writes only to its workspace, and gets the allowed variables', async () => {
    const data = join(shared, 'private', 'data.txt');
    const run = await server.run('permissive', {
      read: [data, join(server.dataDir, 'secret.key'), '/etc/hostname'],
      write: [join(shared, 'granted', 'new'), '/new', '/workspace/new', '/job/new'],
      port: Number(port),
    });
    expect(run.result?.value).toMatchObject({
      reads: [data, '/etc/hostname'],
      writes: ['/workspace/new'],
      connects: true,
      canaries: ['CANARY_PASSED'],
      no_new_privileges: 1,
    });
    expect(run).toMatchObject({
      security: {
        profile: 'permissive',
        isolation: { network: 'all', filesystem: 'host-read-only', environment: 'passthrough', pid_namespace: true },
      },
    });
  });
});

describe('a disabled job', () => {
  test('gets the host and the environment of the server, but in a pid namespace', async () => {
    const file = join(shared, 'granted', 'new');
    const run: RunAnswer = await server.run('disabled', { write: [file], port: Number(port) });
    expect(run.result?.value).toMatchObject({
      writes: [file],
      connects: true,
      canaries: ['CANARY_PASSED', 'CANARY_KEPT'],
    });
    expect(run).toMatchObject({
      security: { profile: 'disabled', isolation: { network: 'all', filesystem: 'host', environment: 'server' } },
    });
  });
});
