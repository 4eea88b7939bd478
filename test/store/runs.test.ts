import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { type RunMove, runStatuses } from '../../src/domain/run.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { skipStep, startStep, stepStore } from '../../src/store/run/step-moves.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { type MoveChange, moveRun } from './moves.ts';

describe.each(engines)('runs on $engine', ({ engine, open }) => {
  let dir: string;
  let store: Opened;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-runs-'));
    store = await open(dir);
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  const add = async (over: Partial<NewRun> = {}): Promise<string> => {
    const run = aRun(over);
    await store.database.transact((tx) => store.runs.add(tx, run));
    return run.id;
  };
  const move = (id: string, by: RunMove, change: MoveChange = { atMs: nowMs + 1_000 }): Promise<boolean> =>
    store.database.transact((tx) => moveRun(tx, store.runs, id, by, change));
  const versionOf = async (id: string) => (await store.runs.assertThere(id, localPrincipal)).version;
  const events = () => store.commits.flat().map((entry) => ('data' in entry ? [entry.type, entry.data] : [entry.type]));

  test('a new run is shown as it was created', async () => {
    const id = await add({
      labels: { env: 'prod' },
      waiting: 'only 2 runs of backup/daily at a time',
      requestId: null,
    });

    expect(await store.runs.get(id)).toEqual({
      run_id: id,
      job_id: 'backup/daily',
      tenant: 'default',
      status: 'pending',
      reason: null,
      waiting: 'only 2 runs of backup/daily at a time',
      waiting_approval: [],
      approval_ms: 0,
      created_at: '2024-01-15T10:30:00.000Z',
      started_at: null,
      finished_at: null,
      args: { target: '/mnt/backup' },
      result: null,
      exit_code: null,
      error: null,
      steps: [
        {
          step_id: 'step_01',
          name: 'Daily backup',
          status: 'pending',
          reason: null,
          attempt: 1,
          needs: [],
          started_at: null,
          finished_at: null,
          exit_code: null,
          outputs: {},
          kind: 'command',
          message: null,
          instance_of: null,
          item: null,
          not_before: null,
          child_run_id: null,
          hint: null,
          approval: null,
          termination: null,
        },
      ],
      attempt: 1,
      rerun_of: null,
      parent: null,
      progress: null,
      priority: 0,
      limits: { log_bytes: 1_073_741_824 },
      grants: [],
      termination: null,
      left_behind: null,
      trace: { trace_id: expect.stringMatching(/^[0-9a-f]{32}$/), parent_id: null, sampled: true, state: null },
      trigger: { type: 'api' },
      created_by: 'local',
      labels: { env: 'prod' },
      source: { name: 'local-fs', type: 'fs', revision: 'sha256:abc' },
      security: {
        profile: 'secure',
        isolation: {
          pid_namespace: true,
          network: 'none',
          filesystem: 'workspace',
          environment: 'clean',
          no_new_privileges: true,
          uid: 65_534,
        },
      },
      worker: null,
      cancel_requested_at: null,
      cancel_requested_by: null,
      request_id: null,
    });
    expect(events()).toEqual([
      ['run.created', { status: 'pending', trigger: 'api' }],
      ['run.waiting', { status: 'pending', message: 'only 2 runs of backup/daily at a time' }],
    ]);
  });

  test('a run that succeeds shows when and where it ran, and its result; its step does, too', async () => {
    const id = await add({ waiting: 'a slot' });
    expect(await move(id, 'claim', { atMs: nowMs + 1_000, worker: 'host-1' })).toBe(true);
    expect(await store.runs.get(id)).toMatchObject({
      status: 'running',
      waiting: null,
      started_at: '2024-01-15T10:30:01.000Z',
      finished_at: null,
      worker: 'host-1',
      steps: [{ status: 'running', started_at: '2024-01-15T10:30:01.000Z' }],
    });

    const result = { value: { files: [1, 2], note: 'Ünï "q" \u0000' } };
    expect(await move(id, 'succeed', { atMs: nowMs + 9_000, exitCode: 0, result, outputs: { path: '/x' } })).toBe(true);
    expect(await store.runs.get(id)).toMatchObject({
      status: 'success',
      reason: null,
      finished_at: '2024-01-15T10:30:09.000Z',
      exit_code: 0,
      result,
      steps: [{ status: 'success', finished_at: '2024-01-15T10:30:09.000Z', exit_code: 0, outputs: { path: '/x' } }],
    });
    expect(events()).toEqual([
      ['run.created', { status: 'pending', trigger: 'api' }],
      ['run.waiting', { status: 'pending', message: 'a slot' }],
      ['run.started', { status: 'running', attempt: 1, waited_ms: 1_000 }],
      ['step.started', { status: 'running', attempt: 1, step_id: 'step_01' }],
      ['step.finished', { status: 'success', reason: null, exit_code: 0, attempt: 1, step_id: 'step_01' }],
      ['run.finished', { status: 'success', reason: null, exit_code: 0, attempt: 1, duration_ms: 8_000 }],
    ]);
  });

  test('a run that fails shows the reason, the error, and the signals that ended it', async () => {
    const id = await add();
    await move(id, 'claim');
    const termination = {
      signals: [{ signal: 'TERM', at: '2024-01-15T10:30:02.000Z', processes: 2 }],
      remaining: 0,
      finished_at: '2024-01-15T10:30:03.000Z',
    };
    const error = { message: 'did not end within 1 s', step_id: 'step_01' };
    await move(id, 'fail', { atMs: nowMs + 3_000, reason: 'timeout', error, termination });

    expect(await store.runs.get(id)).toMatchObject({
      status: 'failed',
      reason: 'timeout',
      exit_code: null,
      error,
      termination,
      steps: [{ status: 'failed', reason: 'timeout' }],
    });
  });

  test('a run that ends before it starts announces its own end, but not the ends of its steps', async () => {
    const withdrawn = await add();
    await move(withdrawn, 'withdraw');
    const failed = await add();
    await move(failed, 'expire', { atMs: nowMs, reason: 'timeout', error: { message: 'waited too long' } });

    expect(events()).toEqual([
      ['run.created', { status: 'pending', trigger: 'api' }],
      ['run.finished', { status: 'cancelled', reason: null, exit_code: null, attempt: 1, duration_ms: null }],
      ['run.created', { status: 'pending', trigger: 'api' }],
      [
        'run.finished',
        {
          status: 'failed',
          reason: 'timeout',
          exit_code: null,
          attempt: 1,
          duration_ms: null,
          message: 'waited too long',
        },
      ],
    ]);
    expect(await store.runs.get(withdrawn)).toMatchObject({ status: 'cancelled', started_at: null });
  });

  test('a run that is no longer in the expected status cannot be moved, and nothing is announced', async () => {
    const id = await add();
    await move(id, 'claim');
    await move(id, 'succeed', { atMs: nowMs, exitCode: 0 });
    const before = { run: await store.runs.get(id), version: await versionOf(id) };
    const announced = store.commits.length;

    for (const late of ['claim', 'succeed', 'fail', 'expire', 'withdraw', 'cancel'] as const) {
      expect(await move(id, late, { atMs: nowMs + 5_000, exitCode: 1 })).toBe(false);
    }
    expect(await move('run_missing', 'claim')).toBe(false);
    expect({ run: await store.runs.get(id), version: await versionOf(id) }).toEqual(before);
    expect(store.commits.length).toBe(announced);
  });

  test('a step can be skipped once, and only before it starts', async () => {
    const skip = (runId: string) =>
      store.database.transact((tx) =>
        skipStep(tx, { runId, jobId: 'backup/daily', tenant: 'default' }, 'step_01', {
          reason: 'condition',
          atMs: nowMs,
          message: 'not today',
        }),
      );
    const id = await add();
    expect([await skip(id), await skip(id)]).toEqual([true, false]);
    const running = await add();
    await move(running, 'claim');
    expect(await skip(running)).toBe(false);
    expect(events().filter(([type]) => type === 'step.skipped')).toEqual([
      ['step.skipped', { step_id: 'step_01', status: 'skipped', reason: 'condition', message: 'not today' }],
    ]);
  });

  test('a running run cannot be withdrawn, and a pending run cannot succeed', async () => {
    const pending = await add();
    expect(await move(pending, 'succeed')).toBe(false);
    expect(await move(pending, 'cancel')).toBe(false);
    const running = await add();
    await move(running, 'claim');
    expect(await move(running, 'withdraw')).toBe(false);
    expect(await move(running, 'cancel')).toBe(true);
  });

  test('if two processes claim a run at the same time, the first one gets it', async () => {
    const id = await add();

    expect(await Promise.all([move(id, 'claim'), move(id, 'claim')])).toEqual([true, false]);
  });

  test('a cancel can be requested once, and only before the run has ended; the first request counts', async () => {
    const id = await add();
    const request = (atMs: number, by: string) =>
      store.database.transact((tx) => store.runs.requestCancel(tx, id, { atMs, by }));
    expect(await request(nowMs + 1_000, 'mara')).toBe(true);
    expect(await request(nowMs + 2_000, 'ops')).toBe(false);
    expect(await store.runs.get(id)).toMatchObject({
      cancel_requested_at: '2024-01-15T10:30:01.000Z',
      cancel_requested_by: 'mara',
    });
    expect(events().at(-1)).toEqual(['run.cancelling', { status: 'pending', by: 'mara' }]);

    const ended = await add();
    await move(ended, 'withdraw');
    expect(await store.database.transact((tx) => store.runs.requestCancel(tx, ended, { atMs: nowMs, by: 'ops' }))).toBe(
      false,
    );
  });

  test('the reason why a run waits is announced only when it changes', async () => {
    const id = await add();
    for (const waiting of ['1 run waits before it', '1 run waits before it', null]) {
      await store.database.transact((tx) => store.runs.setWaiting(tx, id, waiting));
    }

    expect(events().slice(1)).toEqual([
      ['run.waiting', { status: 'pending', message: '1 run waits before it' }],
      ['run.waiting', { status: 'pending' }],
    ]);
    expect((await store.runs.get(id))?.waiting).toBeNull();
  });

  test('progress is shown and announced while the run is running, and ignored once it has ended', async () => {
    const id = await add();
    const progress = (percent: number) =>
      store.database.transact((tx) => store.runs.setProgress(tx, id, { percent, message: 'copying' }, 1));
    await move(id, 'claim');
    await progress(40);
    await move(id, 'succeed');
    await progress(99);

    expect((await store.runs.get(id))?.progress).toEqual({ percent: 40, message: 'copying' });
    expect(events().filter(([type]) => type === 'run.progress')).toEqual([
      ['run.progress', { percent: 40, message: 'copying' }],
    ]);
  });

  test('progress from a process that no longer drives the run is ignored', async () => {
    const id = await add();
    await move(id, 'claim');
    const taken = { owner: 'owner-1', worker: 'there', epoch: 1 };
    await store.database.transact((tx) => store.runs.take(tx, id, taken));
    await store.database.transact((tx) => store.runs.setProgress(tx, id, { percent: 40, message: '' }, 1));

    expect((await store.runs.get(id))?.progress).toBeNull();
    expect(events().map(([type]) => type)).not.toContain('run.progress');
  });

  test('a run that is added as running equals a run that is added and then claimed', async () => {
    const claim = { atMs: nowMs + 250, owner: 'owner-1', worker: 'host-1', deadlineAtMs: nowMs + 60_000 };
    const start = { status: 'running', atMs: nowMs + 250, worker: 'host-1', deadlineAtMs: nowMs + 30_000 } as const;
    const [claimed, added] = [aRun(), aRun()];
    const { id: runId, jobId, tenant } = claimed;
    await store.database.transact((tx) => store.runs.add(tx, claimed));
    await store.database.transact(async (tx) => {
      await store.runs.claim(tx, runId, claim);
      await startStep(tx, { runId, jobId, tenant }, { stepId: 'step_01', attempt: 1 }, start);
    });
    const eventsOfClaimed = events();
    store.commits.length = 0;
    const steps = added.steps.map((step) => ({ ...step, start }));
    await store.database.transact((tx) => store.runs.add(tx, { ...added, steps }, claim));

    const rows = await store.database.read.selectFrom('runs').selectAll().orderBy('id').execute();
    const [one, other] = rows.map(({ id: _id, version: _version, ...row }) => row);
    expect(one).toMatchObject({ status: 'running', epoch: 1, started_at: nowMs + 250, deadline_at: nowMs + 60_000 });
    expect(other).toEqual(one);
    expect(events()).toEqual(eventsOfClaimed);
    expect(events().map(([type]) => type)).toEqual(['run.created', 'run.started', 'step.started']);
    const attempts = await store.database.read.selectFrom('steps').selectAll().orderBy('run_id').execute();
    const [ofOne, ofOther] = attempts.map(({ run_id: _id, ...row }) => row);
    expect(ofOne).toMatchObject({ status: 'running', epoch: 1, deadline_at: nowMs + 30_000 });
    expect(ofOther).toEqual(ofOne);
  });

  test('the version of a run grows with every change, and never otherwise', async () => {
    const id = await add();
    const versions = [await versionOf(id)];
    const note = async () => versions.push(await versionOf(id));
    await store.database.transact((tx) => store.runs.setWaiting(tx, id, 'a slot'));
    await note();
    await store.database.transact((tx) => store.runs.setWaiting(tx, id, 'a slot'));
    await note();
    await move(id, 'claim');
    await note();
    await store.database.transact((tx) => store.runs.setProgress(tx, id, { percent: 1, message: '' }, 1));
    await note();
    await store.database.transact((tx) => store.runs.requestCancel(tx, id, { atMs: nowMs, by: 'ops' }));
    await note();
    await move(id, 'cancel');
    await note();

    expect(versions).toEqual([1, 2, 2, 3, 4, 5, 6]);
    await expect(versionOf('run_missing')).rejects.toMatchObject({ slug: 'run-not-found' });
  });

  test('a step that changes can raise the attempt of its run, but never lowers it', async () => {
    const run = aRun();
    await store.database.transact(async (tx) => {
      await store.runs.add(tx, run);
      await store.runs.claim(tx, run.id, { atMs: nowMs, owner: 'owner-1', worker: 'here', deadlineAtMs: null });
      for (const attempt of [3, 2]) expect(await stepStore.touch(tx, run.id, { attempt })).toBe(true);
    });
    expect(await store.runs.get(run.id)).toMatchObject({ attempt: 3 });
    await store.database.transact(async (tx) => {
      await stepStore.touch(tx, run.id, { attempt: 4, result: { value: 'kept' } });
      await stepStore.touch(tx, run.id, {});
    });
    expect(await store.runs.get(run.id)).toMatchObject({ attempt: 4, result: { value: 'kept' } });
  });

  test('the data that are needed to execute a run are stored and never shown', async () => {
    const run = aRun({ sealed: 'AAAA' });
    await store.database.transact((tx) => store.runs.add(tx, run));

    expect(await store.runs.execution(run.id)).toMatchObject({
      run: await store.runs.get(run.id),
      plan: run.plan,
      sealed: 'AAAA',
    });
    expect(JSON.stringify(await store.runs.get(run.id))).not.toContain('AAAA');
    expect(await store.runs.execution('run_missing')).toBeUndefined();
  });

  test('the pending runs that have waited too long are found, and no others', async () => {
    const late = await add({ createdAtMs: nowMs - 600_000 });
    await add({ createdAtMs: nowMs - 599_999 });
    await move(await add({ createdAtMs: nowMs - 700_000 }), 'claim');

    expect(await store.runs.overdue(nowMs)).toEqual([{ id: late, queueMs: 600_000 }]);
  });

  test('pending runs are listed oldest first, page by page, and running runs are known', async () => {
    const ids = [
      await add({ createdAtMs: nowMs - 3 }),
      await add({ createdAtMs: nowMs - 2 }),
      await add(),
      await add(),
    ];
    const [claimed = ''] = ids;
    await move(claimed, 'claim');

    const concurrency = { limit: null, key: null };
    const waits = { jobId: 'backup/daily', tenant: 'default', priority: 0, trigger: 'api', waiting: null, concurrency };
    expect(await store.runs.pending(2)).toEqual([
      { id: ids[1], ...waits, createdAtMs: nowMs - 2 },
      { id: ids[2], ...waits, createdAtMs: nowMs },
    ]);
    expect((await store.runs.pending(2, ids[2])).map(({ id }) => id)).toEqual([ids[3]]);
    expect(await store.runs.running('owner-1')).toEqual([claimed]);
    expect(await store.runs.counts()).toEqual({ pending: 3, running: 1 });
  });

  test('the counters agree with the runs, whatever changes are made', async () => {
    const jobs = ['a', 'b/c'];
    const tenants = ['default', 'acme'];
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        jobId: fc.constantFrom(...jobs),
        tenant: fc.constantFrom(...tenants),
        isBroken: fc.boolean(),
      }),
      fc.record({
        kind: fc.constant('move' as const),
        run: fc.nat(20),
        by: fc.constantFrom<RunMove>('claim', 'succeed', 'fail', 'expire', 'withdraw', 'cancel'),
        isBroken: fc.boolean(),
      }),
    );
    const ids: string[] = [];

    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        await Promise.allSettled(
          steps.map((one) =>
            store.database.transact(async (tx) => {
              if (one.kind === 'add') {
                const run = aRun({ jobId: one.jobId, tenant: one.tenant });
                await store.runs.add(tx, run);
                ids.push(run.id);
              } else {
                await moveRun(tx, store.runs, ids.at(-1 - one.run) ?? 'run_missing', one.by, { atMs: nowMs });
              }
              if (one.isBroken) throw new Error('taken back');
            }),
          ),
        );
        for (const status of [undefined, ...runStatuses]) {
          for (const jobId of [undefined, ...jobs]) {
            for (const tenant of [undefined, ...tenants]) {
              const filter = {
                ...(status === undefined ? {} : { status }),
                ...(jobId === undefined ? {} : { jobId }),
                ...(tenant === undefined ? {} : { tenant }),
              };
              const { runs, total } = await store.runs.list({ ...filter, limit: 10_000 });
              expect(total).toBe(runs.length);
            }
          }
        }
      }),
      // The cases are the same on both engines, and each takes ten times as long on PostgreSQL.
      { numRuns: engine === 'SQLite' ? 20 : 5 },
    );
  });
});
