// API reference, Runs › Create Run: what is accepted and refused. What a script gets is in e2e/script-contract.test.ts.

import { afterAll, describe, expect } from 'vitest';
import type { ProblemAnswer, RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

const server = await startServer({
  jobs: {
    'backup/daily': bash('echo "$target"; flwd_result "{\\"keep\\": $keep}"', {
      argspec: {
        type: 'object',
        required: ['target'],
        properties: {
          target: { type: 'string', minLength: 3 },
          keep: { type: 'integer', minimum: 1, maximum: 365, default: 7 },
          mode: { enum: ['full', 'incremental'] },
        },
      },
    }),
    quick: bash('true'),
    release: {
      'config.yaml': JSON.stringify({
        steps: [
          { id: 'publish', command: ['true'], needs: ['test', 'build'] },
          { id: 'announce', command: ['true'] },
          { id: 'test', command: ['true'], needs: ['build'] },
          { id: 'build', command: ['true'] },
        ],
      }),
    },
    failing: bash('exit 3'),
    slow: bash('sleep 60'),
    broken: { 'config.yaml': 'command: [\n' },
    contained: { 'config.yaml': 'executor: container\nimage: registry.example/tool@sha256:00\ncommand: [/bin/true]\n' },
    keyed: bash('true', { artifacts: { default_key_pattern: 'x' } }),
    permissive: bash('true', { security_profile: 'permissive' }),
    disabled: bash('true', { security_profile: 'disabled' }),
  },
  config: {
    aliases: [{ from: 'backup/daily', to: 'nightly' }],
    server: { body_limit: '64KiB' },
  },
});
afterAll(() => server.close());

const post = (body: unknown, headers: Record<string, string> = {}) => server.fetch('/runs', { body, headers });

async function problemOf(response: Response): Promise<ProblemAnswer> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  const problem: ProblemAnswer = JSON.parse(await response.text());
  expect(problem.status).toBe(response.status);
  return problem;
}

