import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { script, steps } from '../engine/step-jobs.ts';
import type { RunAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const argspec = { type: 'object', properties: { code: { type: 'integer', default: 0 } } };
const jobs = {
  plain: bash('echo "leaves with $code"; exit "$code"', { argspec }),
  stepped: steps(
    { argspec, steps: [script('a'), script('b', { needs: ['a'] })] },
    { a: 'echo "a is done"', b: 'echo "b leaves with $FLWD_ARG_CODE"; exit "$FLWD_ARG_CODE"' },
  ),
  versions: steps(
    {
      steps: [
        script('get'),
        script('test', { needs: ['get'], matrix: { node: [22, 24] } }),
        script('pack', { needs: ['test'] }),
      ],
    },
    { get: 'true', test: '[ "$FLWD_MATRIX_NODE" = 22 ]', pack: 'true' },
  ),
  broken: steps({ steps: [script('test', { matrix: { node: [20, 22, 24] } })] }, { test: 'exit 3' }),
  mixed: steps(
    { steps: [script('test', { matrix: { node: [22, 24] } }), script('lint', { needs: ['test'], always: true })] },
    { test: 'exit 3', lint: 'exit 4' },
  ),
};
const served = [
  ['without a server', false],
  ['with a server', true],
] as const;

test('the error of a failed matrix names one instance and counts the others that failed', async () => {
  const { dir } = await createInstance({ broken: jobs.broken });
  const { stderr } = await flwd(dir, 'run', 'broken', '-q');
  const why = /test\[node=\d\d\]: exited with code 3; 2 other instances failed\n/;
  expect(stderr).toMatch(why);
  expect((await flwd(dir, 'runs', 'broken')).stdout).toMatch(why);
  expect((await flwd(dir, 'runs')).stdout).toMatch(why);
});

test('a list of runs names the first failure, and counts the other instances and steps that failed', async () => {
  const { dir } = await createInstance({ mixed: jobs.mixed });
  const why = /test\[node=\d\d\]: exited with code 3; 1 other instance failed, 1 other step failed\n/;
  expect((await flwd(dir, 'run', 'mixed', '-q')).stderr).toMatch(why);
  expect((await flwd(dir, 'runs')).stdout).toMatch(why);
  const { runs } = JSON.parse((await flwd(dir, 'runs', '--json')).stdout);
  expect(runs).toMatchObject([{ error: { other_failures: { instances: 1, steps: 1 } } }]);
});

test.each(served)(
  '%s a run can be repeated from its start or from what failed, with other arguments',
  async (_, isServed) => {
    const instance = await createInstance(jobs);
    const server = isServed ? await instance.serve() : undefined;
    const first = await flwd(instance.dir, 'run', 'stepped', '--code', '3', '--json');
    expect(first.code).toBe(1);
    const { run_id: id }: RunAnswer = JSON.parse(first.stdout);

    const again = await flwd(instance.dir, 'rerun', id, '--from', 'failed');
    expect(again).toMatchObject({ code: 1, stdout: 'b | b leaves with 3\n' });
    expect(again.stderr).toMatch(/^failed in [\d.]+ m?s: b: exited with code 3\nrun_\w+: flwd runs run_\w+\n$/);
    expect((await flwd(instance.dir, 'runs')).stdout).toMatch(/ stepped +failed .* {2}b: exited with code 3$/m);

    const fixed = await flwd(instance.dir, 'rerun', id, '--args', '{"code": 0}', '--json');
    expect(fixed).toMatchObject({ code: 0, stderr: 'a is done\nb leaves with 0\n'.replaceAll(/^(.)/gm, '$1 | $1') });
    expect(JSON.parse(fixed.stdout)).toMatchObject({ status: 'success', rerun_of: id, args: { code: 0 } });

    const fromB = await flwd(instance.dir, 'rerun', id, '--from', 'b', '--args', '{"code": 0}', '--quiet');
    expect(fromB).toEqual({ code: 0, stdout: 'b | b leaves with 0\n', stderr: '' });
    await server?.stop();
  },
);

test('arguments of a rerun are changed with the same options that set them for a run', async () => {
  const { dir, serve } = await createInstance({
    deploy: bash(
      `echo "$FLWD_ARG_REGION $(grep -o '"keep":{[^}]*}' "$FLWD_ARGS_FILE") $(wc -c <"$FLWD_SECRETS_DIR/token")"`,
      {
        argspec: {
          type: 'object',
          required: ['token'],
          properties: {
            region: { type: 'string', default: 'us' },
            keep: { type: 'object', properties: { days: { type: 'integer' }, weeks: { type: 'integer' } } },
            latest: { type: 'boolean' },
            token: { type: 'string', format: 'secret' },
          },
        },
      },
    ),
  });
  for (const [name, text] of [
    ['short', 'abcd'],
    ['long', 'abcdefgh'],
  ] as const)
    writeFileSync(join(dir, name), text);
  const server = await serve();
  const given = ['--region', 'asia', '--keep.days', '1', '--keep.weeks', '2', '--token.file', 'short'];
  const first = await flwd(dir, 'run', 'deploy', ...given, '--json');
  const { run_id: id }: RunAnswer = JSON.parse(first.stdout);
  const rerun = (...words: string[]) => flwd(dir, 'rerun', id, ...words);

  expect(await rerun('--region', 'eu', '--quiet')).toEqual({
    code: 0,
    stdout: 'eu "keep":{"days":1,"weeks":2} 4\n',
    stderr: '',
  });
  expect(await rerun('--quiet', '--keep.days=7')).toMatchObject({
    code: 0,
    stdout: 'asia "keep":{"days":7,"weeks":2} 4\n',
  });
  const mixed = ['--args', '{"region": "af", "keep": {"weeks": 9}}', '--keep.days', '8', '--token.file', 'long'];
  expect(await rerun(...mixed)).toMatchObject({ code: 0, stdout: 'af "keep":{"weeks":9,"days":8} 8\n' });
  const ofJob = await flwd(dir, 'rerun', 'deploy', '--region', 'eu', '--quiet');
  expect(ofJob).toMatchObject({ code: 0, stdout: 'eu "keep":{"weeks":9,"days":8} 8\n' });

  expect(await rerun('--regoin', 'eu', '--lates', '--keep.days', 'x')).toEqual({
    code: 2,
    stdout: '',
    stderr: [
      'the job takes no --regoin; did you mean `--region`?',
      'the job takes no --lates; did you mean `--latest`?',
      '--keep.days x: must be a whole number',
      '',
    ].join('\n'),
  });
  expect(await rerun('--latest')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      'Both flwd and the job have `--latest`. For the job, end the line with `-- --latest`',
    ),
  });
  expect(await rerun('--', '--latest')).toMatchObject({ code: 0, stdout: 'asia "keep":{"days":1,"weeks":2} 4\n' });

  const revisionNow = async () => (await server.json<{ revision: string }>('/jobs/deploy')).revision;
  const before = await revisionNow();
  const { 'config.yaml': changed = '' } = bash('', { argspec: { type: 'object', properties: {} } });
  writeFileSync(join(dir, 'jobs/deploy/config.yaml'), changed);
  await expect.poll(revisionNow).not.toBe(before);
  expect(await rerun('--region', 'eu')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /takes no arguments\n.*--args takes the arguments of the revision that the earlier run used\n$/,
    ),
  });
  const old = await rerun('--args', '{"region": "eu"}');
  expect(old).toMatchObject({ code: 0, stdout: 'eu "keep":{"days":1,"weeks":2} 4\n' });
});

