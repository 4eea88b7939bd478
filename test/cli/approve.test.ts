import { expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { script, steps } from '../engine/step-jobs.ts';
import { bash } from '../support/jobs.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const ask = (id: string, needs: readonly string[] = []) => ({ id, approval: { text: `${id}?` }, needs });
const jobs = {
  gated: steps(
    {
      steps: [script('build'), ask('first', ['build']), script('ship', { needs: ['first'] }), ask('second', ['ship'])],
    },
    { build: 'echo built', ship: 'echo shipped' },
  ),
  both: steps({ steps: [ask('left'), ask('right')] }),
  asks: steps({ steps: [ask('go')] }),
  others: steps({ steps: [{ id: 'go', approval: { text: 'Go?', not_by_starter: true } }] }),
  nightly: steps({ steps: [ask('go')], schedules: [{ cron: '30 2 * * *', timezone: 'UTC' }] }),
  outer: steps({ steps: [ask('go'), { id: 'inner', job: 'gated', needs: ['go'] }] }),
};

type Run = AnswerOf<'getRun'>;

async function shown({ dir }: Instance, id: string): Promise<Run> {
  const { stdout, code } = await flwd(dir, 'runs', id, '--json');
  expect(code).toBe(0);
  const run: Run = JSON.parse(stdout);
  return run;
}

/** A run that waits for approval without a server. The process that started it has ended. */
async function leftWaiting({ dir }: Instance, job: string): Promise<string> {
  const asking = start(dir, ['run', job, '--verbose']);
  const [, id = ''] = await asking.prints(/(run_\w+) of /);
  await asking.prints(/ waits for approval/);
  asking.child.kill('SIGKILL');
  await asking.ended;
  return id;
}

test('without a server, approve continues the run until it waits again, and then until it ends', async () => {
  const instance = await createInstance(jobs);
  const id = await leftWaiting(instance, 'gated');

  const first = await flwd(instance.dir, 'approve', id, '--comment', 'go');
  expect(first).toMatchObject({ code: 0, stdout: `approved first of ${id}\n` });
  expect(first.stderr).toContain(`no server is running on ${instance.dataDir}, so this command continues ${id}`);
  expect(first.stderr).toContain('ship: success\n');
  expect(first.stderr).toMatch(new RegExp(`second waits for approval: second\\?: flwd approve ${id} second\n$`));
  expect(await shown(instance, id)).toMatchObject({
    status: 'running',
    steps: [{}, { approval: { decision: 'approve', by: 'local', comment: 'go' } }, {}, { status: 'waiting_approval' }],
  });

  const second = await flwd(instance.dir, 'deny', id, 'second', '--comment', 'not on a Friday', '--json');
  expect(second.code).toBe(0);
  expect(JSON.parse(second.stdout)).toEqual({ run_id: id, step_id: 'second', decision: 'deny' });
  expect(second.stderr).toMatch(/\nfailed in [^\n]*: second: denied by local: “not on a Friday”\n/);
  expect(await shown(instance, id)).toMatchObject({ status: 'failed', reason: 'approval_denied' });
  const { stdout } = await flwd(instance.dir, 'runs', id);
  expect(stdout).toMatch(/^error +second: denied by local: “not on a Friday”$/m);
  expect(stdout).toMatch(/^first +success .* approved by local: “go”$/m);
  expect(stdout).toMatch(/^second +failed .* denied by local: “not on a Friday”$/m);
});

test('with a server, approve and deny return at once; without a step name they take the waiting step', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  const waiting = async (id: string, ...names: readonly string[]) => {
    const waitingSteps = async () => {
      const { steps: all } = await server.json<Run>(`/runs/${id}`);
      return all.filter(({ status }) => status === 'waiting_approval').map(({ step_id: step }) => step);
    };
    await expect.poll(waitingSteps).toEqual(names);
  };
  const both = await server.start('both');
  await waiting(both, 'left', 'right');
  const list = await flwd(instance.dir, 'approvals');
  expect(list.stdout).toMatch(/^RUN +STEP +JOB +QUESTION +WAITING SINCE +WHO MAY ANSWER\n/);
  expect(list.stdout).toContain(`${both}  left   both  left?     `);
  expect(list.stdout).toMatch(/right +both +right\? +20\S+Z +anyone with runs:approve\n/);
  expect(await flwd(instance.dir, 'approve', both)).toEqual({
    code: 2,
    stdout: '',
    stderr: `several steps of ${both} are waiting; choose one:\n  flwd approve ${both} left    left?\n  flwd approve ${both} right    right?\n`,
  });
  const left = await flwd(instance.dir, 'approve', both, 'left');
  expect(left).toEqual({ code: 0, stdout: `approved left of ${both}\n`, stderr: '' });
  expect(await flwd(instance.dir, 'approve', both, 'left')).toMatchObject({ code: 6, stdout: '' });
  await waiting(both, 'right');
  const asked = await flwd(instance.dir, 'runs', '--status', 'waiting_approval', '--json');
  expect(JSON.parse(asked.stdout)).toMatchObject({ total: 1, runs: [{ run_id: both, status: 'running' }] });
  expect(await flwd(instance.dir, 'approve', both)).toMatchObject({ code: 0, stdout: `approved right of ${both}\n` });
  expect(await server.finished(both)).toMatchObject({ status: 'success' });
  expect((await flwd(instance.dir, 'runs', '--status', 'waiting_approval')).stderr).toBe('no runs\n');
  expect(await flwd(instance.dir, 'approvals')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'nothing waits for an approval\n',
  });
  const answered = await flwd(instance.dir, 'approvals', '--answered', '--job', 'both', '--limit', '1');
  expect(answered.stdout).toMatch(/right +both +right\? .* approved by local\n$/);
  expect(answered.stderr).toBe('showing 1 of 2; --limit shows more\n');
  const filters = ['--top-level', '--by', 'local', '--trigger', 'api', '--not-label', 'none', '--json'];
  const listed = await flwd(instance.dir, 'runs', ...filters);
  expect(JSON.parse(listed.stdout)).toMatchObject({ total: 1, runs: [{ run_id: both }] });
  expect((await flwd(instance.dir, 'runs', '--job', 'none/')).stderr).toBe('no runs\n');
  expect(await flwd(instance.dir, 'runs', '--job', 'othrs')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('did you mean `others`?'),
  });
  expect((await flwd(instance.dir, 'approvals', 'extra')).code).toBe(2);
  await waiting(await server.start('others'), 'go');
  const others = await flwd(instance.dir, 'approvals', '--job', 'others');
  expect(others.stdout).toMatch(/ anyone with runs:approve except local\n$/);
});

