// `flwd init`: a new job that runs as it is.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd, start } from './terminal.ts';

test('flwd init creates a job that runs, and suggests the next commands', async () => {
  const dir = createFolder();
  expect(await flwd(dir, 'init', 'jobs/hello')).toEqual({
    stdout: 'jobs/hello/config.yaml\njobs/hello/main.sh\njobs/hello/tests.yaml\n',
    stderr: 'next:\n  flwd hello\n  flwd hello --help\n  flwd test hello\n',
    code: 0,
  });
  const seen = await flwd(dir, 'hello', '--who', 'Ada', '--also', 'Bo', '--times', '2', '--style', 'loud');
  expect(seen).toMatchObject({
    stdout: 'names: 2, times: 2\nHELLO, ADA.\nHELLO, BO.\nHELLO, ADA.\nHELLO, BO.\n',
    code: 0,
  });
  expect(seen.stderr).toContain('result: {"greetings":4}\nartifact greetings.txt');
});

test.each(['bash', 'python', 'node'])('a new job in %s passes its own tests', async (language) => {
  const dir = createFolder();
  await flwd(dir, 'init', 'jobs/ops/hello', '--language', language, '--name', 'Say "hi": #1');
  expect(await flwd(dir, 'test', '--json')).toMatchObject({ stderr: '2 passed\n', code: 0 });
  expect(JSON.parse((await flwd(dir, 'jobs', 'ops/hello', '--json')).stdout)).toMatchObject({
    id: 'ops/hello',
    title: 'Say "hi": #1',
  });
});

test('a new job in pwsh is valid; if PowerShell is missing, its run says what to install', async () => {
  const dir = createFolder();
  await flwd(dir, 'init', 'jobs/hello', '-l', 'pwsh');
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({ stdout: '1 job is valid\n', code: 0 });
  const seen = await flwd(dir, 'run', 'hello');
  expect(seen.code).toBe(1);
  expect(seen.stderr).toContain(
    'pwsh cannot be started: there is no such program on this host; install PowerShell 7: https://aka.ms/install-powershell',
  );
});

test('flwd init overwrites nothing', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/hello/main.sh': 'mine\n' });
  expect(await flwd(dir, 'init', 'jobs/hello')).toEqual({
    stdout: '',
    stderr: 'jobs/hello/main.sh already exists: nothing was written\n',
    code: 2,
  });
  expect(readdirSync(join(dir, 'jobs/hello'))).toEqual(['main.sh']);
  expect(readFileSync(join(dir, 'jobs/hello/main.sh'), 'utf8')).toBe('mine\n');
});

test('flwd init names the job relative to the source that contains it', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'work/scripts'), { recursive: true });
  writeFiles(dir, { 'flwd.yaml': 'sources: [{path: work/scripts, mountPath: ops}]\n' });
  const inside = await flwd(dir, 'init', 'work/scripts/a/hello');
  expect(inside.stderr).toBe('next:\n  flwd ops/a/hello\n  flwd ops/a/hello --help\n  flwd test ops/a/hello\n');
  const outside = await flwd(dir, 'init', 'elsewhere/hello');
  expect(outside).toMatchObject({
    stderr:
      'elsewhere/hello is in none of the configured sources (work/scripts): add its folder to flwd.yaml, or name it with --jobs\n' +
      'next:\n  flwd --jobs elsewhere hello\n  flwd --jobs elsewhere hello --help\n  flwd test hello --jobs elsewhere\n',
    code: 0,
  });
  expect(await flwd(dir, 'test', 'hello', '--jobs', 'elsewhere')).toMatchObject({ code: 0 });
  const { stdout } = await flwd(dir, 'init', 'work/scripts/jobs/x', '--json');
  expect(JSON.parse(stdout)).toEqual({
    id: 'ops/jobs/x',
    source: 'scripts',
    files: ['config.yaml', 'main.sh', 'tests.yaml'].map((name) => `work/scripts/jobs/x/${name}`),
  });
});

test('in a checkout, where flwd is called as npx flwd, suggestions begin with npx', async () => {
  const seen = await start(createFolder(), ['init', 'jobs/hello'], {
    npm_lifecycle_event: 'npx',
    npm_lifecycle_script: "'flwd'",
  }).ended;
  expect(seen.stderr).toBe('next:\n  npx flwd hello\n  npx flwd hello --help\n  npx flwd test hello\n');
});

test('a job with the name of a command is run with flwd run', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'jobs'));
  expect((await flwd(dir, 'init', 'jobs/backup')).stderr).toContain('\n  flwd run backup\n');
});

test.each([
  [[], 'missing operand: flwd init PATH, as in flwd init jobs/hello\n'],
  [['a', 'b'], 'unexpected word `b`: flwd init PATH, as in flwd init jobs/hello\n'],
  [['a', '--data-dir', 'x'], 'flwd init takes no --data-dir: it does not work on an instance\n'],
  [['jobs/a', '-l', 'perl'], '--language does not take `perl`; use one of bash, python, node, pwsh\n'],
  [['jobs/a b'], "nothing was written:\nconfig.yaml:1 the folder name `a b` cannot be part of a job's id: "],
])('flwd init %j is a usage error', async (words, message) => {
  const dir = createFolder();
  const seen = await flwd(dir, 'init', ...words);
  expect(seen.stderr.slice(0, message.length)).toBe(message);
  expect(seen.code).toBe(2);
  expect(readdirSync(dir)).toEqual([]);
});
