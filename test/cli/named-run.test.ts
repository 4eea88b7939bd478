import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { script, steps } from '../engine/step-jobs.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const gated = steps(
  { steps: [{ id: 'ask', approval: { text: 'ask?\nflwd approve run_1 ask' } }, script('ship', { needs: ['ask'] })] },
  { ship: 'true' },
);

testWith('bwrap')(
  'a run is found by part of its id; commands that only read also accept a job, for its last run',
  async () => {
    const instance = await createInstance({ says: bash('echo "of $FLWD_RUN_ID"; echo kept > artifacts/kept; exit 3') });
    const { dir } = instance;
    const served = await instance.serve();
    const { run_id: earlier } = await served.run('says');
    const { run_id: last } = await served.run('says');

    expect(await flwd(dir, 'logs', earlier.slice(-12).toLowerCase())).toEqual({
      stdout: `of ${earlier}\n`,
      stderr: '',
      code: 0,
    });
    expect(await flwd(dir, 'logs', 'says')).toEqual({
      stdout: `of ${last}\n`,
      stderr: `using ${last}, the last run of says\n`,
      code: 0,
    });
    expect(await flwd(dir, 'logs', last, '--since', '1h')).toMatchObject({ stdout: `of ${last}\n`, code: 0 });
    expect(await flwd(dir, 'logs', last, '--since', '2100-01-01')).toEqual({ stdout: '', stderr: '', code: 0 });
    expect((await flwd(dir, 'artifacts', 'says', '--quiet')).stdout).toContain('kept');
    expect(JSON.parse((await flwd(dir, 'runs', last.slice(0, 28), '--json')).stdout)).toMatchObject({ run_id: last });
    expect(await flwd(dir, 'runs', 'says', '--limit', '3')).toEqual({
      stdout: '',
      stderr: 'flwd runs says shows one run, so it takes no --limit; flwd runs --job says lists runs\n',
      code: 2,
    });
    await flwd(dir, 'export', earlier.slice(4, 28), 'saved');
    expect(existsSync(join(dir, 'saved/run.json'))).toBe(true);
    expect((await flwd(dir, 'events', '--run', 'says', '--json')).stdout.trim().split('\n').at(-1)).toContain(last);
    const again = await flwd(dir, 'rerun', 'says', '--detach');
    expect(again).toMatchObject({ stderr: `using ${last}, the last run of says\n`, code: 0 });
    expect(await served.finished(again.stdout.trim())).toMatchObject({ rerun_of: last });
    expect((await flwd(dir, 'runs', '--status', 'failed')).stdout).toMatch(/ says +failed .* exited with code 3\n/);
  },
);

test('the last run of a job is the one added last, even if the server’s clock was set back', async () => {
  const instance = await createInstance({ gated });
  const served = await instance.serve();
  const first = await served.start('gated');
  const last = await served.start('gated');
  const database = new DatabaseSync(join(instance.dataDir, 'flwd.db'), { timeout: 60_000 });
  database.prepare('UPDATE runs SET created_at = created_at + 86400000 WHERE id = ?').run(first);
  database.close();
  const newest = await served.json<{ runs: { run_id: string }[] }>('/runs?job_id=gated&limit=1');
  expect(newest.runs[0]?.run_id).toBe(first);
  expect((await flwd(instance.dir, 'logs', 'gated')).stderr).toBe(`using ${last}, the last run of gated\n`);
});

test('the log of a job is the log of its last run that was not cancelled before it started', async () => {
  const limited = steps({ concurrency: { limit: 1 }, steps: [{ id: 'ask', approval: { text: 'ask?' } }] });
  const instance = await createInstance({ limited });
  const served = await instance.serve();
  const first = await served.start('limited');
  const second = await served.start('limited');
  expect(await flwd(instance.dir, 'cancel', second)).toMatchObject({ code: 0 });
  expect((await flwd(instance.dir, 'logs', 'limited')).stderr).toBe(
    `using ${first}, the last run of limited that was not cancelled before it started\n`,
  );
  expect((await flwd(instance.dir, 'runs', 'limited')).stderr).toBe(`using ${second}, the last run of limited\n`);
});

