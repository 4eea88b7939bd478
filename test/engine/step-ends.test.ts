// How steps end, and what that means for their run: what they leave, what exceeds limits, what cannot be decided.

import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { byId, script, steps, tick } from './step-jobs.ts';

test('a step with `always` does not start once its run is cancelled', async () => {
  const jobs = {
    tidy: steps(
      { cancel: { grace: '10m' }, steps: [script('work'), script('clean', { needs: ['work'], always: true })] },
      { work: 'echo held; sleep 8016', clean: 'echo cleaned' },
    ),
  };
  const { create, engine, messages, store } = await openEngine(dataFolder(), { jobs });
  const runId = await create('tidy');
  await expect.poll(() => messages(runId)).toEqual(['held']);
  expect(await engine.cancel(runId, localPrincipal)).toEqual({ status: 'cancelled' });
  const run = (await store.runs.get(runId)) ?? missing();
  expect(byId(run)).toMatchObject({
    work: { status: 'cancelled' },
    clean: { status: 'skipped', reason: 'run_ended', message: 'the run ended while this step was waiting' },
  });
  expect(await messages(runId)).toEqual(['held']);
});

test('a cancel that comes too late changes nothing, even if a step has timed out before', async () => {
  const jobs = {
    lenient: steps(
      {
        cancel: { grace: '10m' },
        steps: [script('slow', { timeout: '200ms', continue_on_error: true }), script('last', { needs: ['slow'] })],
      },
      { slow: 'sleep 8017', last: 'truncate -s 128M file; flwd_artifact file' },
    ),
  };
  const { create, engine, finished, when } = await openEngine(dataFolder(), { jobs });
  const runId = await create('lenient');
  await when(runId, (run) => byId(run).last?.status !== 'pending');
  await expect.poll(() => engine.queue().running, { interval: 1 }).toBe(0);
  await expect(engine.cancel(runId, localPrincipal)).rejects.toMatchObject({ slug: 'run-already-finished' });
  const run = await finished(runId);
  expect(byId(run)).toMatchObject({ slow: { status: 'failed', reason: 'timeout' }, last: { status: 'success' } });
  expect(run).toMatchObject({ status: 'success' });
});

test('a step still starts if only needs with continue_on_error failed, but not if another need failed, too', async () => {
  const jobs = {
    mixed: steps(
      {
        steps: [
          script('lint', { continue_on_error: true }),
          script('build'),
          script('report', { needs: ['lint'], if: 'steps.lint.status == "failed"' }),
          script('ship', { needs: ['lint', 'build'] }),
        ],
      },
      { lint: 'exit 1', build: 'exit 2', report: 'echo reported', ship: 'true' },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('mixed');
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'exit',
    exit_code: expect.any(Number),
    error: { step_id: 'build' },
  });
  expect(byId(run)).toMatchObject({
    report: { status: 'success' },
    ship: { status: 'skipped', reason: 'upstream_failed', message: 'it needs build, which failed' },
  });
  expect(await messages(runId)).toContain('reported');
});

test('a file is an artifact of the step that names it, and files that no step names are taken once, at the end', async () => {
  const jobs = {
    makes: steps(
      {
        artifacts: { paths: ['*.txt'] },
        steps: [script('a'), script('b', { needs: ['a'] }), script('c', { needs: ['b'] })],
      },
      {
        a: 'echo one > named.txt; flwd_artifact named.txt; echo shared > "$FLWD_ARTIFACTS_DIR/shared.bin"',
        b: `flwd_artifact named.txt; echo two > late.txt; flwd_artifact "$FLWD_ARTIFACTS_DIR/shared.bin"; ${tick}`,
        c: `${tick}; echo three > end.txt`,
      },
    ),
  };
  const { create, finished, store } = await openEngine(dataFolder(), { jobs });
  const runId = await create('makes');
  expect(await finished(runId)).toMatchObject({ status: 'success' });
  const { artifacts } = await store.artifacts.list({ runId, limit: 100 });
  expect(artifacts.map(({ name, step_id }) => `${name} of ${step_id}`).toSorted()).toEqual([
    'end.txt of c',
    'late.txt of b',
    'named.txt of a',
    'shared.bin of b',
  ]);
});

