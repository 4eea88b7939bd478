// Runs with many steps and real processes: their order, what they pass on, what is skipped and why.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';
import { byId, script, steps } from './step-jobs.ts';

test('steps run in the order of their needs, pass on outputs and share one workspace', async () => {
  const jobs = {
    release: steps(
      { steps: [script('build'), script('test', { needs: ['build'] }), script('ship', { needs: ['test'] })] },
      {
        build: 'echo built > image; flwd_output tag v1.2; echo building',
        test: 'cat image; echo "testing $FLWD_STEP_BUILD_TAG"',
        ship: 'echo "shipping $FLWD_STEP_BUILD_TAG"; flwd_result "{\\"shipped\\": true}"',
      },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('release');
  const run = await finished(runId);
  expect(run).toMatchObject({ status: 'success', result: { value: { shipped: true } }, exit_code: 0 });
  expect(run.steps.map(({ step_id, status }) => [step_id, status])).toEqual([
    ['build', 'success'],
    ['test', 'success'],
    ['ship', 'success'],
  ]);
  expect(await messages(runId)).toEqual(['building', 'built', 'testing v1.2', 'shipping v1.2']);
});

test('steps that need a failed step are skipped and say so, other branches continue, and `always` steps run last', async () => {
  const jobs = {
    mixed: steps(
      {
        steps: [
          script('broken'),
          script('after', { needs: ['broken'] }),
          script('fine'),
          script('never', { if: 'args.env == "production"', needs: ['fine'] }),
          script('behind', { needs: ['never'] }),
          script('clean', { needs: ['after', 'behind'], always: true }),
        ],
        argspec: { type: 'object', properties: { env: { type: 'string' } } },
      },
      { broken: 'exit 3', after: 'true', fine: 'true', never: 'true', behind: 'true', clean: 'echo cleaned' },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('mixed', { env: 'staging' });
  const run = await finished(runId);
  expect(run).toMatchObject({ status: 'failed', reason: 'exit', exit_code: 3, error: { step_id: 'broken' } });
  expect(byId(run)).toMatchObject({
    broken: { status: 'failed', reason: 'exit' },
    after: { status: 'skipped', reason: 'upstream_failed', message: 'it needs broken, which failed' },
    fine: { status: 'success' },
    never: {
      status: 'skipped',
      reason: 'condition',
      message: 'its `if` is false: args.env == "production"',
    },
    behind: { status: 'success' },
    clean: { status: 'success' },
  });
  expect(await messages(runId)).toContain('cleaned');
});

test('a failed step with continue_on_error fails neither the run nor the steps that need it', async () => {
  const jobs = {
    lenient: steps(
      { steps: [script('lint', { continue_on_error: true }), script('build', { needs: ['lint'] })] },
      { lint: 'exit 1', build: 'true' },
    ),
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs });
  const run = await finished(await create('lenient'));
  expect(run).toMatchObject({ status: 'success', reason: null, error: null });
  expect(byId(run)).toMatchObject({ lint: { status: 'failed', reason: 'exit' }, build: { status: 'success' } });
});

test('a matrix and a foreach create instances, whose outputs are joined to lists', async () => {
  const jobs = {
    fan: steps(
      {
        steps: [
          script('list'),
          script('build', { needs: ['list'], matrix: { node: [22, 24], os: ['a', 'b'] } }),
          script('ship', { needs: ['build'], foreach: 'steps.list.outputs.items' }),
          script('none', { foreach: '[]' }),
          script('sum', { needs: ['ship', 'none'] }),
        ],
      },
      {
        list: 'printf "items<<E\\nx\\ny\\nE\\n" > "$FLWD_OUTPUT_FILE"',
        build: 'flwd_output name "$FLWD_MATRIX_NODE-$FLWD_MATRIX_OS"',
        ship: 'flwd_output item "<$FLWD_ITEM>"',
        none: 'exit 1',
        sum: 'echo "$FLWD_STEP_SHIP_ITEM $FLWD_STEP_BUILD_NAME"',
      },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('fan');
  const run = await finished(runId);
  expect(run.status).toBe('success');
  expect(byId(run)).toMatchObject({
    build: { kind: 'group', status: 'success' },
    'build[node=22,os=b]': { kind: 'command', instance_of: 'build', outputs: { name: '22-b' } },
    ship: { outputs: { item: '["<x>","<y>"]' } },
    'ship[1]': { status: 'success', outputs: { item: '<y>' } },
    none: { status: 'success', kind: 'group' },
  });
  expect(await messages(runId)).toEqual(['["<x>","<y>"] ["22-a","22-b","24-a","24-b"]']);
});

test('a step is retried as its `retry` says, and each attempt has its own lines', async () => {
  const jobs = {
    flaky: bash('echo "attempt $FLWD_ATTEMPT"; [ "$FLWD_ATTEMPT" = 3 ] || exit 75', {
      retry: { limit: 5, backoff: 'fixed', delay: '20ms', on: [1] },
    }),
    stubborn: bash('exit 2', { retry: { limit: 5, delay: '10ms', on: [1] } }),
  };
  const { create, finished, store } = await openEngine(dataFolder(), { jobs });
  const runId = await create('flaky');
  expect(await finished(runId)).toMatchObject({ status: 'success', attempt: 3, steps: [{ attempt: 3 }] });
  expect(
    (await store.runs.attempts(runId)).map(({ attempt, status, exit_code }) => [attempt, status, exit_code]),
  ).toEqual([
    [1, 'failed', 75],
    [2, 'failed', 75],
    [3, 'success', 0],
  ]);
  const { lines } = await store.logs.page(runId, { limit: 10 });
  expect(
    lines.map(({ attempt, message }) => [attempt, message]).filter(([, text]) => `${text}`.startsWith('attempt')),
  ).toEqual([
    [1, 'attempt 1'],
    [2, 'attempt 2'],
    [3, 'attempt 3'],
  ]);
  const types = (await store.journal.read({ afterId: 0, runId, limit: 100 })).map(({ type }) => type);
  expect(types.filter((type) => type === 'step.retrying')).toHaveLength(2);
  expect(await finished(await create('stubborn'))).toMatchObject({ status: 'failed', attempt: 1, exit_code: 2 });
});

test('a sub-run needs no slot of its parent: one slot is enough for both, and its result becomes outputs', async () => {
  const jobs = {
    child: bash('flwd_result "{\\"tag\\": \\"$name\\", \\"n\\": 3}"', {
      argspec: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
    }),
    parent: steps(
      {
        steps: [
          script('first'),
          { id: 'sub', job: 'child', args: { name: { from: 'steps.first.outputs.name' } }, needs: ['first'] },
          script('last', { needs: ['sub'] }),
        ],
      },
      { first: 'flwd_output name blue', last: 'echo "$FLWD_STEP_SUB_TAG $FLWD_STEP_SUB_N"' },
    ),
  };
  const { create, finished, messages, store } = await openEngine(dataFolder(), {
    jobs,
    limits: { globalConcurrency: 1 },
  });
  const runId = await create('parent', {}, { tenant: 'acme' });
  const run = await finished(runId);
  expect(run).toMatchObject({ status: 'success' });
  const childId = byId(run).sub?.child_run_id ?? '';
  expect(await store.runs.get(childId)).toMatchObject({
    status: 'success',
    tenant: 'acme',
    parent: { run_id: runId, step_id: 'sub' },
    trigger: { type: 'job' },
  });
  expect(await messages(runId)).toEqual(['blue 3']);
});

test('a sub-run that fails makes its step fail; cancelling the parent cancels the child', async () => {
  const jobs = {
    broken: bash('echo no >&2; exit 4'),
    slow: bash('echo started; sleep 8004'),
    parent: steps({ steps: [{ id: 'sub', job: 'broken' }] }),
    waiting: steps({ steps: [{ id: 'sub', job: 'slow' }] }),
  };
  const { create, engine, finished, messages, store, when } = await openEngine(dataFolder(), { jobs });
  const failed = await finished(await create('parent'));
  expect(failed).toMatchObject({ status: 'failed', reason: 'exit', error: { step_id: 'sub' } });
  expect(failed.error?.message).toContain('of broken failed: exited with code 4: no');

  const runId = await create('waiting');
  const childId = (await when(runId, (run) => run.steps[0]?.child_run_id !== null)).steps[0]?.child_run_id ?? '';
  await expect.poll(() => messages(childId)).toEqual(['started']);
  expect(await engine.cancel(runId, localPrincipal)).toEqual({ status: 'cancelled' });
  expect(await store.runs.get(childId)).toMatchObject({ status: 'cancelled', termination: { remaining: 0 } });
});

test('jobs that start each other in a circle, or start a job that does not exist, are refused by name', async () => {
  const jobs = {
    a: steps({ steps: [{ id: 'b', job: 'b' }] }),
    b: steps({ steps: [{ id: 'a', job: 'a' }] }),
    lost: steps({ steps: [{ id: 'x', job: 'nowhere' }] }),
  };
  const { create } = await openEngine(dataFolder(), { jobs });
  await expect(create('a')).rejects.toMatchObject({
    slug: 'job-invalid',
    message: "The job 'a' cannot run: the jobs start each other in a circle: a → b → a.",
  });
  await expect(create('lost')).rejects.toMatchObject({
    message: "The job 'lost' cannot run: its step 'x' runs the job 'nowhere', which does not exist or cannot be used.",
  });
});

test('a secret written into the step of a sub-run is refused before anything starts', async () => {
  const argspec = {
    type: 'object',
    properties: { token: { type: 'string', format: 'secret' }, to: { type: 'string' } },
  };
  const jobs = {
    child: bash('true', { argspec }),
    parent: steps({ steps: [{ id: 'x', job: 'child', args: { token: 'hunter2-secret', to: 'all' } }] }),
    open: steps({ steps: [{ id: 'x', job: 'child', args: { to: 'all' } }] }),
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs });
  await expect(create('parent')).rejects.toMatchObject({
    slug: 'job-invalid',
    message:
      "The job 'parent' cannot run: its step 'x' contains a text for 'token', a secret argument of 'child': everyone who may see the job could read it.",
  });
  expect(await finished(await create('open'))).toMatchObject({ status: 'success' });
});

test('an approval waits without a slot, also across a restart, and can be decided once', async () => {
  const jobs = {
    gated: steps(
      {
        steps: [
          script('build'),
          { id: 'ok', approval: { text: 'Ship it?' }, needs: ['build'] },
          script('ship', { needs: ['ok'] }),
        ],
      },
      { build: 'echo built', ship: 'echo shipped' },
    ),
    owned: steps({ steps: [{ id: 'ok', approval: { text: 'Really?', by: ['alice'] } }] }),
  };
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('gated');
  const waiting = await opened.when(runId, (run) => byId(run).ok?.status === 'waiting_approval');
  expect(waiting.waiting).toBe('ok waits for an approval');
  expect(byId(waiting)).toMatchObject({ ok: { message: 'Ship it?' } });
  expect(opened.engine.queue().running).toBe(0);
  await opened.close();

  const next = await openEngine(root);
  const approve = { step_id: 'ok', decision: 'approve', comment: 'go' } as const;
  await expect.poll(() => next.engine.approve(runId, approve, caller).then(() => 'done', String)).toBe('done');
  await expect(next.engine.approve(runId, approve, caller)).rejects.toMatchObject({ slug: 'approval-not-pending' });
  const run = await next.finished(runId);
  expect(run.status).toBe('success');
  expect(byId(run).ok).toMatchObject({ approval: { decision: 'approve', by: 'local', comment: 'go' } });
  expect(await next.messages(runId)).toEqual(['built', 'shipped']);

  const owned = await next.create('owned');
  await next.when(owned, ({ status }) => status === 'running');
  await expect(next.engine.approve(owned, approve, caller)).rejects.toMatchObject({ slug: 'permission-denied' });
  await next.engine.cancel(owned, localPrincipal);

  const denied = await next.create('gated');
  await next.when(denied, (one) => byId(one).ok?.status === 'waiting_approval');
  await next.engine.approve(denied, { step_id: 'ok', decision: 'deny' }, caller);
  expect(await next.finished(denied)).toMatchObject({ status: 'failed', reason: 'approval_denied' });
});

test('a rerun from what failed gets a copy of the workspace, and the outputs of steps that succeeded', async () => {
  const jobs = {
    release: steps(
      {
        steps: [script('build'), script('test', { needs: ['build'] }), script('ship', { needs: ['test'] })],
        argspec: { type: 'object', properties: { ok: { type: 'boolean', default: false } } },
      },
      {
        build: 'echo built; echo one > image; flwd_output tag v1',
        test: '[ "$ok" = true ]; cat image',
        ship: 'echo "shipping $FLWD_STEP_BUILD_TAG"',
      },
    ),
  };
  const { create, engine, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('release');
  expect(await finished(runId)).toMatchObject({ status: 'failed', error: { step_id: 'test' } });
  const { runId: again } = await engine.rerun(runId, { from: 'failed', args: { ok: true } }, caller);
  expect(await finished(again)).toMatchObject({ status: 'success', rerun_of: runId, trigger: { type: 'rerun' } });
  expect(await messages(again)).toEqual(['one', 'shipping v1']);

  const { runId: fromTest } = await engine.rerun(again, { from: { step: 'ship' } }, caller);
  await finished(fromTest);
  expect(await messages(fromTest)).toEqual(['shipping v1']);
  const { runId: whole } = await engine.rerun(again, {}, caller);
  await finished(whole);
  expect(await messages(whole)).toEqual(['built', 'one', 'shipping v1']);
});
