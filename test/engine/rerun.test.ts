// Reruns: what they keep, and what happens when something has changed or was removed since.

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { fillDisk, testWithDisk } from '../support/small-disk.ts';
import { caller, dataFolder, type Opened, openEngine } from './an-engine.ts';
import { byId, script, steps } from './step-jobs.ts';

const secretArgs = {
  argspec: {
    type: 'object',
    properties: { token: { type: 'string', format: 'secret' }, ok: { type: 'boolean', default: false } },
  },
};
const two = steps(
  { ...secretArgs, steps: [script('build'), script('test', { needs: ['build'] })] },
  { build: 'echo built; echo one > image', test: '[ "$ok" = true ] || exit 1; cat image' },
);

async function again(
  { engine, finished }: Opened,
  runId: string,
  request: Parameters<Opened['engine']['rerun']>[1] = {},
) {
  return finished((await engine.rerun(runId, request, caller)).runId);
}

test('a run that has not ended, or does not exist, cannot be run again', async () => {
  const { create, engine } = await openEngine(dataFolder(), { jobs: { hold: bash('sleep 8014') } });
  const runId = await create('hold');
  await expect(engine.rerun(runId, {}, caller)).rejects.toMatchObject({ slug: 'run-not-finished' });
  await engine.cancel(runId, localPrincipal);
  await expect(engine.rerun('run_01HX0000000000000000000000', {}, caller)).rejects.toMatchObject({
    slug: 'run-not-found',
  });
});

test('a run whose workspace is gone can be rerun from its start, but not from a later step', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs: { two } });
  const runId = await opened.create('two');
  await opened.finished(runId);
  rmSync(join(root, 'data', 'runs', runId), { recursive: true });
  await expect(opened.engine.rerun(runId, { from: 'failed' }, caller)).rejects.toMatchObject({
    slug: 'workspace-expired',
    message: `The workspace of '${runId}' is no longer kept.`,
  });
  expect(await again(opened, runId, { args: { ok: true } })).toMatchObject({ status: 'success', rerun_of: runId });
});

test('a rerun uses the old revision of the job, or the current one on request', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs: { job: bash('echo old') } });
  const runId = await first.create('job');
  const old = await first.finished(runId);
  await first.close();
  await writeJob(join(root, 'jobs', 'job'), bash('echo new'));

  const opened = await openEngine(root);
  const same = await again(opened, runId);
  expect(same.source.revision).toBe(old.source.revision);
  expect(await opened.messages(same.run_id)).toEqual(['old']);
  const latest = await again(opened, runId, { revision: 'latest' });
  expect(latest.source.revision).not.toBe(old.source.revision);
  expect(await opened.messages(latest.run_id)).toEqual(['new']);
  rmSync(join(root, 'data', 'snapshots', old.source.revision), { recursive: true });
  await expect(opened.engine.rerun(runId, {}, caller)).rejects.toMatchObject({ slug: 'revision-expired' });
  expect(await again(opened, runId, { revision: 'latest' })).toMatchObject({ status: 'success' });
});

test('errors of a rerun name a step that the job does not have, and arguments that do not fit', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { two } });
  const runId = await opened.create('two');
  await opened.finished(runId);
  await expect(opened.engine.rerun(runId, { from: { step: 'ship' } }, caller)).rejects.toMatchObject({
    slug: 'validation-error',
    members: {
      errors: [{ pointer: '/from/step', message: "the job has no step 'ship'; its steps are 'build', 'test'" }],
    },
  });
  await expect(opened.engine.rerun(runId, { args: { ok: 'yes' } }, caller)).rejects.toMatchObject({
    slug: 'validation-error',
  });
});

test('a rerun from what failed is refused when nothing failed', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { works: steps({ steps: [script('a')] }, { a: 'true' }) } });
  const runId = await opened.create('works');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  await expect(opened.engine.rerun(runId, { from: 'failed' }, caller)).rejects.toMatchObject({
    members: { errors: [{ pointer: '/from' }] },
  });
});

test('a rerun gets the secret arguments of its run, and shows them redacted', async () => {
  const root = dataFolder();
  const reads = 'echo "token $(cat "$FLWD_SECRETS_DIR/token") $ok"';
  const opened = await openEngine(root, { jobs: { reads: bash(reads, secretArgs) } });
  const runId = await opened.create('reads', { token: 'hunter2-secret', ok: true });
  await opened.finished(runId);
  await opened.close();
  const next = await openEngine(root);
  const run = await again(next, runId, { args: { ok: false } });
  expect(run).toMatchObject({ status: 'success', args: { token: '[redacted]', ok: false } });
  expect(await next.messages(run.run_id)).toEqual(['token [redacted] false']);
  const other = await again(next, run.run_id, { args: { token: 'another-secret' } });
  expect(await next.messages(other.run_id)).toEqual(['token [redacted] false']);
});