test('outputs over their limit fail the step with a message, and steps that need it are skipped', async () => {
  const jobs = {
    large: steps(
      { steps: [script('big'), script('next', { needs: ['big'] })] },
      { big: 'head -c 2000000 /dev/zero | tr "\\0" x | sed "s/^/key=/" > "$FLWD_OUTPUT_FILE"', next: 'true' },
    ),
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs });
  const run = await finished(await create('large'));
  expect(run).toMatchObject({ status: 'failed', reason: 'invalid_result', error: { step_id: 'big' } });
  expect(run.error?.message).toBe('FLWD_OUTPUT_FILE has 2000004 bytes, more than the 1048576 allowed');
  expect(byId(run)).toMatchObject({ big: { outputs: {} }, next: { status: 'skipped', reason: 'upstream_failed' } });
});

test('an `if` or a `foreach` without a value at run time fails its step and says why', async () => {
  const jobs = {
    asks: steps(
      {
        steps: [
          script('a'),
          script('b', { needs: ['a'], if: 'steps.a.outputs.count > 3' }),
          script('c', { needs: ['b'] }),
        ],
      },
      { a: 'true', b: 'echo never', c: 'echo never' },
    ),
    loops: steps(
      { steps: [script('a'), script('b', { needs: ['a'], foreach: 'steps.a.outputs.nothing' })] },
      { a: 'true', b: 'echo never' },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const asks = await finished(await create('asks'));
  expect(asks).toMatchObject({ status: 'failed', reason: 'start_failed', error: { step_id: 'b' } });
  expect(asks.error?.message).toMatch(/^`if`: .*count/);
  expect(byId(asks)).toMatchObject({ b: { started_at: null }, c: { status: 'skipped', reason: 'upstream_failed' } });
  const loops = await finished(await create('loops'));
  expect(loops).toMatchObject({ status: 'failed', reason: 'start_failed', error: { step_id: 'b' } });
  expect(loops.error?.message).toMatch(/^`foreach`: /);
  expect(await messages(asks.run_id)).toEqual([]);
});

test('an instance that fails makes its step fail, the error names it, and the other instances continue', async () => {
  const jobs = {
    fan: steps(
      { steps: [script('build', { matrix: { node: [20, 22, 24] } }), script('ship', { needs: ['build'] })] },
      { build: 'echo "on $FLWD_MATRIX_NODE"; [ "$FLWD_MATRIX_NODE" != 22 ] || exit 9', ship: 'true' },
    ),
  };
  const { create, finished, messages } = await openEngine(dataFolder(), { jobs });
  const runId = await create('fan');
  const run = await finished(runId);
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'exit',
    exit_code: 9,
    error: { message: 'exited with code 9', step_id: 'build[node=22]' },
  });
  expect(byId(run)).toMatchObject({
    build: { kind: 'group', status: 'failed', reason: 'exit', message: 'build[node=22]: exited with code 9' },
    'build[node=20]': { status: 'success' },
    'build[node=24]': { status: 'success' },
    ship: { status: 'skipped', message: 'it needs build, which failed' },
  });
  expect((await messages(runId)).toSorted()).toEqual(['on 20', 'on 22', 'on 24']);
});

test('two steps that print at the same time lose no line, and each has its lines in order', async () => {
  const jobs = {
    loud: steps(
      { steps: [script('a'), script('b')] },
      { a: 'for n in $(seq 3000); do echo "a $n"; done', b: 'for n in $(seq 3000); do echo "b $n" >&2; done' },
    ),
  };
  const { create, finished, store } = await openEngine(dataFolder(), { jobs });
  const runId = await create('loud');
  expect(await finished(runId)).toMatchObject({ status: 'success' });
  const { lines } = await store.logs.page(runId, { limit: 10_000 });
  for (const id of ['a', 'b']) {
    const own = lines.filter(({ step_id }) => step_id === id).map(({ message }) => message);
    expect(own).toEqual(Array.from({ length: 3_000 }, (_, n) => `${id} ${n + 1}`));
  }
  expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 6_000 }, (_, n) => n + 1));
  const announced = (await store.journal.read({ afterId: 0, runId, limit: 10_000 })).flatMap((entry) =>
    entry.type === 'step.output' ? [entry.lineCount] : [],
  );
  expect(announced.reduce((sum, count) => sum + count, 0)).toBe(6_000);
});

