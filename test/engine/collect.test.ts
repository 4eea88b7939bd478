// What happens to the artifacts of a finished run when the store cannot take them.

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Collected, collect } from '../../src/engine/run/collect.ts';
import { createRunArtifacts } from '../../src/engine/run/run-artifacts.ts';
import { createRunLog } from '../../src/engine/run/run-log.ts';
import { isRunAlive } from '../../src/exec/proc/live-attempts.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { createRedactor } from '../../src/exec/redact/redact.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { nap, sample, start } from '../exec/sample.ts';

const log = createLogger({ level: 'silent', format: 'json' });

async function setUp(quotaBytes: number) {
  const dir = await mkdtemp(join(tmpdir(), 'flwd-collect-'));
  const blobsDir = join(dir, 'blobs');
  const dbPath = join(dir, 'flwd.db');
  const store = await openStore({ dbPath, blobsDir, clock: systemClock, log, onCommit: () => undefined });
  onTestFinished(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });

  async function ended(runId: string, files: Readonly<Record<string, number>>, named = ''): Promise<Collected> {
    const workspaceDir = join(dir, runId, 'workspace');
    await mkdir(join(workspaceDir, 'artifacts'), { recursive: true });
    await mkdir(join(dir, runId, '1', 'out'), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(workspaceDir, 'artifacts', name), 'x'.repeat(bytes));
    }
    await writeFile(join(dir, runId, '1', 'out', 'artifacts'), named);
    const namer = { stepId: 'step_01', attempt: 1, attemptDir: join(dir, runId, '1') };
    return collect({
      workspaceDir,
      namers: [namer],
      stepOf: () => 'step_01',
      mayLink: true,
      job: sample('true').job,
      run: { run_id: runId, job_id: 'report', tenant: 'default' },
      redactor: createRedactor(['hunter2-secret']),
      store,
      ownFolders: [],
      limits: { maxSizeBytes: 1_000, quotaBytes, ttlMs: null },
      clock: systemClock,
      log,
    });
  }
  return { blobsDir, ended, store };
}

test('two runs that end at once cannot exceed the quota together, and the run that fails names the artifact', async () => {
  const { ended } = await setUp(100);
  const both = await Promise.all([ended('run_1', { 'a.txt': 60 }), ended('run_2', { 'a.txt': 60 })]);
  expect(both.flatMap(({ artifacts }) => artifacts)).toHaveLength(1);
  expect(both.flatMap(({ failure }) => failure ?? [])).toEqual([
    {
      reason: 'quota_exceeded',
      message:
        'the artifact /workspace/artifacts/a.txt would exceed persistence.artifacts.quota_hard of 100 bytes; 60 are used',
      stepId: null,
    },
  ]);
});

test('when the disk refuses an artifact, the run names it and keeps no other artifact', async () => {
  const { ended, blobsDir } = await setUp(100);
  await writeFile(join(blobsDir, 'artifacts'), 'in the way');
  expect(await ended('run_1', { 'a.txt': 60 })).toMatchObject({
    artifacts: [],
    failure: {
      reason: 'artifact_not_stored',
      message: 'the artifact /workspace/artifacts/a.txt could not be stored; the server log says why',
    },
  });
  await rm(join(blobsDir, 'artifacts'));
  expect(await ended('run_2', { 'a.txt': 60 })).toMatchObject({ failure: null });
  expect(await readdir(join(blobsDir, 'artifacts'))).toHaveLength(1);
});

test('a media type that contained a secret is replaced', async () => {
  const { ended } = await setUp(100);
  const named = JSON.stringify({ path: 'artifacts/a.txt', name: null, media_type: 'text/hunter2-secret' });
  const { artifacts } = await ended('run_1', { 'a.txt': 60 }, `${named}\n`);
  expect(artifacts).toMatchObject([{ mediaType: 'application/octet-stream' }]);
});

test('no artifact is taken while a process of any attempt is alive, and the run says why', async () => {
  const { store } = await setUp(1_000);
  const spec = sample(`echo x > artifacts/a.txt; ${nap}`);
  const runDir = dirname(spec.attemptDir);
  const attempt = start(spec);
  await expect.poll(() => readStatus(spec.attemptDir)?.sandbox).toBeDefined();
  await expect.poll(() => readdir(join(spec.workspaceDir, 'artifacts'))).toEqual(['a.txt']);
  const run = { run_id: 'run_01', job_id: 'report', tenant: 'default' };
  const withRetry = async <T>(work: () => T | Promise<T>): Promise<T> => work();
  const artifacts = createRunArtifacts({
    run,
    plan: { job: spec.job, profile: 'secure', network: 'none', write: [] },
    runDir,
    workspaceDir: spec.workspaceDir,
    redactor: createRedactor([]),
    runLog: createRunLog({ run, job: spec.job, store, epoch: () => 1, log, withRetry }),
    store,
    ownFolders: [],
    limits: { maxSizeBytes: 1_000, quotaBytes: 1_000, ttlMs: null },
    clock: systemClock,
    log,
    executor: { isRunAlive },
    withRetry,
  });
  const other = { stepId: 'step_02', attempt: 1, attemptDir: join(runDir, '2-1') };
  await mkdir(other.attemptDir);
  expect(await artifacts.take([[other]])).toMatchObject({
    artifacts: [],
    warnings: [],
    failure: {
      reason: 'artifact_not_stored',
      message: 'no artifacts were stored, because a process of the run could not be ended',
      stepId: null,
    },
  });
  await attempt.terminate({ signal: 'KILL', graceMs: 0 });
  expect(await artifacts.take([[other]])).toMatchObject({
    artifacts: [{ name: 'a.txt', stepId: 'step_02' }],
    failure: null,
  });
});
