import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';

test('a cancel after the script has ended is too late, even while the artifacts are being stored', async () => {
  const leaves = bash('truncate -s 128M "$FLWD_ARTIFACTS_DIR/large"; flwd_result 7', { cancel: { grace: '10m' } });
  const opened = await openEngine(dataFolder(), { jobs: { leaves } });
  const runId = await opened.create('leaves');
  await opened.when(runId, ({ started_at }) => started_at !== null);
  await expect.poll(() => opened.engine.queue().running, { interval: 1 }).toBe(0);

  await expect(opened.engine.cancel(runId, localPrincipal)).rejects.toMatchObject({ slug: 'run-already-finished' });
  expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'success', result: { value: 7 }, exit_code: 0 });
});

test('a cancel after a failed attempt, while its log is being stored, ends the run instead of the next attempt', async () => {
  const fails = {
    'config.yaml': JSON.stringify({
      composition: 'steps',
      cancel: { grace: '10m' },
      steps: [{ id: 'tries', script: './try.sh', retry: { limit: 1, delay: '1h' } }],
    }),
    'try.sh': '#!/usr/bin/env bash\nseq 1000000 >&2\nexit 75\n',
  };
  const { create, engine, store, when } = await openEngine(dataFolder(), { jobs: { fails } });
  const runId = await create('fails');
  await when(runId, ({ started_at }) => started_at !== null);
  await expect.poll(() => engine.queue().running, { interval: 1 }).toBe(0);
  expect(await engine.cancel(runId, localPrincipal)).toEqual({ status: 'cancelled' });
  expect(await store.runs.get(runId)).toMatchObject({ status: 'cancelled', reason: null });
  const [first] = await store.runs.attempts(runId);
  expect(first).toMatchObject({ status: 'failed', reason: 'exit', exit_code: 75 });
});

test('a forced cancel cuts the grace period of a job short', async () => {
  const stubborn = bash(`trap 'echo not yet' TERM; echo ready; while true; do sleep 0.1 || true; done`, {
    cancel: { grace: '10m' },
  });
  const { create, engine, messages, store } = await openEngine(dataFolder(), { jobs: { stubborn } });
  const runId = await create('stubborn');
  await expect.poll(() => messages(runId)).toContain('ready');
  const inOrder = engine.cancel(runId, localPrincipal);
  await expect.poll(() => messages(runId)).toContain('not yet');
  expect(await engine.cancel(runId, localPrincipal, { isForced: true })).toEqual({ status: 'cancelled' });
  expect(await inOrder).toEqual({ status: 'cancelled' });
  expect(await store.runs.get(runId)).toMatchObject({
    status: 'cancelled',
    termination: { signals: [{ signal: 'TERM' }, { signal: 'KILL' }], remaining: 0 },
  });
});

test('a forced cancel also reaches sub-runs', async () => {
  const stubborn = bash(`trap 'echo not yet' TERM; echo ready; while true; do sleep 0.1 || true; done`, {
    cancel: { grace: '10m' },
  });
  const jobs = { stubborn, parent: { 'config.yaml': JSON.stringify({ steps: [{ id: 'sub', job: 'stubborn' }] }) } };
  const { create, engine, messages, store } = await openEngine(dataFolder(), { jobs });
  const runId = await create('parent');
  const childId = await expect
    .poll(async () => (await store.runs.get(runId))?.steps[0]?.child_run_id)
    .toBeTypeOf('string')
    .then(async () => (await store.runs.get(runId))?.steps[0]?.child_run_id ?? '');
  await expect.poll(() => messages(childId)).toContain('ready');
  expect(await engine.cancel(runId, localPrincipal, { isForced: true })).toEqual({ status: 'cancelled' });
  expect(await store.runs.get(childId)).toMatchObject({ status: 'cancelled' });
});
