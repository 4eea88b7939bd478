// `flwd cancel` for all runs that match options. test/cli/named-run.test.ts cancels runs by id.

import { expect, test } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash, type JobFiles } from '../support/jobs.ts';
import { openTerminal } from '../tui/a-terminal.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { bin, flwd, start } from './terminal.ts';

const stays: JobFiles = bash('while :; do sleep 0.1; done', { concurrency: { limit: 1 } });

type Listed = Pick<RunAnswer, 'run_id' | 'status'> & { readonly started_at: string | null };

async function listed(dir: string, ...options: readonly string[]): Promise<Listed[]> {
  const { stdout } = await flwd(dir, 'runs', '--limit', '100', '--json', ...options);
  const { runs }: { runs: Listed[] } = JSON.parse(stdout);
  return runs;
}

async function statuses(dir: string, job: string): Promise<string[]> {
  return (await listed(dir, '--job', job)).map(({ status }) => status);
}

async function startRuns({ dir }: Instance, job: string, count: number, ...options: string[]): Promise<void> {
  for (let n = 0; n < count; n++) await flwd(dir, 'run', job, '--detach', ...options);
}

testWith('bwrap')(
  'runs are cancelled by the options of flwd runs, pending ones first, so that no more of them start',
  async () => {
    const instance = await createInstance({ 'a/q': stays, 'a/other': stays, 'a/idle': stays });
    const { dir } = instance;
    const served = await instance.serve();
    await startRuns(instance, 'a/other', 2, '--label', 'team=x');
    await startRuns(instance, 'a/q', 4);

    expect(await flwd(dir, 'cancel', '--job', 'a/q')).toEqual({
      stdout: '',
      stderr:
        'standard input is not a terminal, so flwd cannot ask: add --yes to cancel the runs; flwd runs with the same options lists them\n',
      code: 2,
    });
    expect(await statuses(dir, 'a/q')).toEqual(['pending', 'pending', 'pending', 'running']);

    const pending = await flwd(dir, 'cancel', '--job', 'a/', '--label', 'team=x', '--status', 'pending', '--yes');
    expect(pending).toEqual({ stdout: 'cancelled 1 run\n', stderr: '', code: 0 });
    expect(await statuses(dir, 'a/other')).toEqual(['cancelled', 'running']);
    const [withdrawn] = await listed(dir, '--job', 'a/other', '--status', 'cancelled');
    expect((await flwd(dir, 'runs', withdrawn?.run_id ?? '')).stdout).toMatch(/^cancel +requested .* by local$/m);

    const all = await flwd(dir, 'cancel', '--job', 'a/q', '--force', '--yes', '--json');
    expect(all).toMatchObject({ stderr: 'cancelled 4 runs\n', code: 0 });
    const answers: Listed[] = all.stdout
      .trim()
      .split('\n')
      .map((line): Listed => JSON.parse(line));
    const runs = await listed(dir, '--job', 'a/q');
    expect(answers.map(({ run_id: id }) => id).toSorted()).toEqual(runs.map(({ run_id: id }) => id).toSorted());
    expect(runs.map(({ status, started_at: at }) => [status, at !== null])).toEqual([
      ['cancelled', false],
      ['cancelled', false],
      ['cancelled', false],
      ['cancelled', true],
    ]);

    expect(await flwd(dir, 'cancel', '--job', 'a/q', '--yes')).toEqual({
      stdout: '',
      stderr: 'no runs to cancel\n',
      code: 0,
    });
    expect(await statuses(dir, 'a/other')).toEqual(['cancelled', 'running']);
    expect(await flwd(dir, 'cancel', '--job', 'a/idle', '--yes')).toMatchObject({
      stderr: 'no runs to cancel\n',
      code: 0,
    });
    expect(await flwd(dir, 'cancel', '--job', 'a/oter', '--yes')).toEqual({
      stdout: '',
      stderr: expect.stringMatching(/^there is no job `a\/oter` on the server at .*; did you mean `a\/other`\?\n$/),
      code: 3,
    });
    expect(await flwd(dir, 'cancel', '--job', 'b/', '--yes')).toMatchObject({
      stderr: 'there is no job in `b/`; flwd jobs lists all\n',
      code: 3,
    });
    expect(await flwd(dir, 'cancel', '--by', 'nobody', '--yes')).toMatchObject({ stderr: 'no runs to cancel\n' });
    await flwd(dir, 'cancel', '--tenant', 'default', '--yes');
    await served.stop();
  },
);

