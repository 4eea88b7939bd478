import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFolder, flwd, type Started, start } from './terminal.ts';

const scopes = ['--scopes', 'runs:read,jobs:read'];

function createInstance(o: { readonly bind?: string; readonly auth?: { readonly mode: string } } = {}): string {
  const dir = createFolder();
  const { bind = '127.0.0.1:0', ...sections } = o;
  const all = { instance: { data_dir: './data' }, server: { bind }, sources: [], ...sections };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(all));
  return dir;
}

async function serve(dir: string, ...args: readonly string[]): Promise<Started & { url: string }> {
  const started = start(dir, ['serve', ...args]);
  const [, url = ''] = await started.prints(/listening on (\S+)/);
  return { ...started, url };
}

const ask = (url: string, token?: string, path = '/jobs') =>
  fetch(`${url}/api/v1${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });

const made = async (dir: string, ...args: readonly string[]): Promise<string> => {
  const { code, stdout } = await flwd(dir, 'tokens', 'create', ...args);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^flwd_[0-9A-Z]{26}_[0-9a-f]{64}\n$/)]);
  return stdout.trim();
};

test.each(['stopped', 'running', 'required'])(
  'on a %s instance tokens are created, listed and revoked',
  async (state) => {
    const dir = createInstance(state === 'required' ? { auth: { mode: 'required' } } : {});
    const server = state === 'stopped' ? undefined : await serve(dir);
    const created = await flwd(
      dir,
      'tokens',
      'create',
      '--name',
      'ci',
      ...scopes,
      '--tenant',
      'acme',
      '--expires',
      '90d',
    );
    expect(created).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^flwd_\w+\n$/),
      stderr: expect.stringMatching(
        /^token_\w{26} \(ci\) of tenant acme, expires 20\S+Z; flwd does not show it again\n$/,
      ),
    });
    const { url } = server ?? (await serve(dir));
    const token = created.stdout.trim();
    expect((await ask(url, token)).status).toBe(200);

    const listed = await flwd(dir, 'tokens', 'list');
    const [heading, row = ''] = listed.stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(heading).toEqual([
      'ID',
      'NAME',
      'TENANT',
      'STATUS',
      'CREATED',
      'BY',
      'EXPIRES',
      'LAST USED',
      'SCOPES',
      'LIMITS',
    ]);
    expect(row).toEqual([
      expect.stringMatching(/^token_/),
      'ci',
      'acme',
      'active',
      expect.stringMatching(/^20\S+Z$/),
      'local',
      expect.stringMatching(/^20\S+Z$/),
      expect.stringMatching(/^(never|20\S+Z)$/),
      'runs:read,jobs:read',
    ]);
    const [id = ''] = row;
    const revoke = () => flwd(dir, 'tokens', 'revoke', id);
    expect(await flwd(dir, 'tokens', 'revoke', 'ci')).toEqual({ code: 0, stdout: '', stderr: `revoked ${id} (ci)\n` });
    expect(await flwd(dir, 'tokens', 'revoke', 'ci')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'no active token is named ci; flwd tokens list shows revoked and expired ones\n',
    });
    expect(await revoke()).toEqual({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^${id} was already revoked, 20\\S+Z\n$`)),
    });
    expect((await ask(url, token)).status).toBe(401);
  },
);

