// API reference, Runs › Get Run Details.

import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, node, python } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: {
    'backup/daily': bash(
      `flwd_progress 40 copying
       flwd_output archive=backup.tar.gz
       flwd_result '{"files_backed_up": 1234, "total_size_mb": 5678}'`,
      { argspec: { type: 'object', required: ['target'], properties: { target: { type: 'string' } } } },
    ),
    'result/file': python('import json, os\njson.dump([1, None, "ü"], open(os.environ["FLWD_RESULT_FILE"], "w"))'),
    'result/null': bash('flwd_result null'),
    'result/none': bash('true'),
    'result/broken': bash('echo "{oops" > "$FLWD_RESULT_FILE"'),
    'result/huge': bash('head -c 1100000 /dev/zero | tr "\\0" 7 > "$FLWD_RESULT_FILE"'),
    'ends/exit': bash('echo before\nfalse\necho after'),
    'ends/signal': bash('kill -KILL $$'),
    'ends/timeout': bash('trap "" TERM; sleep 30 & wait', { timeouts: { run: '500ms' }, cancel: { grace: '200ms' } }),
    'ends/missing': { 'config.yaml': 'command: [nothing-here]\nulc_profile: ulc.exec\n' },
    'ends/node': node('process.exitCode = 12'),
    slow: bash('sleep 60'),
    outlives: bash('for i in $(seq 1 40); do echo "line $i"; sleep 0.05; done; flwd_result \'"kept"\''),
    secretive: bash('true', {
      argspec: {
        type: 'object',
        properties: { token: { type: 'string', format: 'secret' }, user: { type: 'string' } },
      },
    }),
  },
});
afterAll(() => server.close());

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test('a finished run has the fields of the reference, and those of this implementation', async () => {
  shows(
    'runs.get',
    'runs.get.run_id',
    'runs.get.job_id',
    'runs.get.status',
    'runs.get.created_at',
    'runs.get.finished_at',
    'runs.get.args',
    'runs.get.result',
  );
  const created = await server.run('backup/daily', { target: '/mnt/backup' }, { labels: { team: 'ops' } });
  const response = await server.fetch(`/runs/${created.run_id}`, { headers: { 'x-request-id': 'another' } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
  expect(await response.json()).toEqual({
    run_id: created.run_id,
    job_id: 'backup/daily',
    status: 'success',
    created_at: instant,
    finished_at: instant,
    args: { target: '/mnt/backup' },
    result: { value: { files_backed_up: 1234, total_size_mb: 5678 } },
    tenant: 'default',
    reason: null,
    waiting: null,
    waiting_approval: [],
    approval_ms: 0,
    expected_ms: null,
    expected_end_at: null,
    started_at: instant,
    exit_code: 0,
    error: null,
    steps: [
      {
        step_id: 'step_01',
        name: expect.any(String),
        status: 'success',
        reason: null,
        attempt: 1,
        needs: [],
        started_at: instant,
        finished_at: instant,
        exit_code: 0,
        outputs: { archive: 'backup.tar.gz' },
        kind: 'command',
        message: null,
        instance_of: null,
        item: null,
        not_before: null,
        hint: null,
        child_run_id: null,
        approval: null,
        termination: null,
      },
    ],
    attempt: 1,
    rerun_of: null,
    parent: null,
    progress: { percent: 40, message: 'copying' },
    priority: 0,
    limits: expect.any(Object),
    grants: [],
    termination: null,
    trigger: { type: 'api' },
    created_by: 'local',
    labels: { team: 'ops' },
    source: { name: 'local-fs', type: 'fs', revision: expect.stringMatching(/^[0-9a-f]{16,}$/) },
    security: {
      profile: 'secure',
      isolation: {
        pid_namespace: true,
        network: 'none',
        filesystem: 'workspace',
        environment: 'clean',
        no_new_privileges: true,
        uid: expect.any(Number),
        namespaces: expect.arrayContaining(['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup']),
        user_namespace: expect.any(Boolean),
        capabilities: 'none',
        seccomp: 1,
      },
    },
    worker: expect.any(String),
    cancel_requested_at: null,
    cancel_requested_by: null,
    left_behind: null,
    trace: { trace_id: expect.stringMatching(/^[0-9a-f]{32}$/), parent_id: null, sampled: true, state: null },
    request_id: expect.any(String),
  });
});

test('the times of a run are in order', async () => {
  const run = await server.run('result/none');
  const times = [run.created_at, run.started_at ?? '', run.finished_at ?? ''];
  expect(times).toEqual(times.toSorted());
});

test('a running run has no end and no result yet', async () => {
  const runId = await server.start('slow');
  expect(await server.runWhen(runId, (run) => run.status === 'running')).toMatchObject({
    started_at: instant,
    finished_at: null,
    result: null,
    exit_code: null,
    steps: [{ status: 'running', finished_at: null }],
  });
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
});

describe('the result of the job', () => {
  test.each([
    ['result/file', { value: [1, null, 'ü'] }],
    ['result/null', { value: null }],
    ['result/none', null],
  ])('%s is %j', async (jobId, result) => {
    expect(await server.run(jobId)).toMatchObject({ status: 'success', result });
  });

  test.each(['result/broken', 'result/huge'])(
    '%s is invalid, so the run fails with an error that says so',
    async (jobId) => {
      expect(await server.run(jobId)).toMatchObject({
        status: 'failed',
        reason: 'invalid_result',
        result: null,
        exit_code: 0,
        error: { message: expect.stringMatching(/result/i), step_id: 'step_01' },
      });
    },
  );
});

describe('a run fails', () => {
  test('when a command fails: reason exit, and the log names file, line and command in one line', async () => {
    const run = await server.run('ends/exit');
    expect(run).toMatchObject({ status: 'failed', reason: 'exit', exit_code: 1, error: { step_id: 'step_01' } });
    const messages = await server.messages(run.run_id);
    expect(messages[0]).toBe('before');
    expect(messages).toHaveLength(2);
    expect(messages[1]).toMatch(/run\.sh.*\b3\b.*false/);
  });

  test('when a script in another language exits with another code', async () => {
    expect(await server.run('ends/node')).toMatchObject({ status: 'failed', reason: 'exit', exit_code: 12 });
  });

  test('when a signal ends its script', async () => {
    expect(await server.run('ends/signal')).toMatchObject({
      status: 'failed',
      reason: 'signal',
      error: { message: expect.stringMatching(/KILL/) },
    });
  });

  test('after timeouts.run, even if the script ignores TERM', async () => {
    expect(await server.run('ends/timeout')).toMatchObject({
      status: 'failed',
      reason: 'timeout',
      error: { message: expect.stringMatching(/500 ?ms/) },
    });
  });

  test('when the program does not exist: reason start_failed, and the error names the program', async () => {
    expect(await server.run('ends/missing')).toMatchObject({
      status: 'failed',
      reason: 'start_failed',
      error: { message: expect.stringMatching(/nothing-here/) },
    });
  });
});

test('a secret argument is shown as [redacted]', async () => {
  const run = await server.run('secretive', { token: 's3cr3t-token-value', user: 'ada' });
  expect(run.args).toEqual({ token: '[redacted]', user: 'ada' });
});

test('the ETag changes with the run, and If-None-Match gets 304 while the run is unchanged', async () => {
  const runId = await server.start('slow');
  await server.runWhen(runId, (run) => run.status === 'running');
  const etag = async () => (await server.fetch(`/runs/${runId}`)).headers.get('etag') ?? '';
  const running = await etag();
  const same = await server.fetch(`/runs/${runId}`, { headers: { 'if-none-match': running } });
  expect([same.status, await same.text()]).toEqual([304, '']);
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  expect(await etag()).not.toBe(running);
  expect((await server.fetch(`/runs/${runId}`, { headers: { 'if-none-match': running } })).status).toBe(200);
});

test('HEAD answers like GET, without the body', async () => {
  const { run_id } = await server.run('result/none');
  const response = await server.fetch(`/runs/${run_id}`, { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
});

test.each(['run_01HX0000000000000000000000', 'run_', 'nonsense', '..%2f..', '%00'])(
  '%s is 404 run-not-found',
  async (id) => {
    shows('errors.run-not-found');
    const response = await server.fetch(`/runs/${id}`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      type: 'https://flowd.org/problems/run-not-found',
      title: 'Run Not Found',
      status: 404,
      instance: `/api/v1/runs/${id}`,
    });
  },
);

describe('a run outlives its server', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'after %s the next server resumes it, with every line and the result',
    async (signal) => {
      const runId = await server.start('outlives');
      await expect.poll(() => server.messages(runId)).toContain('line 3');
      expect(await server.stop(signal)).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL');
      await server.startAgain();
      expect(await server.finished(runId)).toMatchObject({ status: 'success', result: { value: 'kept' }, attempt: 1 });
      expect(await server.messages(runId)).toEqual(Array.from({ length: 40 }, (_, i) => `line ${i + 1}`));
    },
  );

  test('a run that ended while no server ran is shown as finished', async () => {
    const runId = await server.start('outlives');
    await expect.poll(() => server.messages(runId)).toContain('line 2');
    await server.stop('SIGKILL');

    await expect.poll(() => processesWith(runId)).toEqual([]);
    await server.startAgain();
    expect(await server.finished(runId)).toMatchObject({ status: 'success', result: { value: 'kept' }, exit_code: 0 });
    expect(await server.messages(runId)).toHaveLength(40);
  });
});
