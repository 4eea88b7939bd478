// `flwd jobs validate`, for authors of jobs and their CI.

import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

const good = 'command: ["true"]\n';
const broken = 'command: ["true"]\ntimeut: 3\ntags: x\n';

test('jobs validate prints each error with its place, and exits with 2', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/good/config.yaml': good, 'jobs/ops/bad/config.yaml': broken });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '1 job is valid, 1 broken\n',
    stderr:
      'jobs/ops/bad/config.yaml:2:1: unknown key `timeut`: did you mean `timeouts`?\n' +
      'jobs/ops/bad/config.yaml:3:7: `tags` must be a list, not a string\n',
    code: 2,
  });
});

test('jobs validate warns about a path that no run can be granted', async () => {
  const dir = createFolder();
  const config = 'command: ["true"]\npermissions:\n  read: [/srv, /]\n  write: [/run/]\n';
  writeFiles(dir, {
    'jobs/wide/config.yaml': config,
    'jobs/open/config.d/config.yaml': `${config}security_profile: permissive\n`,
  });
  const why = (path: string, profile: string) =>
    `\`${path}\` cannot be granted as a whole, so a run in the profile \`${profile}\` is refused: name the folders in it\n`;
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '2 jobs are valid\n',
    stderr:
      `warning: jobs/open/config.d/config.yaml:4:11: ${why('/run/', 'permissive')}` +
      `warning: jobs/wide/config.yaml:3:16: ${why('/', 'secure')}` +
      `warning: jobs/wide/config.yaml:4:11: ${why('/run/', 'secure')}`,
    code: 0,
  });
});

test('jobs validate accepts a job or a folder of jobs, exits with 0 if they are valid, and creates no instance', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/good/config.yaml': good, 'jobs/better/config.yaml': good, 'flwd.yaml': 'no: [such key\n' });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs', 'jobs/good')).toEqual({
    stdout: '3 jobs are valid\n',
    stderr: '',
    code: 0,
  });
  expect(existsSync(join(dir, '.local'))).toBe(false);
});

test('jobs validate exits with 3 if a folder contains no jobs, and says what a job is', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'my jobs/readme.txt': '', 'jobs/good/config.yaml': good, 'bad/config.yaml': broken });
  const none = (folder: string, quoted = folder) =>
    `no jobs in ${folder}: each job is a folder with a config.yaml, such as ${folder}/hello/config.yaml; ` +
    `flwd init ${quoted} creates one\n`;
  const stderr = none('my jobs', "'my jobs/hello'");
  expect(await flwd(dir, 'jobs', 'validate', 'my jobs')).toEqual({ stdout: '', stderr, code: 3 });
  expect(await flwd(dir, 'jobs', 'validate', 'my jobs', 'jobs')).toEqual({
    stdout: '1 job is valid\n',
    stderr,
    code: 3,
  });
  expect(await flwd(dir, 'jobs', 'validate', 'my jobs', 'bad')).toMatchObject({ code: 2 });
  expect(await flwd(dir, 'jobs', 'validate', '--json', 'my jobs')).toEqual({
    stdout: '{"valid":[],"invalid":[],"warnings":[]}\n',
    stderr,
    code: 3,
  });
});

test('jobs validate also finds errors in tests.yaml', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/a/config.yaml': good, 'jobs/a/tests.yaml': '- name: one\n  expects: {status: success}\n' });
  const seen = await flwd(dir, 'jobs', 'validate', 'jobs');
  expect(seen.stderr).toBe('jobs/a/tests.yaml:2:3: unknown key `expects`: did you mean `expect`?\n');
  expect(seen.code).toBe(2);
});

