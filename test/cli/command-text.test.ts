// The commands that flwd suggests to type next.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { bin, createFolder, flwd, start } from './terminal.ts';

test('a suggested command works when it is pasted, and uses the same instance', async () => {
  const parent = createFolder();
  const job = bash('echo "all is well" > report.txt', { artifacts: { paths: ['report.txt'] } });
  await createInstance({ ship: job }, {}, join(parent, "Ada's flwd"));
  const instance = ['--config', "Ada's flwd/flwd.yaml", '--data-dir', "Ada's flwd/data", '--jobs', "Ada's flwd/jobs"];
  const { stderr } = await flwd(parent, 'run', 'ship', ...instance);
  const quoted = instance.map((word) => (word.startsWith('--') ? word : `'${word.replace("'", "'\\''")}'`)).join(' ');
  const [, artifact] = /^artifact report.txt: (flwd artifacts get artifact_\w+ .*)$/m.exec(stderr) ?? [];
  const [, run] = /^run_\w+: (flwd runs run_\w+ .*)$/m.exec(stderr) ?? [];
  expect(artifact?.endsWith(` ${quoted}`)).toBe(true);

  const typed = `flwd() { "$NODE" "$FLWD" "$@"; }; ${artifact} && cat report.txt && ${run}`;
  const env = { PATH: process.env.PATH, HOME: parent, NODE: process.execPath, FLWD: bin };
  const { stdout } = await promisify(execFile)('bash', ['-c', typed], { cwd: parent, env });
  expect(stdout).toMatch(/^report\.txt\nall is well\nrun +run_\w+\n/);
});

test.each([
  ['npx flwd', { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'flwd' }],
  ['flwd', { npm_lifecycle_event: 'npx', npm_lifecycle_script: "'flwd-watch'" }],
  ['flwd', { npm_lifecycle_event: 'start', npm_lifecycle_script: 'flwd serve' }],
])('suggestions begin with %s if npm sets %o', async (name, env) => {
  const { dir } = await createInstance({});
  expect((await start(dir, ['jobs', '--config=flwd.yaml'], env).ended).stderr).toBe(
    `no jobs in ${join(dir, 'jobs')}; ${name} init jobs/hello --config flwd.yaml creates one\n`,
  );
});

test.each([
  [['run'], 'npx flwd run needs a job: npx flwd run JOB; npx flwd jobs lists the jobs\n'],
  [
    ['check'],
    /^there is no command `check`: npx flwd jobs validate DIR checks jobs, .*, npx flwd doctor checks the host\n$/,
  ],
  [['runs'], /: npx flwd serve or a first npx flwd run creates one; /],
  [['secrets', 'rm'], 'missing operand: npx flwd secrets rm NAME; npx flwd secrets list shows the names\n'],
])('after npx flwd %j, an error names commands with npx', async (words, said) => {
  const npx = { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'flwd' };
  const { stderr } = await start(createFolder(), words, npx).ended;
  expect(stderr).toMatch(said);
});

test('after npx flwd takeover, the plan names commands with npx', async () => {
  const { dir, serve } = await createInstance({});
  await serve();
  const npx = { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'flwd' };
  expect((await start(dir, ['takeover', '--dry-run'], npx).ended).stderr).toBe(
    'No job here was imported from a crontab: npx flwd import crontab imports the lines.\n',
  );
});
