import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createInstance } from './an-instance.ts';
import { createFolder, flwd, start } from './terminal.ts';

function createProject(yaml: string): string {
  const dir = createFolder();
  writeFileSync(join(dir, 'flwd.yaml'), yaml);
  return dir;
}

describe('flwd config validate', () => {
  test('says that a good file is valid', async () => {
    const dir = createProject('instance: { name: prod }\nsources: []\n');
    expect(await flwd(dir, 'config', 'validate')).toEqual({ code: 0, stdout: 'flwd.yaml is valid\n', stderr: '' });
    expect(await flwd(dir, ':config', 'validate', '--config', 'flwd.yaml')).toMatchObject({ code: 0 });
  });

  test('prints every error as file:line:column, and exits with 2', async () => {
    const dir = createProject('server:\n  bind: 127.0.0.1:8080\n  bdoy_limit: 1MiB\nauth: { mode: nobody }\n');
    expect(await flwd(dir, 'config', 'validate')).toEqual({
      code: 2,
      stdout: '',
      stderr: `flwd.yaml:3:3: unknown key \`bdoy_limit\`; did you mean \`body_limit\`?
flwd.yaml:4:15: \`auth.mode\` must be one of \`auto\`, \`none\`, \`required\`, not \`nobody\`
`,
    });
  });

  test('notes an extension that has no effect', async () => {
    const dir = createProject('extensions: { enabled: [tui, maint] }\n');
    expect(await flwd(dir, 'config', 'validate')).toEqual({
      code: 0,
      stdout: 'flwd.yaml is valid\n',
      stderr: 'flwd: flwd.yaml:1:24: the extension `maint` is accepted but has no effect\n',
    });
  });

  test('prints notes together with errors, so that one look shows everything', async () => {
    const dir = createProject('extensions: { enabled: [maint] }\nserver: { bdoy_limit: 1MiB }\n');
    expect(await flwd(dir, 'config', 'validate')).toEqual({
      code: 2,
      stdout: '',
      stderr: `flwd: flwd.yaml:1:24: the extension \`maint\` is accepted but has no effect
flwd.yaml:2:11: unknown key \`bdoy_limit\`; did you mean \`body_limit\`?
`,
    });
  });

  test('warns about a variable that sets no key', async () => {
    const { ended } = start(createProject(''), ['config', 'validate'], { FLWD_SERVER_BNID: 'x' });
    expect(await ended).toEqual({
      code: 0,
      stdout: 'flwd.yaml is valid\n',
      stderr: 'flwd: ignoring the variable FLWD_SERVER_BNID, which sets no key; did you mean FLWD_SERVER_BIND?\n',
    });
  });
});

test('a command that runs a job without a server warns about a variable that sets no key', async () => {
  const dir = createFolder();
  await flwd(dir, 'init', 'jobs/hello');
  const { ended } = start(dir, ['run', 'hello'], { FLOWD_POLICY_FILE: 'x' });
  expect(await ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('flwd: ignoring the variable FLOWD_POLICY_FILE: there are no policy files'),
  });
});

describe('flwd config show', () => {
  test('says if the running server was started in another folder', async () => {
    const { dir, serve } = await createInstance({});
    const { stop } = await serve();
    const other = createProject(`instance: { data_dir: ${join(dir, 'data')} }\n`);
    const { stdout, stderr } = await flwd(other, 'config', 'show');
    expect(stdout).toContain('# flwd.yaml\n');
    expect(stderr).toBe(
      `flwd: the running server has other settings: its jobs are in ${join(dir, 'jobs')}. It was started in another folder, or ` +
        'before the settings changed; to give it the settings above, restart it here\n',
    );
    expect(await flwd(dir, 'config', 'show')).toMatchObject({ code: 0, stderr: '' });
    symlinkSync(join(dir, 'jobs'), join(dir, 'link'));
    expect(await flwd(dir, 'config', 'show', '--jobs', 'link')).toMatchObject({ code: 0, stderr: '' });
    await stop();
    expect(await flwd(other, 'config', 'show')).toMatchObject({ code: 0, stderr: '' });
  });

  test('prints each setting and its origin', async () => {
    const dir = createProject(
      'instance:\n  name: prod\n  data_dir: ./.data\nremotes: { a: { base_url: "http://a" } }\n',
    );
    const { ended } = start(dir, ['config', 'show', '--bind', '127.0.0.1:99', '--jobs', './'], {
      FLWD_SERVER_SYNC_WAIT: '5s',
      FLOWD_LOGGING_LEVEL: 'warn',
    });
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(lines[0]).toEqual(['# flwd.yaml']);
    for (const line of [
      ['instance.name', 'prod', 'flwd.yaml:2'],
      ['instance.data_dir', join(dir, '.data'), 'flwd.yaml:3'],
      ['persistence.db_path', join(dir, '.data/flwd.db'), 'default'],
      ['sources[0].path', dir, '--jobs'],
      ['server.bind', '127.0.0.1:99', '--bind'],
      ['server.sync_wait', '5s', 'FLWD_SERVER_SYNC_WAIT'],
      ['logging.level', 'warn', 'FLOWD_LOGGING_LEVEL'],
      ['security.allow_profiles', '["secure","permissive"]', 'default'],
      ['remotes.a.base_url', 'http://a', 'flwd.yaml:4'],
      ['scheduler.job_concurrency', '-', 'default'],
    ]) {
      expect(lines).toContainEqual(line);
    }
  });

  test('keeps the settings of one source together and leaves out keys of other source types', async () => {
    const dir = createFolder();
    const { stdout } = await flwd(dir, 'config', 'show', '--jobs', '.', '--jobs', '/usr');
    const keys = stdout.split('\n').flatMap((line) => /^sources\[\S+/.exec(line)?.[0] ?? []);
    const each = ['name', 'type', 'path', 'mountPath', 'watch', 'trusted'];
    expect(keys).toEqual([0, 1].flatMap((at) => each.map((key) => `sources[${at}].${key}`)));
  });

  test('a long list does not widen the lines of the other settings', async () => {
    const dir = createFolder();
    const paths = Array.from({ length: 20 }, (_, at) => `/srv/folder-${at}`);
    writeFileSync(join(dir, 'flwd.yaml'), `security: { paths: [${paths.join(', ')}] }`);
    const { stdout } = await flwd(dir, 'config', 'show');
    const [name] = stdout.split('\n').filter((line) => line.startsWith('instance.name'));
    expect(name?.length).toBeLessThan(130);
    expect(stdout).toContain('/srv/folder-19');
  });

  test('shows what the jobs of an untrusted source may use', async () => {
    const dir = createFolder();
    const source = 'sources: [{ path: ., mountPath: ext, trusted: false, secrets: [key] }]';
    writeFileSync(join(dir, 'flwd.yaml'), source);
    const { stdout } = await flwd(dir, 'config', 'show');
    const keys = stdout.split('\n').flatMap((line) => /^sources\[0\]\.(\S+)/.exec(line)?.[1] ?? []);
    expect(keys).toEqual(
      expect.arrayContaining(['trusted', 'secrets', 'schedules', 'webhooks', 'notify', 'calls', 'kv']),
    );
  });

  test('prints the errors of an invalid file and exits with 2', async () => {
    expect(await flwd(createFolder(), 'config', 'show', '--config', 'none.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'none.yaml: cannot be read: no such file\n',
    });
  });
});