test('flwd approvals shows the scheduled time that a run of a backfill is for', async () => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  await flwd(instance.dir, 'backfill', 'nightly', '--from', '2026-03-01', '--until', '2026-03-02');
  await server.start('others');
  const listed = async () => (await flwd(instance.dir, 'approvals')).stdout;
  await expect.poll(listed).toMatch(/^run_\w+ +go +others +Go\? /m);
  await expect.poll(listed).toMatch(/^RUN +STEP +JOB +FOR +QUESTION +WAITING SINCE +WHO MAY ANSWER\n/);
  expect(await listed()).toMatch(/^run_\w+ +go +nightly +2026-03-01T02:30:00.000Z +go\? /m);
});

test('without a server, flwd approve ends when a sub-run waits for approval, and names the waiting step', async () => {
  const instance = await createInstance(jobs);
  const outer = await leftWaiting(instance, 'outer');
  const approved = await flwd(instance.dir, 'approve', outer);
  expect(approved).toMatchObject({ code: 0, stdout: `approved go of ${outer}\n` });
  const [, child = ''] =
    /first waits for approval: first\?: flwd approve (run_\w+) first\n$/.exec(approved.stderr) ?? [];
  expect(await flwd(instance.dir, 'approve', outer)).toMatchObject({
    code: 6,
    stderr: `no step of ${outer} is waiting for approval: the run is running; its step inner started the run ${child}\n`,
  });
});

test('approve is refused when no step is waiting', async () => {
  const { dir, serve } = await createInstance({ plain: bash('true') });
  const server = await serve();
  const { run_id: id } = await server.run('plain');
  expect(await flwd(dir, 'deny', id)).toEqual({
    code: 6,
    stdout: '',
    stderr: `no step of ${id} is waiting for approval: the run is success\n`,
  });
  expect(await flwd(dir, 'approve', 'run_x')).toMatchObject({ code: 3, stdout: '' });
  expect(await flwd(dir, 'approve')).toMatchObject({ code: 2, stdout: '' });
});

test('the duration of a run excludes the time that it waited for approval, which is shown separately', async () => {
  const instance = await createInstance(jobs);
  await start(instance.dir, ['serve']).prints(/listening on/);
  const id = (await flwd(instance.dir, 'run', 'asks', '--detach')).stdout.trim();
  const waitedMs = async () => {
    const [asked] = (await shown(instance, id)).waiting_approval;
    return asked ? Date.now() - Date.parse(asked.since) : 0;
  };
  await expect.poll(waitedMs).toBeGreaterThan(2_000);
  await flwd(instance.dir, 'approve', id);
  await expect.poll(async () => (await shown(instance, id)).status).toBe('success');

  const one = await flwd(instance.dir, 'runs', id);
  const [, work = ''] = /^took +([\d.]+ m?s) of work, [\d.]+ s waiting for approval$/m.exec(one.stdout) ?? [];
  expect(work).not.toBe('');
  const list = await flwd(instance.dir, 'runs');
  expect(list.stdout).toMatch(new RegExp(`^${id} +asks +success +\\S+ +${work} +local`, 'm'));
});
