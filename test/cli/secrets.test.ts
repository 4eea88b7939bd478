import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTerminal } from '../tui/a-terminal.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { bin, flwd, flwdReading, start } from './terminal.ts';

const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const rot13 = 'tr a-zA-Z n-za-mN-ZA-M';
const jobs = {
  shows: bash(`${rot13} < "$FLWD_SECRETS_DIR/token"`, { argspec }),
  waits: bash(`echo ready; until [ -e "$GO" ]; do sleep 0.05; done; ${rot13} < "$FLWD_SECRETS_DIR/token"`, {
    argspec,
    env: { GO: '/workspace/go' },
    retry: { limit: 1, delay: '0s' },
  }),
};
const anInstance = (sections: Readonly<Record<string, unknown>> = {}) => createInstance(jobs, sections);
const set = ({ dir }: Instance, input: string | Buffer, ...args: readonly string[]) =>
  flwdReading(dir, input, 'secrets', 'set', ...args);
const keyLines = ({ dataDir }: Instance) => readFileSync(join(dataDir, 'secret.key'), 'utf8').trim().split('\n');

/** The ids of the keys that encrypt the stored data. */
function keysInUse({ dataDir }: Instance): string[] {
  const database = new DatabaseSync(join(dataDir, 'flwd.db'), { readOnly: true });
  const sealed = ['secrets', 'run_plans', 'steps'].flatMap((table) =>
    database.prepare(`SELECT sealed FROM ${table} WHERE sealed IS NOT NULL`).all(),
  );
  database.close();
  return [...new Set(sealed.map(({ sealed: text }) => String(text).split('.').slice(0, -1).join('.')))];
}

describe.each(['stopped', 'running', 'required'])('on a %s instance', (state) => {
  const sections = state === 'required' ? { auth: { mode: 'required' } } : {};

  test('secrets are set, listed and removed', async () => {
    const instance = await createInstance({}, sections);
    if (state !== 'stopped') await start(instance.dir, ['serve']).prints(/listening on/);
    expect(await set(instance, 'hunter-22\n', 'registry')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'stored registry of tenant default\n',
    });
    await set(instance, 'hunter-23', 'theirs', '--tenant', 'acme');
    const { stdout } = await flwd(instance.dir, 'secrets', 'list');
    expect(stdout).toMatch(
      /^NAME {6}TENANT {3}USED BY {2}UPDATED {19}BY\nregistry {2}default {2}nothing {2}20\S+Z {2}local\n$/,
    );
    expect((await flwd(instance.dir, 'secrets', 'list', '--quiet')).stdout).toMatch(
      /^registry {2}default {2}nothing {2}20\S+Z {2}local\n$/,
    );
    expect((await flwd(instance.dir, 'secrets', 'list', '--tenant', 'acme')).stdout).toMatch(/\ntheirs /);
    const rm = () => flwd(instance.dir, 'secrets', 'rm', 'registry');
    expect(await rm()).toEqual({ code: 0, stdout: '', stderr: 'removed registry\n' });
    expect(await rm()).toEqual({ code: 3, stdout: '', stderr: "The secret 'registry' does not exist\n" });
  });
});

test('an invalid secret is refused without repeating it', async () => {
  const instance = await createInstance({});
  await start(instance.dir, ['serve']).prints(/listening on/);
  const refused = [
    await set(instance, 'abc\n', 'short'),
    await set(instance, 'x'.repeat(65_537), 'long'),
    await set(instance, Buffer.from([0x66, 0xff, 0x6f, 0x6f]), 'bytes'),
    await set(instance, 'some value', '../name'),
    await set(instance, 'some value'),
    await set(instance, 'some value', 'a', 'some value'),
    await set(instance, 'some value', 'a', '--tenant', 'No Tenant'),
  ];
  expect(refused.map(({ code, stdout }) => [code, stdout])).toEqual(refused.map(() => [2, '']));
  expect(refused[0]?.stderr).toBe('the value of short must have at least 4 bytes\n');
  expect(refused.map(({ stderr }) => stderr).join('')).not.toMatch(/abc|xxx|some value/);
  expect(await flwd(instance.dir, 'secrets', 'list')).toEqual({ code: 0, stdout: '', stderr: 'no secrets\n' });
});