async function cancel(runId: string): Promise<void> {
  expect((await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' })).status).toBe(200);
}

test('the request of the reference creates a run and answers with the fields of the reference', async () => {
  shows(
    'runs.create',
    'runs.create.body.job_id',
    'runs.create.run_id',
    'runs.create.job_id',
    'runs.create.status',
    'runs.create.created_at',
  );
  const response = await post({
    job_id: 'backup/daily',
    args: { target: '/mnt/backup' },
    tenant: 'default',
    async: true,
  });
  expect(response.status).toBe(201);
  const created: RunAnswer = JSON.parse(await response.text());
  expect(created).toMatchObject({ job_id: 'backup/daily', status: expect.stringMatching(/^(pending|running)$/) });
  expect(created.run_id).toMatch(/^run_[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(created.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(response.headers.get('location')).toBe(`/api/v1/runs/${created.run_id}`);
  expect(await server.finished(created.run_id)).toMatchObject({ status: 'success', tenant: 'default' });
});

test.each([{ async: true }, {}])('with %j the answer does not wait for the run', async (how) => {
  shows('runs.create.body.async');
  const response = await post({ job_id: 'slow', ...how });
  expect(response.status).toBe(201);
  const { run_id, status } = JSON.parse(await response.text());
  expect(status).toMatch(/^(pending|running)$/);
  await cancel(run_id);
});

test('async: false answers 201 when the run is finished, with its result', async () => {
  const response = await post({ job_id: 'backup/daily', args: { target: '/mnt/backup' }, async: false });
  expect(response.status).toBe(201);
  const run: RunAnswer = JSON.parse(await response.text());
  expect(run).toMatchObject({ status: 'success', result: { value: { keep: 7 } }, exit_code: 0 });
  expect(response.headers.get('location')).toBe(`/api/v1/runs/${run.run_id}`);
});

test('async: false answers 202 with the unfinished run once server.sync_wait has passed', async () => {
  await using hasty = await startServer({
    jobs: { slow: bash('sleep 60') },
    config: { server: { sync_wait: '1s' } },
  });
  const answer = async () => {
    const response = await hasty.fetch('/runs', { body: { job_id: 'slow', async: false } });
    const run: RunAnswer = JSON.parse(await response.text());
    expect((await hasty.fetch(`/runs/${run.run_id}/cancel`, { method: 'POST' })).status).toBe(200);
    return [response.status, run];
  };
  // On a busy machine, a run may not have started by then.
  await expect.poll(answer).toMatchObject([202, { status: 'running', finished_at: null }]);
});

test('a script that fails makes a failed run, never an HTTP error', async () => {
  const response = await post({ job_id: 'failing', async: false });
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({ status: 'failed', reason: 'exit', exit_code: 3 });
});

test('defaults are applied, and the run keeps the arguments of the request', async () => {
  shows('runs.create.body.args', 'runs.create.body.tenant');
  const run = await server.run('backup/daily', { target: '/mnt/backup' }, { labels: { team: 'ops' }, tenant: 'acme' });
  expect(run).toMatchObject({
    args: { target: '/mnt/backup', keep: 7 },
    labels: { team: 'ops' },
    tenant: 'acme',
    trigger: { type: 'api' },
    created_by: 'local',
  });
});

test('an alias works like an id', async () => {
  expect(await server.run('nightly', { target: '/mnt/backup' })).toMatchObject({ job_id: 'backup/daily' });
});

test('a client names its interface in X-Flwd-Client', async () => {
  const response = await post({ job_id: 'quick', async: false }, { 'x-flwd-client': 'cli' });
  expect(await response.json()).toMatchObject({ trigger: { type: 'cli' } });
});

test('the request id is used, echoed and stored with the run', async () => {
  const response = await post({ job_id: 'quick', async: false }, { 'x-request-id': 'deploy-2024.01' });
  expect(response.headers.get('x-request-id')).toBe('deploy-2024.01');
  expect(await response.json()).toMatchObject({ request_id: 'deploy-2024.01' });
});

const plan = (body: unknown) => server.fetch('/plans', { body });

const runsSoFar = async () => (await server.json<{ total: number }>('/runs')).total;

describe('a request is refused', () => {
  test('with all errors of its body at once, each with its pointer', async () => {
    shows('errors.validation-error');
    const response = await post({ job_id: '', tenant: 'No Spaces', async: 'yes', priority: 101, jobs: 1 });
    expect(response.status).toBe(400);
    const { type, errors } = await problemOf(response);
    expect(type).toBe('https://flowd.org/problems/validation-error');
    expect(errors?.map(({ pointer, keyword }) => [pointer, keyword]).toSorted()).toEqual([
      ['/async', 'type'],
      ['/job_id', 'minLength'],
      ['/jobs', 'additionalProperties'],
      ['/priority', 'maximum'],
      ['/tenant', 'pattern'],
    ]);
  });

  test('when job_id is missing', async () => {
    const { errors } = await problemOf(await post({}));
    expect(errors).toEqual([{ pointer: '/job_id', keyword: 'required', message: expect.any(String) }]);
  });

  test('with all errors of its arguments at once, each with its pointer', async () => {
    const response = await post({ job_id: 'backup/daily', args: { keep: 0, mode: 'half', extra: 1 } });
    expect(response.status).toBe(400);
    const { errors } = await problemOf(response);
    expect(errors?.map(({ pointer, keyword }) => [pointer, keyword]).toSorted()).toEqual([
      ['/args/extra', 'additionalProperties'],
      ['/args/keep', 'minimum'],
      ['/args/mode', 'enum'],
      ['/args/target', 'required'],
    ]);
  });

  test.each([['1'], [1.5], [1e308], [null], [[7]]])(
    'for the argument %j, which is not an integer from 1 to 365 and is not converted to one',
    async (keep) => {
      const { errors } = await problemOf(await post({ job_id: 'backup/daily', args: { target: '/mnt/x', keep } }));
      expect(errors?.map((error) => error.pointer)).toContain('/args/keep');
    },
  );

  test.each([
    ['an array', '[]', 400, 'validation-error'],
    ['null', 'null', 400, 'validation-error'],
    ['no JSON', '{"job_id": ', 400, 'malformed-request'],
    ['nothing', '', 400, 'malformed-request'],
    ['NUL in an argument', '{"job_id":"backup/daily","args":{"target":"a\\u0000b"}}', 400, 'validation-error'],
    ['__proto__', '{"job_id":"quick","__proto__":{"async":false}}', 400, 'malformed-request'],
    ['more than server.body_limit', JSON.stringify({ job_id: 'x'.repeat(70_000) }), 413, 'body-too-large'],
  ])('when its body is %s', async (_what, body, status, slug) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect((await problemOf(response)).type).toBe(`https://flowd.org/problems/${slug}`);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'with 415 for the content type %s',
    async (type) => {
      const response = await post('{"job_id":"quick"}', { 'content-type': type });
      expect(response.status).toBe(415);
      expect((await problemOf(response)).type).toBe('https://flowd.org/problems/unsupported-media-type');
    },
  );

  test.each([
    ['nowhere', 404, 'job-not-found'],
    ['broken', 422, 'job-invalid'],
    ['contained', 422, 'not-supported-yet'],
    ['keyed', 422, 'not-supported-yet'],
    ['disabled', 422, 'profile-not-allowed'],
  ])('for the job %s, with %i %s', async (jobId, status, slug) => {
    const response = await post({ job_id: jobId });
    expect(response.status).toBe(status);
    expect((await problemOf(response)).type).toBe(`https://flowd.org/problems/${slug}`);
  });

  test.each([101, -101, 1.5])('for the priority %s, which is out of range', async (priority) => {
    const response = await post({ job_id: 'quick', priority });
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ errors: [{ pointer: '/priority' }] });
  });

  test('for a looser profile than the job’s, but not for a stricter one', async () => {
    shows('auth.configured');
    expect(await server.run('permissive', undefined, { security_profile: 'secure' })).toMatchObject({
      security: { profile: 'secure' },
    });
    const response = await post({ job_id: 'quick', security_profile: 'permissive' });
    expect(response.status).toBe(422);
    expect((await problemOf(response)).type).toBe('https://flowd.org/problems/profile-not-allowed');
  });

  test('without creating a run', async () => {
    expect(await server.json('/runs?job_id=notifying')).toMatchObject({ runs: [], total: 0 });
    expect(await server.json('/runs?job_id=disabled')).toMatchObject({ runs: [], total: 0 });
  });
});

describe('POST /plans', () => {
  test('says what a run would do, and runs nothing', async () => {
    const before = await runsSoFar();
    const response = await plan({ job_id: 'nightly', args: { target: '/mnt/backup' } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      job_id: 'backup/daily',
      args: { target: '/mnt/backup', keep: 7 },
      executor: 'proc',
      steps: [{ step_id: 'step_01', needs: [] }],
      security: { profile: 'secure', isolation: { network: 'none', filesystem: 'workspace', environment: 'clean' } },
      grants: [],
      secrets: [],
      waiting: null,
      denied: null,
    });
    expect(await runsSoFar()).toBe(before);
  });

  test('lists the steps in the order of the graph, and otherwise in the order of the file', async () => {
    expect(await (await plan({ job_id: 'release' })).json()).toMatchObject({
      steps: [
        { step_id: 'announce', needs: [] },
        { step_id: 'build', needs: [] },
        { step_id: 'test', needs: ['build'] },
        { step_id: 'publish', needs: ['test', 'build'] },
      ],
    });
  });

  test('validates its body like POST /runs', async () => {
    const response = await plan({ job_id: 'backup/daily', args: {} });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).errors?.[0]?.pointer).toBe('/args/target');
    expect((await plan({ job_id: 'nowhere' })).status).toBe(404);
    expect((await plan({ job_id: 'broken' })).status).toBe(422);
  });

  test.each([
    ['contained', 'not-supported-yet'],
    ['disabled', 'profile-not-allowed'],
  ])('says why a run of %s would be denied', async (jobId, slug) => {
    const response = await plan({ job_id: jobId });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      denied: { type: `https://flowd.org/problems/${slug}`, detail: expect.any(String) },
    });
  });
});
