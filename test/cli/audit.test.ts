import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createInstance } from './an-instance.ts';
import { auditEntries, createFolder, flwd, start } from './terminal.ts';

test('a server records its start and stop; if it was killed, the next one records that', async () => {
  const { dir, serve } = await createInstance({});
  await (await serve()).stop();
  const { child, ended, prints } = start(dir, ['serve']);
  await prints(/listening on/);
  child.kill('SIGKILL');
  await ended;
  await (await serve()).stop();

  const rows = await auditEntries(dir);
  expect(rows.map(({ action, detail }) => [action, detail?.before])).toEqual([
    ['server.stop', undefined],
    ['server.start', 'was killed'],
    ['server.start', undefined],
    ['server.stop', undefined],
    ['server.start', undefined],
  ]);
  expect(rows.at(-1)).toMatchObject({
    actor: { kind: 'system', name: 'system:server' },
    tenant: '*',
    object: { kind: 'instance', id: null },
    detail: {
      version: expect.any(String),
      bind: '127.0.0.1:0',
      auth: 'auto',
      allow_profiles: ['secure', 'permissive'],
    },
  });
});

test('with a running server, flwd audit prints entries newest first, one per line, and filters them', async () => {
  const { dir, serve } = await createInstance({});
  const served = await serve();
  await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read');
  await served.fetch('/runs/run_x/cancel', { method: 'POST' });
  await expect
    .poll(async () => (await auditEntries(dir)).map(({ action }) => action))
    .toEqual(['run.cancel', 'token.create', 'server.start']);
  const { stdout } = await flwd(dir, 'audit');
  expect(stdout.split('\n')).toEqual([
    expect.stringMatching(/^ID {2}AT +RESULT +ACTION +WHO +TENANT +OBJECT +WHY +DETAIL$/),
    expect.stringMatching(
      /^ 3 {2}20\S+Z {2}refused {2}run.cancel +local \(127.0.0.1\) {2}\S+ +run_x +run-not-found {2}\{/,
    ),
    expect.stringMatching(
      /^ 2 {2}20\S+Z {2}done {5}token.create +local \(127.0.0.1\) {2}default +token_\w+ {2}- +\{"name":"ci",/,
    ),
    expect.stringMatching(/^ 1 {2}20\S+Z {2}done {5}server.start +system:server +\* +instance +- +\{"version":/),
    '',
  ]);
  const actions = async (...args: readonly string[]) => (await auditEntries(dir, ...args)).map(({ action }) => action);
  expect(await actions('--action', 'token.create')).toEqual(['token.create']);
  expect(await actions('--actor', 'system:server')).toEqual(['server.start']);
  expect(await actions('--object', 'run_x')).toEqual(['run.cancel']);
  expect(await actions('--result', 'done', '--limit', '1')).toEqual(['token.create']);
  expect(await actions('--since', '1h', '--limit', '2')).toHaveLength(2);
  expect(await flwd(dir, 'audit', '--since', '2999-01-01T00:00:00Z')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'no entries\n',
  });
  await served.stop();
});

test('without a server, flwd audit reads the database and filters by tenant and time', async () => {
  const { dir, serve } = await createInstance({});
  await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read', '--tenant', 'acme');
  await (await serve()).stop();
  const actions = async (...args: readonly string[]) => (await auditEntries(dir, ...args)).map(({ action }) => action);
  expect(await actions('--tenant', 'acme')).toEqual(['token.create']);
  expect(await actions('--tenant', '*', '--until', '2999-01-01T00:00:00Z')).toEqual(['server.stop', 'server.start']);
  expect(await actions('--until', '2001-01-01T00:00:00Z')).toEqual([]);
  expect(await flwd(dir, 'audit', '--actor', 'nobody')).toEqual({ code: 0, stdout: '', stderr: 'no entries\n' });
});

test('changes that the operator makes without a server are recorded under the name `local`', async () => {
  const { dir, serve } = await createInstance({});
  await (await serve()).stop();
  await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read', '--tenant', 'acme');
  const [made] = await auditEntries(dir);
  const id = made?.object?.id ?? '';
  await flwd(dir, 'tokens', 'revoke', id);
  await flwd(dir, 'gc');
  await flwd(dir, 'gc', '--dry-run');
  const backup = join(createFolder(), 'backup');
  await flwd(dir, 'backup', backup);
  expect((await flwd(dir, 'restore', '--force', backup)).code).toBe(0);

  const rows = await auditEntries(dir, '--actor', 'local');
  expect(rows.map(({ action, tenant, object, from }) => [action, tenant, object?.id, from])).toEqual([
    ['restore', '*', null, null],
    ['gc', '*', null, '127.0.0.1'],
    ['token.revoke', 'acme', id, '127.0.0.1'],
    ['token.create', 'acme', id, '127.0.0.1'],
  ]);
  expect(made?.detail).toMatchObject({ name: 'ci', scopes: ['runs:read'] });
  expect(JSON.stringify(rows)).not.toMatch(/flwd_/);
  expect(await flwd(dir, 'audit', 'verify')).toMatchObject({ code: 0 });
});

test('verify prints the last hash and detects a change, with and without a server', async () => {
  const { dir, dataDir, serve } = await createInstance({});
  const served = await serve();
  const seen =
    /^verified 1 entry, 1 \(20\S+Z\) to 1 \(20\S+Z\): nothing was changed or removed\nentry 1, the last one, has the hash [0-9a-f]{64}\n$/;
  expect(await flwd(dir, 'audit', 'verify')).toEqual({ stdout: expect.stringMatching(seen), stderr: '', code: 0 });
  await served.stop();

  const file = new DatabaseSync(join(dataDir, 'flwd.db'));
  file.exec("DROP TRIGGER audit_keeps; UPDATE audit SET origin = '10.0.0.1' WHERE id = 2");
  file.close();
  expect(await flwd(dir, 'audit', 'verify')).toMatchObject({
    stdout: expect.stringMatching(/^intact: 1 entry, 1 \(20\S+Z\) to 1 \(20\S+Z\)\n$/),
    stderr: 'the audit log is damaged at entry 2: its hash does not match its content and the entry before it\n',
    code: 1,
  });
});

test.each([
  [['--action', 'token.crate'], '--action does not take `token.crate`; did you mean `token.create`?'],
  [['--result', 'x'], '--result does not take `x`; use one of done, refused, failed'],
  [
    ['--since', 'soon'],
    '--since soon is neither a time such as 2026-01-31T12:00:00Z, nor a day such as 2026-01-31, today or yesterday, nor an age such as 2d',
  ],
  [['--limit', '0'], '--limit 0 is not a number of at least 1'],
])('invalid options are refused: %j', async (args, message) => {
  const { dir } = await createInstance({});
  expect(await flwd(dir, 'audit', ...args)).toEqual({ stdout: '', stderr: `${message}\n`, code: 2 });
});

test('flwd audit does not create an instance', async () => {
  const { dir, dataDir } = await createInstance({});
  const seen = {
    stdout: '',
    stderr: expect.stringContaining(`there is no flwd instance in ${dataDir} yet`),
    code: 3,
  };
  expect(await flwd(dir, 'audit')).toEqual(seen);
  expect(await flwd(dir, 'audit', 'verify')).toEqual(seen);
  expect(existsSync(dataDir)).toBe(false);
});

test('on a remote server, the token decides which entries are visible', async () => {
  const { dir } = await createInstance({});
  const { prints } = start(dir, ['serve']);
  const [, url = ''] = await prints(/listening on (\S+)/);
  const token = async (name: string, scopes: string) =>
    (await flwd(dir, 'tokens', 'create', '--name', name, '--scopes', scopes, '--quiet')).stdout.trim();
  const auditor = await token('auditor', 'audit:read');
  const reader = await token('reader', 'runs:read');
  const asked = (FLWD_TOKEN: string) =>
    start(createFolder(), ['audit', '--remote', url, '--json'], { FLWD_TOKEN }).ended;
  const { code, stdout } = await asked(auditor);
  expect(code).toBe(0);
  expect(stdout).toMatch(/"action":"token.create"/);
  expect(stdout).not.toMatch(/server.start/);
  expect(await asked(reader)).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('audit:read') });
});