test('if a webhook loses one of its secrets, flwd says which other secret its deliveries may still use', async () => {
  const webhooks = [{ name: 'push', scheme: 'github', secret: ['new-1', 'old-1'] }];
  const instance = await createInstance({ 'site/deploy': bash('true', { webhooks }) });
  const server = await instance.serve();
  onTestFinished(() => server.stop());
  for (const name of ['new-1', 'old-1']) await set(instance, 'hunter-22', name);
  const { dir } = instance;
  const taken = 'still takes deliveries signed with new-1';
  expect((await flwd(dir, 'secrets', 'rm', 'old-1', '--yes')).stderr).toBe(
    `removed old-1\nuntil it is stored again, these lack it: config.yaml of site/deploy\nwebhook site/deploy/push ${taken}\n`,
  );
  const lack = 'lacks the secret old-1: flwd secrets set old-1';
  expect((await flwd(dir, 'webhooks')).stdout).toContain(` ${lack}; ${taken}\n`);
  expect((await flwd(dir, 'doctor')).stdout).toContain(` site/deploy/push lacks the secret old-1, and ${taken}\n`);

  expect((await flwd(dir, 'secrets', 'rm', 'new-1', '--yes')).stderr).not.toContain('still takes');
  expect((await flwd(dir, 'webhooks')).stdout).toContain(` ${lack}\n`);
  expect((await flwd(dir, 'doctor')).stdout).not.toContain('still takes');
});

test('the list and the removal of a secret name the channels, webhooks and telemetry that use it', async () => {
  const url = 'http://127.0.0.1:4318';
  const instance = await createInstance(
    { hello: bash('true') },
    {
      notify: { channels: { team: { type: 'slack', url: { secret: 'shared-1' } } } },
      telemetry: { otlp: { endpoint: url, headers: { authorization: { secret: 'shared-1' } } } },
    },
  );
  const server = await instance.serve();
  onTestFinished(() => server.stop());
  for (const name of ['shared-1', 'key-1', 'lonely-1']) await set(instance, 'hunter-22', name);
  const added = await flwd(
    instance.dir,
    'webhooks',
    'add',
    'hello',
    '--name',
    'push',
    '--scheme',
    'github',
    '--secret',
    'key-1',
  );
  expect(added).toMatchObject({ code: 0 });
  const { stdout } = await flwd(instance.dir, 'secrets', 'list');
  expect(stdout).toMatch(/^key-1 +default +webhook hello\/push /m);
  expect(stdout).toMatch(/^lonely-1 +default +nothing /m);
  expect(stdout).toMatch(/^shared-1 +default +channel team, telemetry /m);
  expect(await flwd(instance.dir, 'secrets', 'rm', 'shared-1')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'standard input is not a terminal, so flwd cannot ask: ' +
      'add --yes to remove shared-1, which these use: channel team, telemetry\n',
  });
  expect((await flwd(instance.dir, 'secrets', 'list')).stdout).toMatch(/^shared-1 /m);
  expect(await flwd(instance.dir, 'secrets', 'rm', 'shared-1', '--yes')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'removed shared-1\nuntil it is stored again, these lack it: channel team, telemetry\n',
  });
  const body = JSON.stringify({ name: 'of-tenant', scopes: ['secrets:write', 'jobs:read'], tenant: 'default' });
  const headers = { 'content-type': 'application/json' };
  await set(instance, 'hunter-22', 'shared-1');
  const answer = await (await server.fetch('/tokens', { method: 'POST', headers, body })).text();
  const created: { token: string } = JSON.parse(answer);
  const shown = await server.fetch('/secrets', { headers: { authorization: `Bearer ${created.token}` } });
  expect(await shown.json()).toMatchObject({
    secrets: [{ also_used_by: ['webhook hello/push'] }, { also_used_by: [] }, { name: 'shared-1', also_used_by: [] }],
  });
});