test('jobs validate --json prints valid and invalid jobs', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/good/config.yaml': good, 'jobs/bad/config.yaml': 'command: ./missing.sh\n' });
  const { stdout, stderr, code } = await flwd(dir, 'jobs', 'validate', 'jobs', '--json');
  expect({ answer: JSON.parse(stdout), stderr, code }).toEqual({
    answer: {
      valid: [{ id: 'good', path: 'jobs/good' }],
      invalid: [
        {
          id: 'bad',
          path: 'jobs/bad',
          errors: [
            {
              file: 'jobs/bad/config.yaml',
              line: 1,
              column: 10,
              message: "`./missing.sh` is not in the job's folder",
            },
          ],
        },
      ],
      warnings: [],
    },
    stderr: '',
    code: 2,
  });
});

test('jobs validate warns if the host lacks the program of a command, or of the first line of a script', async () => {
  const dir = createFolder();
  const steps =
    '[{id: a, command: [bash, -c, ":"]}, {id: b, command: [no-dump, shop]}, {id: c, command: [flwd_kv_get, n]}]';
  writeFiles(dir, {
    'jobs/dump/config.yaml': `description: d\nsteps: ${steps}\n`,
    'jobs/env/config.yaml': 'command: [./run]\n',
    'jobs/env/run': '#!/usr/bin/env no-ruby\n',
    'jobs/full/config.yaml': 'command: [./run]\n',
    'jobs/full/run': '#!/usr/bin/no-ruby -w\n',
    'jobs/own/config.yaml': 'command: [no-dump]\nsecurity_profile: disabled\n',
    'jobs/there/config.yaml': 'command: [/bin/sh, -c, ":"]\n',
  });
  for (const name of ['env', 'full']) chmodSync(join(dir, 'jobs', name, 'run'), 0o755);
  const install = 'install it on the host that runs the job\n';
  const names = (program: string) => `the first line of the script names ${program}, which this host does not have: `;
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '5 jobs are valid\n',
    stderr:
      `warning: jobs/dump/config.yaml:2:61: this host has no program no-dump: ${install}` +
      `warning: jobs/env/run:1:1: ${names('no-ruby')}${install}` +
      `warning: jobs/full/run:1:1: ${names('/usr/bin/no-ruby')}${install}`,
    code: 0,
  });
});

test('jobs validate warns about a variable that no shell replaces', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'jobs/copy/config.yaml': 'command: [cp, "${source}", "$HOME/x"]\npermissions:\n  read: [/srv, $HOME/www]\n',
    'jobs/shell/config.yaml': 'command: [bash, -c, $HOME/run]\n',
    'jobs/sed/config.yaml': 'command: [sed, -n, "$!p", "s/a$/b c/", "a$"]\n',
    'jobs/steps/config.yaml': 'steps:\n  - {id: a, command: [ls, $FLWD_ARG_PATH]}\n',
  });
  const script = 'put the command into a script, or use [bash, -c, …]\n';
  const what = 'no shell replaces the variable in';
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '4 jobs are valid\n',
    stderr:
      `warning: jobs/copy/config.yaml:1:10: ${what} \${source}: ${script}` +
      `warning: jobs/copy/config.yaml:3:16: ${what} $HOME/www: write the path itself\n` +
      `warning: jobs/steps/config.yaml:2:22: ${what} $FLWD_ARG_PATH: ${script}`,
    code: 0,
  });
});

test('a script with Windows line endings is a warning, unless its language accepts them', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'jobs/a/config.yaml': 'command: ./run.sh\n',
    'jobs/a/run.sh': '#!/bin/bash\r\nif true; then\r\n  echo\r\nfi\r\n',
    'jobs/b/config.yaml': 'command: ./run\nulc_profile: ulc.exec\n',
    'jobs/b/run': '#!/bin/sh\r\necho\r\n',
    'jobs/c/config.yaml': 'command: ./run.py\n',
    'jobs/c/run.py': '#!/usr/bin/python3\r\nprint()\r\n',
  });
  chmodSync(join(dir, 'jobs/b/run'), 0o755);
  const why = 'the script has Windows line endings: save it with Unix line endings, for example with `dos2unix`';
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    code: 0,
    stdout: '3 jobs are valid\n',
    stderr: `warning: jobs/a/run.sh:1:1: ${why}\nwarning: jobs/b/run:1:1: ${why}\n`,
  });
});