test('a word that is neither a run nor a job with runs is named as such', async () => {
  const instance = await createInstance({ gated });
  const { dir } = instance;
  await instance.serve();
  for (const verb of ['logs', 'runs', 'artifacts', 'cancel', 'approve'])
    expect(await flwd(dir, verb, 'gatd')).toEqual({
      stdout: '',
      stderr: 'there is no run `gatd`, and no run of a job `gatd`; did you mean `gated`?\n',
      code: 3,
    });
  expect((await flwd(dir, 'logs', 'other')).stderr).toBe(
    'there is no run `other`, and no run of a job `other`; flwd runs lists the runs\n',
  );
  expect((await flwd(dir, 'logs', 'gated')).stderr).toBe(
    'the job `gated` has no runs yet; flwd run gated starts one\n',
  );
  expect(await flwd(dir, 'logs', 'run_01J')).toMatchObject({ stderr: "The run 'run_01J' does not exist\n", code: 3 });
});

test('commands that end or decide a run accept neither a job nor part of an id that several runs share', async () => {
  const instance = await createInstance({ gated });
  const { dir } = instance;
  const served = await instance.serve();
  const first = await served.start('gated');
  const second = await served.start('gated');
  const isAsked = async (id: string): Promise<unknown> =>
    (await served.json<{ steps: { status: string }[] }>(`/runs/${id}`)).steps[0]?.status;
  for (const id of [first, second]) await expect.poll(() => isAsked(id)).toBe('waiting_approval');
  const shared = first.slice(
    0,
    first.split('').findIndex((letter, at) => letter !== second[at]),
  );

  const runs = await flwd(dir, 'runs');
  expect(runs.stdout.match(/ running .* ask waits for an approval\n/g)).toHaveLength(2);

  const several = await flwd(dir, 'cancel', shared);
  expect(several).toMatchObject({ stdout: '', code: 2 });
  expect(several.stderr).toBe(
    `2 runs match ${shared}; choose one:\n  ${second}  gated  running\n  ${first}  gated  running\n`,
  );
  expect(await flwd(dir, 'cancel', 'gated')).toEqual({
    stdout: '',
    stderr: `\`gated\` is a job, but an id of a run is needed: its last run is ${second} (running); flwd runs --job gated lists them, flwd cancel --job gated cancels all that have not ended\n`,
    code: 3,
  });
  for (const verb of ['approve', 'deny'])
    expect(await flwd(dir, verb, 'gated')).toEqual({
      stdout: '',
      stderr: `\`gated\` is a job, but an id of a run is needed; these runs wait for an approval:\n  flwd ${verb} ${first} ask    ask? flwd approve run_1 ask\n  flwd ${verb} ${second} ask    ask? flwd approve run_1 ask\n`,
      code: 3,
    });

  expect(await flwd(dir, 'deny', second, 'nope')).toEqual({
    stdout: '',
    stderr: `${second} has no step \`nope\`; its steps are ask, ship\n`,
    code: 3,
  });
  const unlike = first.slice(0, shared.length + 1);
  expect(await flwd(dir, 'cancel', unlike)).toMatchObject({ stdout: `cancelled ${first}\n`, code: 0 });
  expect(await flwd(dir, 'cancel', first)).toMatchObject({ stdout: `${first} was already cancelled\n`, code: 0 });
  expect(await flwd(dir, 'deny', second.slice(-8))).toMatchObject({ stdout: `denied ask of ${second}\n`, code: 0 });
  expect((await flwd(dir, 'approve', 'gated')).stderr).toBe(
    `\`gated\` is a job, but an id of a run is needed: its last run is ${second} (failed); flwd runs --job gated lists them\n`,
  );
});