test('the list names the secrets that jobs use but nobody has stored', async () => {
  const uses = (...names: readonly string[]) =>
    bash('true', { env: Object.fromEntries(names.map((secret, at) => [`KEY_${at}`, { secret }])) });
  const instance = await createInstance({ deploy: uses('registry', 'ssh-key'), restart: uses('ssh-key', 'mail') });
  await set(instance, 'hunter-22', 'registry');
  const { code, stdout, stderr } = await flwd(instance.dir, 'secrets', 'list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^NAME .*\nregistry {2}default {2}1 job .*\n$/);
  expect(stderr).toBe('mail is not stored, but restart uses it\nssh-key is not stored, but deploy, restart use it\n');
});

describe('at a terminal', () => {
  async function typed({ dir }: Instance, first: string, second: string): Promise<string> {
    const terminal = await openTerminal();
    await terminal.type(`cd ${dir}; clear; ${process.execPath} ${bin} secrets set registry\n`);
    await terminal.sees(/^registry:$/m);
    await terminal.type(`${first}\n`);
    await terminal.sees(/^registry, again:$/m);
    await terminal.type(`${second}\n`);
    await terminal.sees(/\] ready>$/);
    return (await terminal.screen()).replace(/^.*secrets set registry\n/, '');
  }

  testWith('tmux')('flwd asks for the value twice and never shows it', async () => {
    const instance = await createInstance({});
    expect(await typed(instance, 'hunter-22', 'hunter-22')).toBe(
      'registry:\nregistry, again:\nstored registry of tenant default\n[0] ready>',
    );
    const { stdout: listed } = await flwd(instance.dir, 'secrets', 'list', '--json');
    expect(JSON.parse(listed)).toMatchObject({ total: 1, secrets: [{ name: 'registry', tenant: 'default' }] });
  });

  testWith('tmux')('two different values are not stored', async () => {
    const instance = await createInstance({});
    expect(await typed(instance, 'hunter-22', 'hunter-23')).toBe(
      'registry:\nregistry, again:\nthe two values differ; nothing was stored\n[2] ready>',
    );
    expect(existsSync(instance.dataDir)).toBe(false);
  });
});

testWith('bwrap')('one line is stored without its newline, a file of several lines as it is', async () => {
  const instance = await anInstance();
  await set(instance, 'one line\r\n', 'line');
  await set(instance, 'Key\nbody of it\n', 'file');
  const served = await instance.serve();
  const shown = async (name: string) =>
    served.messages((await served.run('shows', { token: { secret: name } })).run_id);
  expect(await shown('line')).toEqual(['bar yvar']);
  expect(await shown('file')).toEqual(['Xrl', 'obql bs vg']);
  await served.stop();
});