test('a bash syntax error is a warning, and the script is not run', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'jobs/open/config.yaml': 'steps: [{id: a, script: ./a.sh}, {id: b, script: ./a.sh}, {id: c, script: ./b.sh}]\n',
    'jobs/open/a.sh': 'touch "$PWD/ran"\nif true; then\n  echo )\nfi\n',
    'jobs/open/b.sh': 'shopt -s extglob\nls !(*.txt)\ntouch "$PWD/ran"\n',
  });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '1 job is valid\n',
    stderr: "warning: jobs/open/a.sh:3:1: bash: syntax error near unexpected token `)'\n",
    code: 0,
  });
  const { stdout } = await flwd(dir, 'jobs', 'validate', 'jobs/open', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ invalid: [], warnings: [{ file: 'jobs/open/a.sh', line: 3 }] });
  expect(existsSync(join(dir, 'ran'))).toBe(false);
});

test('a warning names a script whose ending and `#!` line disagree', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    'jobs/count/config.yaml': 'command: ./count.sh\n',
    'jobs/count/count.sh': '#!/usr/bin/env python3\nprint(sum(range(9)))\n',
    'jobs/said/config.yaml': 'command: ./count.sh\nulc_profile: ulc.python.3\n',
    'jobs/said/count.sh': '#!/usr/bin/env -S python3 -u\nprint(1)\n',
    'jobs/fits/config.yaml': 'steps: [{id: a, script: ./a.sh}, {id: b, script: ./b.py}, {id: c, script: ./c.mjs}]\n',
    'jobs/fits/a.sh': '#!/bin/sh -e\ntrue\n',
    'jobs/fits/b.py': '#!/usr/bin/python3.13\n',
    'jobs/fits/c.mjs': 'process.exit(0);\n',
    'jobs/old/config.yaml': 'command: ./report.sh\n',
    'jobs/old/report.sh': '#!/usr/bin/perl -w\nprint 1;\n',
  });
  const why = (file: string, program: string, profile: string) =>
    `warning: jobs/${file}:1:1: its \`#!\` line names ${program}, but flwd runs the file as ulc.shell.bash, ` +
    `because of the ending .sh: rename the file, or set \`ulc_profile: ${profile}\`\n`;
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '4 jobs are valid\n',
    stderr: why('count/count.sh', 'python3', 'ulc.python.3') + why('old/report.sh', 'perl', 'ulc.exec'),
    code: 0,
  });
});

test.each([
  ['', 'flwd jobs validate needs a folder: flwd jobs validate DIR…'],
  ['nope', 'there is no folder nope'],
  ['file', 'file is not a folder'],
])('jobs validate %s is a usage error', async (word, message) => {
  const dir = createFolder();
  writeFiles(dir, { file: '' });
  const seen = await flwd(dir, 'jobs', 'validate', ...(word === '' ? [] : [word]));
  expect(seen).toEqual({ stdout: '', stderr: `${message}\n`, code: 2 });
});

test('jobs validate names a config.yml, which flwd does not read', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/ops/a/config.yml': good });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toEqual({
    stdout: '',
    stderr: 'no jobs in jobs: rename jobs/ops/a/config.yml to config.yaml\n',
    code: 3,
  });
});

test('a script whose #! line names a program is started by the system, so it must be executable', async () => {
  const dir = createFolder();
  writeFiles(dir, { 'jobs/a/config.yaml': 'command: ./run.rb\n', 'jobs/a/run.rb': '#!/usr/bin/env ruby\n' });
  expect(await flwd(dir, 'jobs', 'validate', 'jobs')).toMatchObject({
    stderr: 'jobs/a/config.yaml:1:10: `./run.rb` has a `#!` line, but is not executable: run chmod +x\n',
    code: 2,
  });
});