describe('each error is explained, and its exit code names its kind', () => {
  const create = (dir: string, ...args: readonly string[]) => flwd(dir, 'tokens', 'create', ...args);
  const wrong = (stderr: unknown) => ({ code: 2, stdout: '', stderr });
  const tooShort = wrong('--expires must be a duration such as `90d`, between `1m` and `3650d`\n');

  test('without an instance', async () => {
    const dir = createInstance();
    expect(await create(dir, '--name', 'a')).toEqual(wrong(expect.stringContaining('--name and --scopes')));
    expect(await create(dir, '--name', 'a', '--scopes', 'run:read')).toEqual(
      wrong('--scopes: unknown scope `run:read`; did you mean `runs:read`?\n'),
    );
    expect(await flwd(dir, 'tokens', 'revoke')).toEqual(wrong(expect.stringContaining('flwd tokens revoke ID')));
    for (const args of [['list'], ['revoke', 'token_x']])
      expect(await flwd(dir, 'tokens', ...args)).toEqual({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(/^there is no flwd instance in \S+ yet: /),
      });
    expect(existsSync(join(dir, 'data'))).toBe(false);
    expect(await create(dir, '--name', 'a', ...scopes, '--expires', '1s')).toEqual(tooShort);
  });

  test('with a server', async () => {
    const dir = createInstance();
    await serve(dir);
    expect(await create(dir, '--name', 'a', ...scopes, '--expires', '1s')).toEqual(tooShort);
    expect(await create(dir, '--name', 'a b', ...scopes)).toEqual(wrong(expect.stringMatching(/^--name must /)));
    expect(await create(dir, '--name', 'local', ...scopes)).toEqual(
      wrong('--name is reserved for callers without a token; choose another name\n'),
    );
    expect(await create(dir, '--name', 'ci', ...scopes)).toMatchObject({ code: 0 });
    expect(await create(dir, '--name', 'ci', ...scopes)).toEqual(
      wrong("--name 'ci' is already the name of a token: choose another one, or revoke that token first\n"),
    );
    expect(await flwd(dir, 'tokens', 'revoke', 'token_x')).toEqual({
      code: 3,
      stdout: '',
      stderr: "There is no token 'token_x'.\n",
    });
  });
});

test('a remote instance can be managed with a token that has the scope, and refuses all other tokens', async () => {
  const dir = createInstance();
  const { url } = await serve(dir);
  const admin = await made(dir, '--name', 'ops', '--scopes', 'admin', '--tenant', '*', '--quiet');
  const reader = await made(dir, '--name', 'reader', ...scopes);
  const asked = (token: string, ...args: readonly string[]) =>
    start(createFolder(), [...args, '--remote', url], { FLWD_TOKEN: token }).ended;
  const json = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await asked(admin, ...args, '--json')).stdout);

  expect(await json('tokens', 'create', '--name', 'ci', ...scopes)).toMatchObject({
    name: 'ci',
    created_by: 'ops',
    token: expect.stringMatching(/^flwd_/),
  });
  const names = ['ci', 'reader', 'ops'].map((name) => ({ name }));
  expect(await json('tokens', 'list')).toMatchObject({ tokens: names, total: 3, next_cursor: null });
  expect(await json('secrets', 'list')).toEqual({ secrets: [], missing: [], total: 0, next_cursor: null });
  expect(await json('gc')).toMatchObject({ done: true, removed: { runs: 0 } });
  const where =
    'Set the token in FLWD_TOKEN, or in `remotes: {NAME: {auth: {token_file: …}}}` of flwd.yaml, with --remote NAME.\n';
  expect(await asked('flwd_wrong', 'jobs')).toMatchObject({ code: 4, stderr: `The credential is not valid. ${where}` });
  expect(await asked(reader, 'gc')).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('admin') });
});

test('gc asks a server that requires tokens', async () => {
  const dir = createInstance({ auth: { mode: 'required' } });
  const { url } = await serve(dir);
  expect((await ask(url)).status).toBe(401);
  expect(await flwd(dir, 'gc')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed nothing/) });
});

test('cli.token is private to its user, new at each start, and removed when the server stops', async () => {
  const dir = createInstance({ auth: { mode: 'required' } });
  const file = join(dir, 'data/cli.token');
  const first = await serve(dir);
  const token = readFileSync(file, 'utf8').trim();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await ask(first.url, token, '/tokens')).status).toBe(200);
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await serve(dir);
  expect(readFileSync(file, 'utf8').trim()).not.toBe(token);
  expect((await ask(second.url, token)).status).toBe(401);
  second.child.kill('SIGTERM');
  await second.ended;
  expect(existsSync(file)).toBe(false);
});

test('a server beyond loopback needs a token to start, and refuses callers without one', async () => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
  const dir = createInstance({ bind: `${address ?? '0.0.0.0'}:0` });
  const refused = await flwd(dir, 'serve');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('no token exists, so nobody could log in. Create a token: flwd tokens create');
  const token = await made(dir, '--name', 'first', ...scopes);
  const { url } = await serve(dir);
  if (address) expect((await ask(url)).status).toBe(401);
  expect((await ask(url, token)).status).toBe(200);
  const { hostname, port } = new URL(url);
  expect((await fetch(`http://${hostname}:${port}/healthz`)).status).toBe(204);
  expect(await flwd(dir, 'tokens', 'list')).toMatchObject({ code: 0, stdout: expect.stringContaining('first') });
});