test('an output with a secret is shown redacted but reaches later steps whole, across restarts and reruns', async () => {
  const root = dataFolder();
  const jobs = {
    sealed: steps(
      {
        ...secretArgs,
        steps: [
          script('login', { matrix: { n: [1, 2] } }),
          { id: 'gate', approval: { text: 'Go?' }, needs: ['login'] },
          script('use', { needs: ['gate'] }),
        ],
      },
      {
        login: 'flwd_output session "sid=$(cat "$FLWD_SECRETS_DIR/token")-$FLWD_MATRIX_N"',
        use: 'echo "$FLWD_STEP_LOGIN_SESSION" | wc -c; [ "$ok" = true ]; echo "got $FLWD_STEP_LOGIN_SESSION"',
      },
    ),
  };
  const raw = '["sid=hunter2-secret-1","sid=hunter2-secret-2"]';
  const shown = '["sid=[redacted]-1","sid=[redacted]-2"]';
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('sealed', { token: 'hunter2-secret' });
  const gated = await opened.when(runId, (run) => byId(run).gate?.status === 'waiting_approval');
  expect(byId(gated)).toMatchObject({
    login: { outputs: { session: shown } },
    'login[n=1]': { outputs: { session: 'sid=[redacted]-1' } },
  });
  await opened.close();

  const next = await openEngine(root);
  const approve = { step_id: 'gate', decision: 'approve' } as const;
  await expect.poll(() => next.engine.approve(runId, approve, caller).then(() => 'done', String)).toBe('done');
  expect(await next.finished(runId)).toMatchObject({ status: 'failed', error: { step_id: 'use' } });
  expect((await next.messages(runId))[0]).toBe(String(raw.length + 1));
  const second = await again(next, runId, { from: 'failed', args: { ok: true } });
  expect(second).toMatchObject({ status: 'success' });
  expect(byId(second).login).toMatchObject({ outputs: { session: shown } });
  expect(await next.messages(second.run_id)).toEqual([String(raw.length + 1), `got ${shown}`]);
  expect(JSON.stringify(second)).not.toContain('hunter2');
});