testWith('bwrap')('runs are cancelled before their own sub-runs, so that no run fails', async () => {
  const parent: JobFiles = { 'config.yaml': JSON.stringify({ steps: [{ id: 'sub', job: 't/one' }] }) };
  const instance = await createInstance({ 't/one': stays, 't/parent': parent });
  const { dir } = instance;
  const served = await instance.serve();
  await startRuns(instance, 't/parent', 3);
  const found = async () => (await statuses(dir, 't/')).toSorted();
  await expect.poll(found).toEqual(['pending', 'pending', 'running', 'running', 'running', 'running']);
  expect(await flwd(dir, 'cancel', '--job', 't/', '--yes')).toEqual({
    stdout: 'cancelled 6 runs\n',
    stderr: '',
    code: 0,
  });
  expect(new Set(await statuses(dir, 't/'))).toEqual(new Set(['cancelled']));
  await served.stop();
});

test('without a server, waiting runs are cancelled and not started; ids and options are not mixed', async () => {
  const instance = await createInstance({ q: stays });
  const { dir } = instance;
  const served = await instance.serve();
  await startRuns(instance, 'q', 4);
  await served.kill();

  expect(await flwd(dir, 'cancel')).toMatchObject({ code: 2, stderr: expect.stringContaining('--job JOB') });
  expect(await flwd(dir, 'cancel', 'run_x', '--status', 'pending')).toEqual({
    stdout: '',
    stderr: 'flwd cancel takes runs, or options such as --status that choose them, but not both\n',
    code: 2,
  });
  expect(await flwd(dir, 'cancel', '--job', 'q', '--status', 'success', '--yes')).toMatchObject({ code: 2 });
  const ended = { stdout: 'cancelled 1 run\n', code: 0 };
  expect(await flwd(dir, 'cancel', '--job', 'q', '--status', 'running', '--yes')).toMatchObject(ended);
  expect(await statuses(dir, 'q')).toEqual(['pending', 'pending', 'pending', 'cancelled']);
  const rest = { stdout: 'cancelled 3 runs\n', code: 0 };
  expect(await flwd(dir, 'cancel', '--job', 'q', '--yes')).toMatchObject(rest);
  const runs = await listed(dir, '--job', 'q');
  expect(runs.map(({ status, started_at: at }) => [status, at !== null])).toEqual([
    ['cancelled', false],
    ['cancelled', false],
    ['cancelled', false],
    ['cancelled', true],
  ]);
});

test('a rate limit slows flwd cancel down; without the right to cancel, it stops and says how many runs are left', async () => {
  const limit = { secure: { rate_limit: { limit: 10, window: '1s' } } };
  const instance = await createInstance({ q: stays }, { security: { profiles: limit } });
  const { dir } = instance;
  const served = await instance.serve();
  const body = JSON.stringify({ job_id: 'q' });
  const headers = { 'content-type': 'application/json' };
  for (let n = 0; n < 30; n++)
    await expect.poll(async () => (await served.fetch('/runs', { method: 'POST', headers, body })).status).toBe(201);

  const made = await flwd(dir, 'tokens', 'create', '--name', 'reader', '--scopes', 'runs:read');
  const env = { FLWD_TOKEN: made.stdout.trim(), FLWD_REMOTE: served.url };
  expect(await start(dir, ['cancel', '--job', 'q', '--yes'], env).ended).toEqual({
    stdout: 'cancelled 0 runs, 1 could not be cancelled, 29 left\n',
    stderr: expect.stringMatching(/^[^\n]*runs:write[^\n]*\n$/),
    code: 4,
  });
  expect(await flwd(dir, 'cancel', '--job', 'q', '--yes')).toEqual({
    stdout: 'cancelled 30 runs\n',
    stderr: '',
    code: 0,
  });
});

testWith('tmux')(
  'at a terminal, flwd cancel shows the number of runs, asks for confirmation, and then shows its progress',
  async () => {
    const instance = await createInstance({
      q: bash("trap '' TERM; while :; do sleep 0.1; done", { concurrency: { limit: 1 }, cancel: { grace: '10m' } }),
    });
    await instance.serve();
    await startRuns(instance, 'q', 3);
    const terminal = await openTerminal();
    await terminal.type(`cd ${instance.dir}; flwd() { ${process.execPath} ${bin} "$@"; }; clear\n`);
    await terminal.type('flwd cancel --job q\n');
    await terminal.sees('cancel 3 runs of q (2 pending, 1 running)? [y/N]');
    await terminal.type('n\n');
    await terminal.sees(/nothing was cancelled\n\[130\] ready>$/);
    await terminal.type('clear; flwd cancel --job q\n');
    await terminal.sees('? [y/N]');
    await terminal.type('y\n');
    await terminal.sees(/^cancelled 2 of 3$/m);
    await terminal.press('C-c');
    await terminal.sees(/cancelled 2 runs, 1 left\n\[130\] ready>$/);
    await terminal.type('clear; flwd cancel --job q --force --yes\n');
    await terminal.sees(/cancelled 1 run\n\[0\] ready>$/);
  },
);