test('a token is limited to jobs, and made for an agent', async () => {
  const dir = createInstance();
  const limits = ['--only', 'reports/**', '--only', 'tag:agent', '--secrets', 'a,b', '--agent', '--approval', 'always'];
  const limited = await flwd(dir, 'tokens', 'create', '--name', 'claude', ...scopes, ...limits);
  expect(limited).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /^warning: --only reports\/\*\* matches no job now\nwarning: --only tag:agent matches no job now\ntoken_/,
    ),
  });
  await made(dir, '--name', 'plain', ...scopes);
  expect((await flwd(dir, 'tokens', 'list')).stdout).toMatch(
    /claude.*agent, each run waits for a person, only reports\/\*\* tag:agent, secrets a b/,
  );
  expect(JSON.parse((await flwd(dir, 'tokens', 'list', '--json')).stdout)).toMatchObject({
    tokens: [
      { name: 'plain', only: null, secrets: null, agent: false, approval: null },
      { name: 'claude', only: ['reports/**', 'tag:agent'], secrets: ['a', 'b'], agent: true, approval: 'always' },
    ],
  });
  const create = (...args: readonly string[]) => flwd(dir, 'tokens', 'create', '--name', 'odd', ...args);
  expect(await create('--scopes', 'runs:read,kv:read', '--only', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('`kv:read` does not concern single jobs'),
  });
  expect(await create('--scopes', 'runs:approve', '--agent')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('`runs:approve` is never given to an agent'),
  });
  expect(await create(...scopes, '--approval', 'never')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--approval: use always'),
  });
});

test('serve says that an address belongs to another machine, and does not advise to create a token', async () => {
  expect(await flwd(createInstance({ bind: '203.0.113.9:8033' }), 'serve')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: 'cannot listen on 203.0.113.9:8033: this machine has no such address; choose another address with --bind\n',
  });
});

test('a revoked or expired token is not enough for a server beyond loopback', async () => {
  const dir = createInstance({ bind: '0.0.0.0:0' });
  const token = await made(dir, '--name', 'gone', ...scopes);
  await flwd(dir, 'tokens', 'revoke', `token_${token.split('_')[1]}`);
  expect((await flwd(dir, 'serve')).code).toBe(2);
});

test('with auth.mode none everyone is the operator, and the log warns', async () => {
  const dir = createInstance({ bind: '0.0.0.0:0', auth: { mode: 'none' } });
  const { url, prints } = await serve(dir);
  await prints(/auth\.mode is none: anyone who reaches the server may do everything/);
  await prints(/listening on \S+ \(0\.0\.0\.0:0, reachable from other machines\)/);
  await prints(/without TLS: tokens are sent unencrypted/);
  expect((await ask(url, undefined, '/tokens')).status).toBe(200);
  expect((await ask(url, 'flwd_x')).status).toBe(401);
});

test('serve --dev has a token that everyone knows, and the log warns', async () => {
  const dir = createInstance({ auth: { mode: 'required' } });
  const { url, prints, child, ended } = await serve(dir, '--dev');
  await prints(/--dev: the token dev-token allows everything/);
  expect((await ask(url)).status).toBe(401);
  expect((await ask(url, 'dev-token', '/tokens')).status).toBe(200);
  child.kill('SIGTERM');
  await ended;
  const plain = await serve(dir);
  expect((await ask(plain.url, 'dev-token')).status).toBe(401);
});

test('a token revoked after a backup works again after its restore, and flwd restore says so', async () => {
  const dir = createInstance();
  const token = await made(dir, '--name', 'kept', ...scopes);
  const backup = join(createFolder(), 'backup');
  expect((await flwd(dir, 'backup', backup)).code).toBe(0);
  await flwd(dir, 'tokens', 'revoke', `token_${token.split('_')[1]}`);
  const { stdout } = await flwd(dir, 'restore', backup, '--force');
  expect(stdout).toContain('tokens as they were at that time: 1; revoke again any that you have revoked since\n');
  const { url } = await serve(dir);
  expect((await ask(url, token)).status).toBe(200);
});