test('flwd runs lists instances below their step, and marks steps that a rerun kept', async () => {
  const { dir } = await createInstance(jobs);
  const stepsOf = async (id: string): Promise<string[]> => {
    const [, table = ''] = (await flwd(dir, 'runs', id)).stdout.split('\n\n');
    return table
      .trimEnd()
      .split('\n')
      .map((row) => row.replaceAll(/ {2,}/g, '  ').replaceAll(/\b[\d.]+ m?s\b/g, 'TIME'));
  };
  const first: RunAnswer = JSON.parse((await flwd(dir, 'run', 'versions', '--json')).stdout);
  expect(await stepsOf(first.run_id)).toEqual([
    'STEP  STATUS  TRY  TOOK  WHY',
    'get  success  1  TIME',
    expect.stringMatching(/^test {2}failed {2}1 {2}TIME {2}./),
    'test[node=22]  success  1  TIME',
    expect.stringMatching(/^test\[node=24\] {2}failed {2}1 {2}TIME {2}exited with code 1:/),
    'pack  skipped  1  -  it needs test, which failed',
  ]);
  const again: RunAnswer = JSON.parse((await flwd(dir, 'rerun', first.run_id, '--from', 'failed', '--json')).stdout);
  expect(await stepsOf(again.run_id)).toEqual([
    'STEP  STATUS  TRY  TOOK  WHY',
    'get  success  1  -  kept from the earlier run',
    expect.stringMatching(/^test {2}failed {2}1 {2}TIME {2}./),
    'test[node=22]  success  1  -  kept from the earlier run',
    expect.stringMatching(/^test\[node=24\] {2}failed {2}1 {2}TIME {2}exited with code 1:/),
    'pack  skipped  1  -  it needs test, which failed',
  ]);
});

test('rerun --detach prints only the id of the new run', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const { run_id: id } = await server.run('plain');
  const { stdout, code } = await flwd(instance.dir, 'rerun', id, '-d', '--latest');
  expect({ stdout, code }).toEqual({ stdout: expect.stringMatching(/^run_\w+\n$/), code: 0 });
  expect(await server.finished(stdout.trim())).toMatchObject({ status: 'success', rerun_of: id });
});

test('a rerun after a change of the job says that it uses the old revision', async () => {
  const { dir, serve } = await createInstance({ broken: bash('exit 3') });
  const server = await serve();
  const { run_id: id } = await server.run('broken');
  const changed =
    'the job has changed since that run: the new run uses the old revision; --latest uses the newest one\n';
  const revisionNow = async () => (await server.json<{ revision: string }>('/jobs/broken')).revision;
  const before = await revisionNow();
  writeFileSync(join(dir, 'jobs/broken/run.sh'), '#!/usr/bin/env bash\ntrue\n');
  await expect.poll(revisionNow).not.toBe(before);
  const old = await flwd(dir, 'rerun', id);
  expect(old).toMatchObject({ code: 1, stderr: expect.stringContaining(changed) });
  const latest = await flwd(dir, 'rerun', id, '--latest');
  expect(latest).toMatchObject({ code: 0, stderr: expect.not.stringContaining(changed) });
});

test('an impossible rerun says why, also by its exit code', async () => {
  const { dir, serve } = await createInstance(jobs);
  const server = await serve();
  const { run_id: id } = await server.run('stepped');
  expect(await flwd(dir, 'rerun', 'run_x')).toMatchObject({ code: 3, stdout: '' });
  expect(await flwd(dir, 'rerun')).toMatchObject({ code: 2, stderr: expect.stringContaining('flwd rerun RUN') });
  expect(await flwd(dir, 'rerun', id, '--from', 'c')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/\bc\b/),
  });
  expect(await flwd(dir, 'rerun', id, '--args', '{"code": "x"}')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^--code /),
  });
});
