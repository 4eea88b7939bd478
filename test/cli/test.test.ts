// `flwd test`: runs the tests of jobs with the real executable in the real sandbox.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startReceiver } from '../support/receiver.ts';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd, start } from './terminal.ts';

const greeting = {
  'jobs/hi/config.yaml': `command: ./run.sh
args:
  - {name: who, required: true}
  - {name: token, format: secret}
`,
  'jobs/hi/run.sh': `echo "hello $who"
[[ ! -e $FLWD_SECRETS_DIR/token ]] || wc -c < "$FLWD_SECRETS_DIR/token"
flwd_result '{"a": 1, "b": {"c": [1, 2], "d": null}}'
echo x > "$FLWD_ARTIFACTS_DIR/x.txt"
`,
};

/** Returns the outcome of each test by its name. */
function outcomes(stdout: string): Record<string, readonly string[]> {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const { test: name, failures }: { test: string; failures: string[] } = JSON.parse(line);
      return [name, failures];
    }),
  );
}

test('flwd test runs the tests in tests.yaml, prints one line for each, and leaves nothing behind', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'tmp'));
  writeFiles(dir, {
    ...greeting,
    'jobs/hi/tests.yaml': `- name: greets
  args: {who: Ada, token: sesame}
  profile: secure
  expect:
    status: success
    exit_code: 0
    result: {b: {d: null, c: [1, 2]}, a: 1}
    result_includes: {b: {c: [1, 2]}}
    log: [lo Ada, "/^hello A.a$/", "/^HELLO/i", "6"]
    artifacts: [x.txt]
    max_duration: 50s
- {name: needs no more than a name, args: {who: Bo}}
`,
  });
  const seen = await start(dir, ['test'], { TMPDIR: join(dir, 'tmp') }).ended;
  expect(
    seen.stdout
      .replaceAll(/\(\d.*s\)/g, '(T)')
      .split('\n')
      .toSorted(),
  ).toEqual(['', 'passed hi: greets (T)', 'passed hi: needs no more than a name (T)']);
  expect(seen).toMatchObject({ stderr: '2 passed\n', code: 0 });
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  expect(existsSync(join(dir, '.local'))).toBe(false);
});

test('flwd test prints what a test expected and got, and the last lines of the log', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    ...greeting,
    'jobs/hi/tests.yaml':
      '- name: one\n  args: {who: Ada}\n  expect: {status: failed, exit_code: 3, result: {a: 1}, log: [bye, /^bye/], artifacts: [y]}\n',
  });
  const { stdout, stderr, code } = await flwd(dir, 'test');
  expect(stdout.replaceAll(/\(\d.*s\)/g, '(T)')).toBe(`failed hi: one (T)
  status: expected failed, got success
  exit_code: expected 3, got 0
  result: expected {"a":1}, got {"a":1,"b":{"c":[1,2],"d":null}}
  log: expected bye, which no line contains
  log: expected /^bye/, which no line contains
  artifacts: expected y, got x.txt
  the last lines of its log:
    hello Ada
`);
  expect({ stderr, code }).toEqual({ stderr: '1 of 1 failed\n', code: 1 });
});

test('a test fails if its run is refused, takes too long or has another result', async () => {
  const dir = createFolder();
  writeFiles(dir, {
    ...greeting,
    'jobs/slow/config.yaml': 'command: [sleep, "600"]\n',
    'jobs/slow/tests.yaml': '- {name: slow, expect: {status: cancelled, max_duration: 300ms}}\n',
    'jobs/hi/tests.yaml': `- {name: refused, args: {wo: Ada}}
- {name: list, args: {who: x}, expect: {result_includes: {b: {c: [1]}}}}
- {name: member, args: {who: x}, expect: {result_includes: {e: 1}}}
- {name: right, args: {who: x}, expect: {result_includes: {a: 1}}}
`,
  });
  const { stdout, code } = await flwd(dir, 'test', '--json');
  expect(outcomes(stdout)).toEqual({
    refused: [expect.stringMatching(/^refused: --who is missing/)],
    list: ['result_includes: expected a result with {"b":{"c":[1]}}, got {"a":1,"b":{"c":[1,2],"d":null}}'],
    member: ['result_includes: expected a result with {"e":1}, got {"a":1,"b":{"c":[1,2],"d":null}}'],
    right: [],
    slow: ['max_duration: expected at most 300ms, was cancelled then'],
  });
  expect(code).toBe(1);
});

