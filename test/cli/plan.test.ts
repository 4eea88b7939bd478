import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createInstance } from './an-instance.ts';
import { flwd, flwdReading } from './terminal.ts';

test('a plan shows when, how often and how long each step runs, with sizes in readable units', async () => {
  const config = {
    permissions: { resources: { memory: '1536MiB' } },
    steps: [
      { id: 'build', command: ['true'], matrix: { node: [22, 24] }, retry: { limit: 2 }, timeout: '10m' },
      { id: 'ship', command: ['true'], needs: ['build'], if: 'steps.build.status == "success"', retry: { limit: 1 } },
      { id: 'tidy', command: ['true'], needs: ['ship'], always: true, foreach: '["a", "b"]' },
    ],
  };
  const { dir } = await createInstance({ release: { 'config.yaml': JSON.stringify(config) } });
  const { stdout, code } = await flwd(dir, 'plan', 'release');
  expect(code).toBe(0);
  expect(stdout).toContain(
    [
      'steps      build; once for each combination of {"node":[22,24]}; retried 2 times; for at most 10m',
      '           ship after build; if steps.build.status == "success"; retried once',
      '           tidy after ship; once for each item of ["a", "b"]; always',
      '',
    ].join('\n'),
  );
  expect(stdout).toMatch(/^limits .*memory 1\.5 GiB/m);
});

test('a plan says which limits this host cannot enforce', async () => {
  const config = { command: ['true'], permissions: { resources: { cpu: 0.5, memory: '1GiB' } } };
  const { dir } = await createInstance({ busy: { 'config.yaml': JSON.stringify(config) } });
  const { limits } = JSON.parse((await flwd(dir, 'plan', 'busy', '--json')).stdout);
  const shown =
    limits.cpu.by === 'none' ? '0.5 cores (this host cannot enforce it), memory 1 GiB' : '0.5 cores, memory 1 GiB';
  expect((await flwd(dir, 'plan', 'busy')).stdout).toContain(`limits     ${shown}`);
});

test('a plan says where the run asks for an approval, and under which condition a step may ask for one', async () => {
  const config = {
    steps: [
      { id: 'review', approval: { text: 'Is it read?' } },
      { id: 'build', command: ['true'], needs: ['review'] },
      { id: 'ask', approval: { text: 'Go on?' }, needs: ['build'], if: 'steps.build.status == "success"' },
    ],
  };
  const { dir } = await createInstance({ release: { 'config.yaml': JSON.stringify(config) } });
  const { stdout, code } = await flwd(dir, 'plan', 'release');
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(
    'it would start at once; it asks for an approval at review; ' +
      'it may ask for an approval at ask, if steps.build.status == "success"',
  );
});

test('a plan names the channels of the job that flwd.yaml does not have', async () => {
  const config = { command: ['true'], notify: [{ channel: 'team' }] };
  const { dir } = await createInstance({ backup: { 'config.yaml': JSON.stringify(config) } });
  const { stderr, code } = await flwd(dir, 'plan', 'backup');
  expect(code).toBe(0);
  expect(stderr).toContain("warning: the server has no channel 'team', which the job notifies");
});

test('a plan names each path in an argument that the sandbox would not show, and the permission that shows it', async () => {
  const path = { type: 'string', format: 'path' };
  const config = {
    command: ['true'],
    argspec: { type: 'object', properties: { src: path, dest: path, log: path, tool: path } },
    permissions: { read: [{ arg: 'dest' }] },
  };
  const { dir } = await createInstance({ mirror: { 'config.yaml': JSON.stringify(config) } });
  const plan = (...words: string[]) => flwd(dir, 'plan', 'mirror', ...words);
  expect(await plan('--src', '/home/nina/www', '--log', 'out.log', '--tool', '/usr/bin/tar')).toMatchObject({
    code: 0,
    stderr:
      'warning: the sandbox does not show /home/nina/www (src) to the job: if the host has it, allow it with ' +
      '`permissions: {read: [{arg: src}]}` in config.yaml (`write` if the job changes it); the operator must list the path ' +
      'in `security.paths` of flwd.yaml\n',
  });
  expect((await plan('--dest', '/etc/hosts')).stderr).not.toContain('warning: the sandbox');
});