describe('a new key', () => {
  testWith('bwrap')('encrypts stored secrets and those of runs, and the old key is removed', async () => {
    const instance = await anInstance();
    // The old format of the key file: 32 bytes.
    mkdirSync(instance.dataDir, { mode: 0o700 });
    writeFileSync(join(instance.dataDir, 'secret.key'), Buffer.alloc(32, 7), { mode: 0o600 });
    await set(instance, 'hunter-22', 'registry');
    const served = await instance.serve();
    const before = await served.run('shows', { token: { secret: 'registry' } });
    const [old] = keysInUse(instance);

    const { stdout, stderr, code } = await flwd(instance.dir, 'secrets', 'rotate');
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout).toMatch(
      /^encrypted with the new key [0-9a-f]{12}: 1 stored secrets, 1 runs, 0 steps\nthe old key was removed here; older backups still need it\n$/,
    );
    const [now, ...others] = keysInUse(instance);
    expect(others).toEqual([]);
    expect(now).not.toBe(old);
    expect(keyLines(instance)).toEqual([expect.stringMatching(/^fsk_/), expect.stringMatching(/^ffk_/)]);

    const again = async () => {
      const answer = await served.fetch(`/runs/${before.run_id}/rerun`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
      await served.finished(runId);
      return served.messages(runId);
    };
    expect(await again()).toEqual(['uhagre-22']);
    await served.stop();

    const alone = await flwd(instance.dir, 'secrets', 'rotate');
    expect(alone.stdout).toMatch(/: 1 stored secrets, 2 runs, 0 steps\n/);
    const anew = await instance.serve();
    const { run_id: runId } = await anew.run('shows', { token: { secret: 'registry' } });
    expect(await anew.messages(runId)).toEqual(['uhagre-22']);
    await anew.stop();
  });

  testWith('bwrap')('does not affect a running run', async () => {
    const instance = await anInstance();
    const served = await instance.serve();
    const runId = await served.start('waits', { token: 'hunter-22' });
    await expect.poll(() => served.messages(runId)).toEqual(['ready']);
    expect((await flwd(instance.dir, 'secrets', 'rotate')).code).toBe(0);
    await served.stop();
    // A server that has only the new key resumes the run, and still redacts its output.
    const anew = await instance.serve();
    writeFileSync(join(instance.dataDir, 'runs', runId, 'workspace', 'go'), '');
    expect(await anew.finished(runId)).toMatchObject({ status: 'success' });
    expect(await anew.messages(runId)).toEqual(['ready', 'uhagre-22']);
    await anew.stop();
  });

  test('written by a rotation that was interrupted is used by the next rotation', async () => {
    const instance = await createInstance({});
    await set(instance, 'hunter-22', 'registry');
    const [old = ''] = keyLines(instance);
    const added = `fsk_${Buffer.alloc(32, 9).toString('base64url')}`;
    writeFileSync(join(instance.dataDir, 'secret.key'), `${added}\n${old}\n`);
    await set(instance, 'hunter-23', 'sealed-by-the-new');
    expect(keysInUse(instance)).toHaveLength(2);

    const { stdout } = await flwd(instance.dir, 'secrets', 'rotate');
    expect(stdout).toMatch(/: 1 stored secrets, 0 runs, 0 steps\nthe old key was removed/);
    expect(keyLines(instance)[0]).toBe(added);
    expect(keyLines(instance)).not.toContain(old);
    expect(keysInUse(instance)).toHaveLength(1);
  });
});

