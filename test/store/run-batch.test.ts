import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunBatch } from '../../src/store/run/run-batch.ts';
import { Superseded } from '../../src/store/superseded.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';

const step = { kind: 'command', needs: [] } as const;
const started = { status: 'running', atMs: nowMs, owner: 'owner-1', worker: 'here', deadlineAtMs: null } as const;
const ended = { status: 'success', reason: null, atMs: nowMs + 1_000, exitCode: 0, outputs: { url: '***' } } as const;

describe.each(engines)('a batch of changes on $engine', ({ open }) => {
  const { id: runId, jobId, tenant } = aRun();
  const about = { runId, jobId, tenant };
  const artifact = {
    id: 'artifact_1',
    runId,
    jobId,
    tenant,
    stepId: 'build',
    name: 'report',
    path: '/workspace/report',
    mediaType: 'text/plain',
    sizeBytes: 5,
    sha256: '0'.repeat(64),
    createdAtMs: nowMs,
    expiresAtMs: null,
  };
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-batch-'));
    store = await open(dir);
    const steps = ['build', 'test', 'publish'].map((name, n) => ({ ...step, step_id: name, n, name }));
    await store.database.transact((tx) => store.runs.add(tx, aRun({ id: runId, jobId, tenant, steps })));
    await apply({
      changes: [{ kind: 'start', at: { stepId: 'build', attempt: 1 }, start: started }],
      artifacts: [],
      run: { kind: 'claim', claim: { atMs: nowMs, owner: 'owner-1', worker: 'here', deadlineAtMs: null } },
    });
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  /** As JSON, because a batch may come from another process. */
  function apply(batch: RunBatch): Promise<void> {
    const sent: RunBatch = JSON.parse(JSON.stringify(batch));
    return store.database.transact(async (tx) => {
      const seal = (outputs: string, at: { readonly stepId: string }): string => `sealed ${at.stepId} ${outputs}`;
      await store.runs.apply(tx, about, sent, seal);
    });
  }

  const attempts = () =>
    store.database.read
      .selectFrom('steps')
      .select(['step_id', 'attempt', 'status', 'outputs', 'sealed', 'not_before'])
      .where('run_id', '=', runId)
      .orderBy('n')
      .orderBy('attempt')
      .execute();

  test('changes steps, artifacts and the run together, also after it was sent as JSON', async () => {
    await apply({
      changes: [
        { kind: 'end', at: { stepId: 'build', attempt: 1, epoch: 1 }, ending: ended, openOutputs: { url: 'secret' } },
        { kind: 'start', at: { stepId: 'test', attempt: 1 }, start: started },
        {
          kind: 'end',
          at: { stepId: 'test', attempt: 1, epoch: 1 },
          ending: { ...ended, status: 'failed' },
          openOutputs: null,
        },
        {
          kind: 'retry',
          step: { ...step, step_id: 'test', n: 1, name: 'test', attempt: 2, not_before: nowMs + 9_000 },
          message: 'it failed',
        },
        { kind: 'skip', stepId: 'publish', skip: { reason: 'condition', atMs: nowMs, message: 'not today' } },
        { kind: 'add', steps: [{ ...step, step_id: 'more', n: 3, name: 'more' }] },
      ],
      artifacts: [artifact],
      run: { kind: 'touch', attempt: 2, result: { value: 'half' }, epoch: 1 },
    });

    const kept = { outputs: '{}', sealed: null, not_before: null };
    expect(await attempts()).toEqual([
      {
        ...kept,
        step_id: 'build',
        attempt: 1,
        status: 'success',
        outputs: '{"url":"***"}',
        sealed: 'sealed build {"url":"secret"}',
      },
      { ...kept, step_id: 'test', attempt: 1, status: 'failed', outputs: '{"url":"***"}' },
      { ...kept, step_id: 'test', attempt: 2, status: 'pending', not_before: nowMs + 9_000 },
      { ...kept, step_id: 'publish', attempt: 1, status: 'skipped' },
      { ...kept, step_id: 'more', attempt: 1, status: 'pending' },
    ]);
    expect(await store.runs.get(runId)).toMatchObject({ attempt: 2, result: { value: 'half' } });
    expect(await store.database.read.selectFrom('artifacts').select('id').execute()).toEqual([{ id: 'artifact_1' }]);
    expect(store.commits.at(-1)?.map(({ type }) => type)).toEqual([
      'step.finished',
      'step.started',
      'step.finished',
      'step.retrying',
      'step.skipped',
    ]);
  });

  test('skips the steps that have not started if it ends the run', async () => {
    await apply({
      changes: [{ kind: 'end', at: { stepId: 'build', attempt: 1, epoch: 1 }, ending: ended, openOutputs: null }],
      artifacts: [],
      run: { kind: 'end', move: 'succeed', change: { atMs: nowMs + 1_000, epoch: 1 } },
    });

    expect((await attempts()).map(({ status }) => status)).toEqual(['success', 'skipped', 'skipped']);
    expect(await store.runs.get(runId)).toMatchObject({ status: 'success' });
  });

  test.each<[string, RunBatch]>([
    [
      'an attempt that another process has resumed',
      {
        changes: [
          { kind: 'skip', stepId: 'publish', skip: { reason: 'condition', atMs: nowMs, message: 'not today' } },
          { kind: 'end', at: { stepId: 'build', attempt: 1, epoch: 2 }, ending: ended, openOutputs: null },
        ],
        artifacts: [],
        run: { kind: 'touch', attempt: 1, result: null, epoch: 1 },
      },
    ],
    [
      'a step that has started',
      {
        changes: [{ kind: 'start', at: { stepId: 'build', attempt: 1 }, start: started }],
        artifacts: [],
        run: { kind: 'touch', attempt: 1, result: null, epoch: 1 },
      },
    ],
    [
      'a run that has been claimed',
      {
        changes: [],
        artifacts: [],
        run: { kind: 'claim', claim: { atMs: nowMs, owner: 'owner-1', worker: 'there', deadlineAtMs: null } },
      },
    ],
  ])('of %s changes nothing', async (_what, batch) => {
    const before = await attempts();
    const commits = store.commits.length;
    await expect(apply(batch)).rejects.toThrow(Superseded);
    expect(await attempts()).toEqual(before);
    expect(store.commits).toHaveLength(commits);
  });

  test.each<[string, RunBatch['changes'][number] | undefined, NonNullable<RunBatch['run']>['kind']]>([
    ['starts a step', { kind: 'start', at: { stepId: 'test', attempt: 1 }, start: started }, 'touch'],
    [
      'skips a step',
      { kind: 'skip', stepId: 'test', skip: { reason: 'condition', atMs: nowMs, message: 'not today' } },
      'touch',
    ],
    [
      'retries a step',
      {
        kind: 'retry',
        step: { ...step, step_id: 'build', n: 0, name: 'build', attempt: 2, not_before: nowMs },
        message: 'it failed',
      },
      'touch',
    ],
    ['adds a step', { kind: 'add', steps: [{ ...step, step_id: 'more', n: 3, name: 'more' }] }, 'touch'],
    ['stores an artifact', undefined, 'touch'],
    ['ends the run', undefined, 'end'],
  ])('from a process that no longer drives the run never %s', async (_what, change, kind) => {
    const taken = { owner: 'owner-1', worker: 'there', epoch: 1 };
    await store.database.transact((tx) => store.runs.take(tx, runId, taken));
    const before = { attempts: await attempts(), run: await store.runs.get(runId), commits: store.commits.length };

    const batch = { changes: change ? [change] : [], artifacts: [artifact] };
    const run: RunBatch['run'] =
      kind === 'end'
        ? { kind, move: 'succeed', change: { atMs: nowMs, epoch: 1 } }
        : { kind: 'touch', attempt: 1, result: null, epoch: 1 };
    await expect(apply({ ...batch, run })).rejects.toThrow(Superseded);

    expect({ attempts: await attempts(), run: await store.runs.get(runId), commits: store.commits.length }).toEqual(
      before,
    );
    expect(await store.database.read.selectFrom('artifacts').select('id').execute()).toEqual([]);
  });
});