test('a plan of a workflow names each step whose job lacks a stored secret', async () => {
  const argspec = { type: 'object', properties: { password: { type: 'string', format: 'secret' } } };
  const { dir } = await createInstance({
    dump: { 'config.yaml': JSON.stringify({ command: ['true'], argspec }) },
    upload: { 'config.yaml': JSON.stringify({ command: ['true'], env: { KEY: { secret: 'bucket' } } }) },
    copy: { 'config.yaml': JSON.stringify({ steps: [{ id: 'send', job: 'upload' }] }) },
    nightly: {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'dump', job: 'dump', args: { password: { secret: 'pg' } } },
          { id: 'copy', job: 'copy', needs: ['dump'] },
        ],
      }),
    },
  });
  const lacks = (name: string): string =>
    `would fail: There is no stored secret '${name}': store it with \`flwd secrets set ${name}\`.\n`;
  const without = await flwd(dir, 'plan', 'nightly');
  expect(without).toMatchObject({
    code: 0,
    stderr: `warning: the step 'dump' ${lacks('pg')}warning: the step 'send' of 'copy' ${lacks('bucket')}`,
  });
  await flwdReading(dir, 'a-long-password', 'secrets', 'set', 'pg');
  await flwdReading(dir, 'a-long-key', 'secrets', 'set', 'bucket');
  expect(await flwd(dir, 'plan', 'nightly')).toMatchObject({ code: 0, stderr: '' });
});

test('a plan names the granted paths that the user of the job cannot use', async () => {
  const data = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(data, { recursive: true }));
  const [closed, shut, open] = ['closed', 'shut', 'open'].map((name) => join(data, name));
  for (const [path = '', mode] of [[closed, 0o500] as const, [shut, 0o300] as const, [open, 0o777] as const]) {
    mkdirSync(path);
    chmodSync(path, mode);
  }
  const config = { command: ['true'], permissions: { read: [shut], write: [closed, open] } };
  const { dir } = await createInstance(
    { backup: { 'config.yaml': JSON.stringify(config) } },
    { security: { paths: [data] } },
  );
  const { stderr, code } = await flwd(dir, 'plan', 'backup');
  expect(code).toBe(0);
  const change = 'it: change them, or set `run_as` in config.yaml';
  expect(stderr.replaceAll(/uid \d+/g, 'uid N')).toBe(
    `warning: the owner and mode of ${shut} do not let uid N read ${change}\n` +
      `warning: the owner and mode of ${closed} do not let uid N write to ${change}\n`,
  );
});

test('a plan without the required secrets is shown and says which ones are missing', async () => {
  const secret = { type: 'string', format: 'secret' };
  const argspec = {
    type: 'object',
    required: ['token', 'region'],
    properties: { token: secret, key: { ...secret, maxLength: 6 }, region: { type: 'string' } },
  };
  const { dir } = await createInstance({
    deploy: { 'config.yaml': JSON.stringify({ command: ['true'], argspec }) },
    short: { 'config.yaml': JSON.stringify({ command: ['true'], argspec: { ...argspec, required: ['key'] } }) },
  });
  const missing = '--token is missing: --token.file FILE, --token.env NAME or --token.stored NAME\n';
  const seen = await flwd(dir, 'plan', 'deploy', '--region', 'eu');
  expect(seen).toMatchObject({ code: 2, stderr: missing });
  expect(seen.stdout).toContain('arguments  {"region":"eu"}\n');
  expect(seen.stdout).toMatch(/^secrets {4}token$/m);
  expect(seen.stdout).toMatch(/\nwith the missing secrets, it would start at once\n$/);
  const json = await flwd(dir, 'plan', 'deploy', '--region', 'eu', '--json');
  expect(json).toMatchObject({ code: 2, stderr: missing });
  expect(JSON.parse(json.stdout)).toMatchObject({ job_id: 'deploy', args: { region: 'eu' } });
  expect(JSON.parse(json.stdout).args).not.toHaveProperty('token');

  const both = await flwd(dir, 'plan', 'deploy');
  expect(both).toEqual({ code: 2, stdout: '', stderr: `${missing}--region is missing: --region TEXT\n` });
  // flwd knows no placeholder that fits this secret, so it cannot make the plan without a value.
  const short = await flwd(dir, 'plan', 'short');
  expect(short).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^--key is missing: .*\n$/) });
  const given = await flwd(dir, 'plan', 'deploy', '--region', 'eu', '--token.env', 'PATH');
  expect(given).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nit would start at once\n$/) });
});