test('a rerun from a step of a job with a matrix keeps earlier steps and creates the instances again', async () => {
  const jobs = {
    fan: steps(
      {
        steps: [
          script('list'),
          script('m', { needs: ['list'], foreach: 'steps.list.outputs.items' }),
          script('sum', { needs: ['m'] }),
        ],
      },
      {
        list: 'echo listed; printf "items<<E\\nx\\ny\\nE\\n" > "$FLWD_OUTPUT_FILE"',
        m: 'echo "on $FLWD_ITEM"; flwd_output item "$FLWD_ITEM"',
        sum: 'echo "$FLWD_STEP_M_ITEM"',
      },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const runId = await opened.create('fan');
  expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
  const fromMatrix = await again(opened, runId, { from: { step: 'm' } });
  expect(fromMatrix.steps.map(({ step_id, status }) => [step_id, status])).toEqual([
    ['list', 'success'],
    ['m', 'success'],
    ['sum', 'success'],
    ['m[0]', 'success'],
    ['m[1]', 'success'],
  ]);
  expect((await opened.messages(fromMatrix.run_id)).toSorted()).toEqual(['["x","y"]', 'on x', 'on y']);
  const fromSum = await again(opened, fromMatrix.run_id, { from: { step: 'sum' } });
  expect(fromSum).toMatchObject({ status: 'success' });
  expect(await opened.messages(fromSum.run_id)).toEqual(['["x","y"]']);
  expect(fromSum.steps).toHaveLength(5);
});

test('a rerun keeps the stricter profile that the caller of the run chose', async () => {
  const loose = bash('echo ran', { security_profile: 'permissive' });
  const opened = await openEngine(dataFolder(), { jobs: { loose } });
  const runId = await opened.create('loose', {}, { security_profile: 'secure' });
  expect(await opened.finished(runId)).toMatchObject({ security: { profile: 'secure' } });
  expect(await again(opened, runId)).toMatchObject({ security: { profile: 'secure' } });
  const open = await opened.create('loose');
  await opened.finished(open);
  expect(await again(opened, open)).toMatchObject({ security: { profile: 'permissive' } });
});

test('a rerun from what failed uses the old workspace even if it keeps no step; one from the start uses a new one', async () => {
  const root = dataFolder();
  const jobs = {
    notes: steps(
      { ...secretArgs, steps: [script('note')] },
      { note: 'echo "$ok" >> notes; cat notes; [ "$ok" = true ]' },
    ),
    asks: steps({ steps: [{ id: 'ok', approval: { text: 'Go?' } }] }),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('notes');
  expect(await opened.finished(runId)).toMatchObject({ status: 'failed' });
  for (const from of ['failed', { step: 'note' }] as const) {
    const next = await again(opened, runId, { from, args: { ok: true } });
    expect(await opened.messages(next.run_id)).toEqual(['false', 'true']);
  }
  const anew = await again(opened, runId, { args: { ok: true } });
  expect(await opened.messages(anew.run_id)).toEqual(['true']);
  rmSync(join(root, 'data', 'runs', runId), { recursive: true });
  for (const from of ['failed', { step: 'note' }] as const) {
    await expect(opened.engine.rerun(runId, { from }, caller)).rejects.toMatchObject({ slug: 'workspace-expired' });
  }

  // A run in which no script has run has left no workspace.
  const asks = await opened.create('asks');
  await opened.when(asks, (run) => byId(run).ok?.status === 'waiting_approval');
  await opened.engine.approve(asks, { step_id: 'ok', decision: 'deny' }, caller);
  await opened.finished(asks);
  const { runId: asksAgain } = await opened.engine.rerun(asks, { from: 'failed' }, caller);
  await opened.when(asksAgain, (run) => byId(run).ok?.status === 'waiting_approval');
});

test('a job without steps keeps no workspace, so a rerun from what failed starts from the beginning', async () => {
  const opened = await openEngine(dataFolder(), { jobs: { fails: bash('echo ran; exit 1'), works: bash('echo ran') } });
  for (const jobId of ['fails', 'works']) {
    const runId = await opened.create(jobId);
    const { status } = await opened.finished(runId);
    for (const from of ['failed', { step: 'step_01' }] as const) {
      const next = await again(opened, runId, { from });
      expect([next.status, await opened.messages(next.run_id)]).toEqual([status, ['ran']]);
    }
  }
});

test('expressions in a rerun see the new run, not the old one', async () => {
  const jobs = {
    told: steps(
      {
        steps: [
          script('first'),
          script('second', {
            needs: ['first'],
            if: 'run.trigger == "rerun"',
            foreach: 'run.created_at + " " + run.id',
          }),
        ],
      },
      { first: 'true', second: 'echo "$FLWD_ITEM"' },
    ),
  };
  const opened = await openEngine(dataFolder(), { jobs });
  const runId = await opened.create('told');
  expect(byId(await opened.finished(runId)).second).toMatchObject({ status: 'skipped' });
  const next = await again(opened, runId, { from: { step: 'second' } });
  expect(await opened.messages(next.run_id)).toEqual([`${next.created_at} ${next.run_id}`]);
});

test('a rerun that must be refused is refused before the workspace is copied', async () => {
  const root = dataFolder();
  const jobs = {
    one: steps(
      {
        ...secretArgs,
        concurrency: { limit: 1, on_conflict: 'reject' },
        steps: [script('first'), script('hold', { needs: ['first'] })],
      },
      { first: 'true', hold: 'echo held; [ "$ok" = true ] || exit 1; sleep 8024' },
    ),
  };
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('one');
  await opened.finished(runId);
  // A run can be read as finished slightly before its concurrency group is free.
  const holder = await vi.waitFor(() => opened.create('one', { ok: true }), { timeout: 60_000 });
  await expect.poll(() => opened.messages(holder)).toEqual(['held']);
  rmSync(join(root, 'data', 'runs', runId), { recursive: true });
  await expect(opened.engine.rerun(runId, { from: 'failed' }, caller)).rejects.toMatchObject({
    slug: 'concurrency-conflict',
  });
  await opened.engine.cancel(holder, localPrincipal);
});

testWithDisk(
  'a rerun whose workspace does not fit on the disk leaves no files, and copies it once there is room',
  async () => {
    const root = dataFolder({ sizeMiB: 24 });
    const jobs = {
      large: steps(
        { ...secretArgs, steps: [script('make'), script('use', { needs: ['make'] })] },
        { make: 'head -c 4000000 /dev/zero > image', use: '[ "$ok" = true ] || exit 1; wc -c < image' },
      ),
    };
    const opened = await openEngine(root, { jobs });
    const runId = await opened.create('large');
    await opened.finished(runId);
    const runs = join(root, 'data', 'runs');
    const free = fillDisk(root);
    const request = { from: 'failed', args: { ok: true } } as const;
    await expect(opened.engine.rerun(runId, request, caller)).rejects.toMatchObject({
      slug: 'not-ready',
      message: expect.stringMatching(
        /^The workspace of '.+' could not be copied: (No space left on device|ENOSPC.*)\.$/,
      ),
    });
    expect(readdirSync(runs)).toEqual([runId]);
    free();
    const next = await again(opened, runId, request);
    expect(await opened.messages(next.run_id)).toEqual(['4000000']);
  },
);

test('a rerun from what failed keeps the successful instances and their outputs, in the order of the instances', async () => {
  const jobs = {
    release: steps(
      {
        argspec: { type: 'object', properties: { ok: { type: 'boolean', default: false }, hosts: { type: 'array' } } },
        steps: [
          script('build'),
          script('test', { needs: ['build'], matrix: { node: [22, 24], db: ['pg', 'my'] } }),
          script('deploy', { needs: ['build'], foreach: 'args.hosts' }),
          script('say', { needs: ['test', 'deploy'] }),
        ],
      },
      {
        build: 'echo built',
        test: 'flwd_output id "$FLWD_MATRIX_NODE$FLWD_MATRIX_DB"; echo "$FLWD_MATRIX_NODE$FLWD_MATRIX_DB"; [ "$FLWD_MATRIX_NODE$FLWD_MATRIX_DB" != 22my ] || [ "$ok" = true ]',
        deploy: 'flwd_output on "$FLWD_ITEM"; echo "to $FLWD_ITEM"; [ "$FLWD_ITEM" != two ] || [ "$ok" = true ]',
        say: 'echo "$FLWD_STEP_TEST_ID $FLWD_STEP_DEPLOY_ON"',
      },
    ),
  };
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('release', { hosts: ['one', 'two', 'three', 'four'] });
  const old = await opened.finished(runId);
  expect(old).toMatchObject({ status: 'failed' });
  const run = await again(opened, runId, { from: 'failed', args: { ok: true, hosts: ['one', 'two', 'drei', 'four'] } });
  expect((await opened.messages(run.run_id)).toSorted()).toEqual([
    '22my',
    '["22pg","22my","24pg","24my"] ["one","two","drei","four"]',
    'to drei',
    'to two',
  ]);
  expect(run.steps.map(({ step_id: id, status }) => `${id} ${status}`)).toEqual([
    'build success',
    'test success',
    'deploy success',
    'say success',
    'test[node=22,db=pg] success',
    'test[node=22,db=my] success',
    'test[node=24,db=pg] success',
    'test[node=24,db=my] success',
    'deploy[0] success',
    'deploy[1] success',
    'deploy[2] success',
    'deploy[3] success',
  ]);
  const kept = ['build', 'test[node=22,db=pg]', 'deploy[0]', 'deploy[3]'];
  for (const id of kept) expect(byId(run)[id]?.started_at, id).toBe(byId(old)[id]?.started_at);
});

test('a waiting rerun with kept instances continues after a restart, and runs no instance when all had succeeded', async () => {
  const root = dataFolder();
  const jobs = {
    hold: bash('echo held; until [ -e /workspace/go ]; do sleep 0.02; done'),
    fan: steps(
      { steps: [script('a', { matrix: { n: [1, 2, 3] } }), script('b', { needs: ['a'] })] },
      {
        a: 'echo "a$FLWD_MATRIX_N"; flwd_output n "$FLWD_MATRIX_N"; [ "$FLWD_MATRIX_N" != 2 ] || [ -e once ] || { touch once; exit 1; }',
        b: 'echo "b $FLWD_STEP_A_N"; [ -e twice ] || { touch twice; exit 1; }',
      },
    ),
  };
  const opened = await openEngine(root, { jobs, limits: { globalConcurrency: 1 } });
  const first = await opened.create('fan');
  expect(await opened.finished(first)).toMatchObject({ status: 'failed' });
  const holding = await opened.create('hold');
  await expect.poll(() => opened.messages(holding)).toEqual(['held']);
  const { runId: second } = await opened.engine.rerun(first, { from: 'failed' }, caller);
  expect(await opened.when(second, () => true)).toMatchObject({ status: 'pending' });
  await opened.close();
  const next = await openEngine(root);
  writeFileSync(join(root, 'data/runs', holding, 'workspace/go'), '');
  expect(await next.finished(second)).toMatchObject({ status: 'failed' });
  expect(await next.messages(second)).toEqual(['a2', 'b ["1","2","3"]']);
  const third = await again(next, second, { from: 'failed' });
  expect(third).toMatchObject({ status: 'success' });
  expect(await next.messages(third.run_id)).toEqual(['b ["1","2","3"]']);
});