test('a sub-run that somebody cancels fails the step that started it, and the step says so', async () => {
  const jobs = {
    child: bash('echo held; sleep 8018'),
    parent: steps({ steps: [{ id: 'sub', job: 'child' }] }),
  };
  const { create, engine, finished, messages, when } = await openEngine(dataFolder(), { jobs });
  const parent = await create('parent');
  const childId = (await when(parent, (run) => run.steps[0]?.child_run_id !== null)).steps[0]?.child_run_id ?? '';
  await expect.poll(() => messages(childId)).toEqual(['held']);
  await engine.cancel(childId, localPrincipal);
  expect(await finished(parent)).toMatchObject({
    status: 'failed',
    reason: 'upstream_failed',
    error: { step_id: 'sub', message: `${childId} of child was cancelled by local` },
  });
});

test('a failed script’s error is its last line of stderr, as a terminal shows it, without secrets', async () => {
  const argspec = { type: 'object', properties: { key: { type: 'string', format: 'secret' } } };
  const [red, plain] = [String.raw`\e[31;1m`, String.raw`\e[0m`];
  const jobs = {
    coloured: bash(String.raw`printf '${red}ERROR:${plain} disk quota exceeded\n' >&2; exit 3`),
    windows: bash(String.raw`printf 'run.sh: line 2: set: pipefail\r: invalid option name\r\n' >&2; exit 3`),
    overwritten: bash(String.raw`printf 'sent 1%%\rsent 99%%\rno space left\r\n' >&2; exit 3`),
    split: bash(String.raw`printf 'refused %.8s\e[0m%s\n' "$KEY" "$(printf %s "$KEY" | tail -c +9)" >&2; exit 3`, {
      argspec,
      env: { KEY: { secret: 'key' } },
    }),
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs });
  const why = async (job: string, args = {}): Promise<unknown> =>
    (await finished(await create(job, args))).error?.message;
  expect(await why('coloured')).toBe('exited with code 3: ERROR: disk quota exceeded');
  expect(await why('overwritten')).toBe('exited with code 3: no space left');
  expect(await why('windows')).toBe(
    String.raw`exited with code 3: run.sh: line 2: set: pipefail\r: invalid option name`,
  );
  expect(await why('split', { key: 'correct-horse-battery' })).toBe('exited with code 3: refused [redacted]');
});

test('a step that prints a file name longer than any file can have fails like any other step', async () => {
  const name = 'é'.repeat(150);
  const jobs = {
    long: steps({ steps: [script('read')] }, { read: `echo "cat: ${name}: No such file or directory" >&2; exit 3` }),
  };
  const { create, finished } = await openEngine(dataFolder(), { jobs });
  const run = await finished(await create('long'));
  expect(byId(run).read).toMatchObject({ status: 'failed', exit_code: 3 });
});

test('the hint of a failed step is shown on its instance, its group, its run and the parent run, and in their events', async () => {
  const jobs = {
    matrix: steps(
      { steps: [script('pull', { matrix: { host: ['a', 'b'] }, if: 'true' })] },
      { pull: '[[ $FLWD_MATRIX_HOST == a ]] || curl -s "http://$FLWD_MATRIX_HOST.example"' },
    ),
    parent: steps({ steps: [{ id: 'sub', job: 'matrix' }] }),
    slow: bash('sleep 8019', { timeouts: { run: '100ms' } }),
  };
  const { create, finished, store, log } = await openEngine(dataFolder(), { jobs });
  const hint = 'the sandbox gives the job no network: allow it with `permissions: {network: all}`';
  const parentId = await create('parent');
  const parent = await finished(parentId);
  expect(parent).toMatchObject({ status: 'failed', error: { step_id: 'sub', hint }, steps: [{ hint }] });
  const childId = parent.steps[0]?.child_run_id ?? '';
  const child = (await store.runs.get(childId)) ?? missing();
  expect(child.error).toMatchObject({ step_id: 'pull[host=b]', hint });
  expect(byId(child)).toMatchObject({
    pull: { hint },
    'pull[host=a]': { status: 'success', hint: null },
    'pull[host=b]': { hint },
  });
  const events = (await store.journal.read({ afterId: 0, limit: 1_000 })).filter(({ runId }) => runId === childId);
  expect(events.find(({ type }) => type === 'run.finished')).toMatchObject({
    data: { message: child.error?.message, hint },
  });
  expect(log).toContainEqual(expect.objectContaining({ msg: 'a run failed', run_id: childId, hint }));
  expect((await finished(await create('slow'))).error).toMatchObject({
    message: 'did not end within 100ms',
    hint: 'if it needs longer, raise `timeouts: {run: …}` in config.yaml',
  });
});

function missing(): never {
  throw new Error('there is no such run');
}