describe('keys in the environment', () => {
  const first = `fsk_${Buffer.alloc(32, 1).toString('base64')}`;
  const second = `fsk_${Buffer.alloc(32, 2).toString('base64')}`;
  const withKeys = (instance: Instance, keys: string, ...args: readonly string[]) =>
    start(instance.dir, args, { FLWD_SECRET_KEY: keys }).ended;

  test('replace the file, and rotation encrypts with the first one', async () => {
    const instance = await createInstance({});
    const served = start(instance.dir, ['serve'], { FLWD_SECRET_KEY: first });
    await served.prints(/listening on/);
    expect((await flwd(instance.dir, 'secrets', 'rotate')).stdout).toMatch(
      /: 0 stored secrets, 0 runs, 0 steps\nthere is no second key, and flwd cannot change the keys in FLWD_SECRET_KEY: put a new key in front/,
    );
    expect(existsSync(join(instance.dataDir, 'secret.key'))).toBe(false);
    await set(instance, 'hunter-22', 'registry');
    served.child.kill('SIGTERM');
    await served.ended;
    const rotated = await withKeys(instance, `${second},${first}`, 'secrets', 'rotate');
    expect(rotated.stdout).toMatch(
      /: 1 stored secrets, 0 runs, 0 steps\nonly the first key is still in use, but flwd cannot change the keys in FLWD_SECRET_KEY: remove the other keys there/,
    );
    expect(keysInUse(instance)).toHaveLength(1);
  });

  test('are required: if they are missing, no key file is created instead', async () => {
    const instance = await createInstance({});
    await set(instance, 'hunter-22', 'registry');
    const [key = ''] = keyLines(instance);
    rmSync(join(instance.dataDir, 'secret.key'));
    for (const args of [['serve'], ['secrets', 'list'], ['secrets', 'rotate']]) {
      expect(await flwd(instance.dir, ...args)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(
          /^the key file \S+secret.key is missing, but the database holds secrets encrypted with it \(1\); put the key file back, or set FLWD_SECRET_KEY [^\n]+\n$/,
        ),
      });
    }
    expect(existsSync(join(instance.dataDir, 'secret.key'))).toBe(false);
    expect((await withKeys(instance, key, 'secrets', 'list')).stdout).toContain('registry');
  });

  test('are refused if they are invalid, and never printed', async () => {
    const instance = await createInstance({});
    const { code, stderr } = await withKeys(instance, 'my-own-passphrase', 'secrets', 'list');
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('FLWD_SECRET_KEY: `persistence.secret_key` must be keys'),
    ]);
    expect(stderr).not.toContain('passphrase');
  });

  test('are refused in flwd.yaml, which jobs in the profile disabled can read', async () => {
    const instance = await createInstance({}, { persistence: { secret_key: first } });
    const { code, stderr } = await flwd(instance.dir, 'secrets', 'list');
    expect([code, stderr]).toEqual([2, expect.stringContaining('set FLWD_SECRET_KEY instead')]);
    expect(stderr).not.toContain(first);
  });

  testWith('bwrap')('are hidden from jobs of every profile', async () => {
    const disabled = { security: { allow_profiles: ['secure', 'permissive', 'disabled'] } };
    const instance = await createInstance(
      {
        open: bash('env; cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n" || true', { security_profile: 'disabled' }),
      },
      disabled,
    );
    const served = start(instance.dir, ['serve'], { FLWD_SECRET_KEY: first, SHOWN_VARIABLE: 'shown' });
    const [, url] = await served.prints(/listening on (\S+)/);
    await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/open`)).status).toBe(200);
    const run = await fetch(`${url}/api/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job_id: 'open', async: false }),
    });
    const { run_id: runId, status }: { run_id: string; status: string } = JSON.parse(await run.text());
    const log = await (await fetch(`${url}/api/v1/runs/${runId}/logs?limit=10000`)).text();
    expect([status, log]).toEqual(['success', expect.stringContaining('SHOWN_VARIABLE=shown')]);
    expect(log).not.toMatch(/SECRET_KEY|fsk_/);
  });
});

testWith('bwrap')('a lost key makes only its own secrets unreadable, and flwd says so', async () => {
  const instance = await createInstance(jobs);
  await set(instance, 'hunter-22', 'registry');
  writeFileSync(join(instance.dataDir, 'secret.key'), `fsk_${Buffer.alloc(32, 5).toString('base64')}\n`);
  const warned = start(instance.dir, ['serve']);
  await warned.prints(/listening on/);
  warned.child.kill('SIGTERM');
  const { stdout, stderr } = await warned.ended;
  expect(stdout + stderr).toMatch(
    /warn {2}some stored secrets or runs are encrypted with a key that this server does not have: add the key [^\n]+ runs=0 secrets=1\n/,
  );
  const served = await instance.serve();
  const answer = await served.fetch('/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job_id: 'shows', args: { token: { secret: 'registry' } } }),
  });
  expect([answer.status, await answer.json()]).toMatchObject([
    422,
    { detail: expect.stringContaining("The stored secret 'registry' cannot be opened: its key is not among") },
  ]);
  await served.stop();
  await set(instance, 'hunter-23', 'registry');
  const anew = await instance.serve();
  const { run_id: runId } = await anew.run('shows', { token: { secret: 'registry' } });
  expect(await anew.messages(runId)).toEqual(['uhagre-23']);
  await anew.stop();
});

test.each(['secret.key', 'notify.key'])('a server whose %s cannot be read says so in one line', async (name) => {
  const instance = await createInstance({});
  mkdirSync(join(instance.dataDir, name), { recursive: true, mode: 0o700 });
  const { code, stderr } = await flwd(instance.dir, 'serve');
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(new RegExp(`^the key file \\S+/${name} is a folder: [^\n]+\n$`)),
  ]);
});