test('if it finds no tests, flwd test exits with 3 and says whether it found a tests.yaml', async () => {
  const dir = createFolder();
  const job = 'command: ["true"]\n';
  writeFiles(dir, { 'jobs/a/config.yaml': job, 'jobs/b/config.yaml': job });
  const none = (words: string) => ({ stdout: '', stderr: `${words}\n`, code: 3 });
  expect(await flwd(dir, 'test')).toEqual(none('no tests found: put a tests.yaml beside the config.yaml of a job'));
  writeFiles(dir, { 'jobs/a/tests.yaml': '# - name: later\n', 'jobs/b/tests.yaml': '# - name: later\n' });
  expect(await flwd(dir, 'test')).toEqual(none('2 tests.yaml files contain no test yet'));
  writeFiles(dir, { 'jobs/b/tests.yaml': '- name: now\n' });
  expect(await flwd(dir, 'test', 'a', 'b')).toEqual(none('the tests.yaml of the job a contains no test yet'));
});

test('flwd test accepts jobs and namespaces, and runs no test if one file is invalid', async () => {
  const dir = createFolder();
  const job = 'command: ["true"]\n';
  writeFiles(dir, {
    'jobs/a/one/config.yaml': job,
    'jobs/a/one/tests.yaml': '- name: a1\n',
    'jobs/a/two/config.yaml': job,
    'jobs/a/two/tests.yaml': '- name: a2\n',
    'jobs/b/config.yaml': job,
    'jobs/b/tests.yaml': '- name: b\n  arg: {}\n- name: c\n  expect: {log: [/(/]}\n- name: c\n',
    'jobs/c/config.yaml': job,
  });
  expect(outcomes((await flwd(dir, 'test', 'a', '--json')).stdout)).toEqual({ a1: [], a2: [] });
  expect(outcomes((await flwd(dir, 'test', 'a/two', '--json')).stdout)).toEqual({ a2: [] });
  expect(await flwd(dir, 'test')).toEqual({
    stdout: '',
    stderr:
      'b/tests.yaml:2:3: unknown key `arg`: did you mean `args`?\n' +
      'b/tests.yaml:4:18: `1.expect.log.0` must be text, or a regular expression such as `/^done/`\n',
    code: 2,
  });
  expect(await flwd(dir, 'test', 'c')).toEqual({
    stdout: '',
    stderr: 'the job c has no tests.yaml beside its config.yaml\n',
    code: 3,
  });
  expect(await flwd(dir, 'test', 'a/on')).toEqual({
    stdout: '',
    stderr: 'there is no job `a/on`; did you mean `a/one`?\n',
    code: 3,
  });
});

test('a test calls no webhook and cannot see the instance of its user', async () => {
  const { url, received } = await startReceiver();
  const dir = createFolder();
  // A job has a /tmp of its own anyway.
  const dataDir = mkdtempSync('/var/tmp/flwd-cli-');
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  writeFiles(dir, {
    'jobs/a/config.yaml': `command: ./run.sh\nsecurity_profile: permissive\nnotify: {on: [success], webhook: "${url}"}\n`,
    'jobs/a/run.sh': `! grep -F ' ${dataDir} ' /proc/self/mountinfo || echo covered\nsleep 0.5\n`,
    'jobs/a/tests.yaml': '- {name: hidden, expect: {log: [/^covered$/]}}\n- {name: again}\n',
  });
  const seen = await start(dir, ['test', '--json'], { FLWD_INSTANCE_DATA_DIR: dataDir }).ended;
  expect(outcomes(seen.stdout)).toEqual({ hidden: [], again: [] });
  expect(received).toEqual([]);
});

test('Ctrl-C ends the runs of the tests and removes their instance', async () => {
  const dir = createFolder();
  mkdirSync(join(dir, 'tmp'));
  writeFiles(dir, {
    'jobs/a/config.yaml': 'command: ./run.sh\npermissions: {}\n',
    'jobs/a/run.sh': 'echo begun; sleep 600\n',
    'jobs/a/tests.yaml': '- name: long\n',
  });
  const { child, ended } = start(dir, ['test'], { TMPDIR: join(dir, 'tmp') });
  await expect.poll(() => runsIn(join(dir, 'tmp'))).toHaveLength(1);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ stdout: '', code: 130 });
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});

function runsIn(dir: string): string[] {
  const [trial] = readdirSync(dir);
  const runs = join(dir, trial ?? '', 'runs');
  return trial !== undefined && existsSync(runs) ? readdirSync(runs) : [];
}

test('the examples pass their own tests', async () => {
  const config = join(import.meta.dirname, '../../examples/flwd.yaml');
  const { stdout, stderr, code } = await flwd(createFolder(), 'test', '--config', config);
  expect({ failed: stdout.match(/^failed.*$/gm), stderr, code }).toEqual({
    failed: null,
    stderr: '7 passed\n',
    code: 0,
  });
});
