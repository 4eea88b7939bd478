import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ValidationError } from '../../src/domain/problem.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing, type TestRun } from './serving.ts';

type RunAnswer = { run_id: string; status: string; request_id: string; trigger: { type: string } };

const jobs = {
  quick: bash('true', { argspec: { type: 'object', properties: { keep: { type: 'integer', default: 7 } } } }),
  backup: bash('true', {
    argspec: {
      type: 'object',
      properties: { target: { type: 'string' }, keep: { type: 'integer' } },
      required: ['target'],
    },
  }),
};
const server = await startServing({ jobs, aliases: [{ from: 'backup', to: 'fast' }] });
afterAll(() => server.close());

const read = async <T = RunAnswer>(response: Response): Promise<T> => JSON.parse(await response.text());

describe('a run', () => {
  test('has an ETag that changes only when the run changes', async () => {
    const run = await server.addRun();
    const etag = async () => (await server.fetch(`/runs/${run.id}`)).headers.get('etag') ?? '';
    const pending = await etag();
    const same = await server.fetch(`/runs/${run.id}`, { headers: { 'if-none-match': pending } });
    expect([same.status, await same.text()]).toEqual([304, '']);
    await run.move('claim');
    const running = await etag();
    expect(running).not.toBe(pending);
    const changed = await server.fetch(`/runs/${run.id}`, { headers: { 'if-none-match': pending } });
    expect(await read(changed)).toMatchObject({ run_id: run.id, status: 'running' });
    await run.finish();
    expect(await read(await server.fetch(`/runs/${run.id}`))).toMatchObject({ status: 'success', exit_code: 0 });
  });

  test('with an unknown id, however long, gets 404', async () => {
    for (const id of ['run_x', 'x'.repeat(8_000), '%00']) {
      expect((await server.fetch(`/runs/${id}`)).status).toBe(404);
    }
  });
});

describe('a running run', () => {
  type Expected = {
    run_id: string;
    status: string;
    started_at: string | null;
    expected_ms: number | null;
    expected_end_at: string | null;
  };
  /** Adds a run that has worked for this long. */
  async function worked(jobId: string, tookMs: number, more: { tenant?: string } = {}): Promise<void> {
    const run = await server.addRun({ jobId, ...more });
    const startedAtMs = Date.now();
    await run.move('claim', { atMs: startedAtMs });
    await run.move('succeed', { atMs: startedAtMs + tookMs });
  }
  const shown = async (id: string) => read<Expected>(await server.fetch(`/runs/${id}`));
  const listed = async (jobId: string) =>
    (await read<{ runs: Expected[] }>(await server.fetch(`/runs?job_id=${jobId}`))).runs;

  test('says how long it will probably take, from the last successes of its job in its tenant', async () => {
    await worked('usual', 1_000, { tenant: 'other' });
    for (const tookMs of [50_000, 10_000, 40_000]) await worked('usual', tookMs);
    const run = await server.addRun({ jobId: 'usual' });
    expect(await shown(run.id)).toMatchObject({ expected_ms: null, expected_end_at: null });
    await run.move('claim');
    const running = await shown(run.id);
    expect(running.expected_ms).toBe(40_000);
    expect(Date.parse(running.expected_end_at ?? '') - Date.parse(running.started_at ?? '')).toBe(40_000);
    const [first, second] = await listed('usual');
    expect(first).toMatchObject({ run_id: run.id, expected_ms: 40_000, expected_end_at: running.expected_end_at });
    expect(second).toMatchObject({ status: 'success', expected_ms: null, expected_end_at: null });
    for (const tookMs of [20_000, 21_000]) await worked('usual', tookMs);
    expect((await listed('usual')).find((one) => one.run_id === run.id)).toMatchObject({ expected_ms: 21_000 });
    await run.finish();
    expect(await shown(run.id)).toMatchObject({ expected_ms: null, expected_end_at: null });
  });

  test('of a job that has never succeeded has no estimated end', async () => {
    const failed = await server.addRun({ jobId: 'unlucky' });
    await failed.move('claim');
    await failed.finish('fail');
    const run = await server.addRun({ jobId: 'unlucky' });
    await run.move('claim');
    expect(await shown(run.id)).toMatchObject({ status: 'running', expected_ms: null, expected_end_at: null });
  });
});

const ids = async (query: string) =>
  (await read<{ runs: RunAnswer[] }>(await server.fetch(`/runs?${query}`))).runs.map((run) => run.run_id);

describe('the list of runs', () => {
  const runs: TestRun[] = [];
  beforeAll(async () => {
    for (const jobId of ['a', 'a', 'b']) runs.push(await server.addRun({ jobId, tenant: `tenant-${jobId}` }));
    await runs[0]?.move('claim');
  });

  test('filters by job, status, tenant and label', async () => {
    const [first, second, third] = runs.map((run) => run.id);
    expect(await ids('job_id=a')).toEqual([second, first]);
    expect(await ids('job_id=a&status=running')).toEqual([first]);
    expect(await ids('tenant=tenant-b')).toEqual([third]);
    expect(await ids('tenant=tenant-b&label=team')).toEqual([third]);
    expect(await ids('tenant=tenant-b&label=team=ops')).toEqual([third]);
    expect(await ids('tenant=tenant-b&label=team=dev')).toEqual([]);
  });

  test('filters by caller or trigger and by namespace, and can leave out sub-runs and labels', async () => {
    const sub = await server.addRun({ jobId: 'shop/part', trigger: { type: 'job' }, createdBy: 'mara' });
    const top = await server.addRun({ jobId: 'shop/whole', trigger: { type: 'cli' }, createdBy: 'mara', labels: {} });
    expect(await ids('prefix=shop')).toEqual([top.id, sub.id]);
    expect(await ids('prefix=shop&top_level=true')).toEqual([top.id]);
    expect(await ids('prefix=shop&top_level=false')).toEqual([top.id, sub.id]);
    expect(await ids('created_by=mara&trigger=cli')).toEqual([top.id]);
    expect(await ids('prefix=shop&not_label=team')).toEqual([top.id]);
    expect(await ids('prefix=shop&not_label=team=dev')).toEqual([top.id, sub.id]);
    expect(await read(await server.fetch('/runs?created_by=mara'))).toMatchObject({ total: 2, total_exact: true });
    expect((await server.fetch('/runs?trigger=nobody')).status).toBe(400);
  });

  test('includes runs at `since` but not at `until`, to the microsecond', async () => {
    const [, , third] = runs;
    const { created_at } = await read<{ created_at: string }>(await server.fetch(`/runs/${third?.id}`));
    const later = created_at.replace('Z', '001Z');
    const at = encodeURIComponent;
    expect(await ids(`job_id=b&since=${created_at}`)).toEqual([third?.id]);
    expect(await ids(`job_id=b&since=${later}`)).toEqual([]);
    expect(await ids(`job_id=b&until=${created_at}`)).toEqual([]);
    expect(await ids(`job_id=b&until=${later}`)).toEqual([third?.id]);
    expect(await ids(`job_id=b&since=${at(created_at.replace('Z', '+00:00'))}`)).toEqual([third?.id]);
  });

  test.each([
    ['limit=ten', ['?limit']],
    ['limit=1.5', ['?limit']],
    ['limit=0&status=done', ['?limit', '?status']],
    ['limit=1&limit=2', ['?limit']],
    ['offset=-1&since=2024-02-30T00:00:00Z&lable=x', ['?lable', '?offset', '?since']],
    ['cursor=nonsense', ['?cursor']],
    ['__proto__=1', ['?__proto__']],
    [`q=${'x'.repeat(1025)}`, ['?q']],
  ])('with %s returns an error for every wrong parameter', async (query, pointers) => {
    const response = await server.fetch(`/runs?${query}`);
    expect(response.status).toBe(400);
    const { errors } = await read<{ errors: { pointer: string }[] }>(response);
    expect(errors.map((error) => error.pointer)).toEqual(pointers);
  });

  test('suggests the nearest name for a misspelt parameter', async () => {
    expect(await (await server.fetch('/runs?stats=failed')).json()).toMatchObject({
      errors: [{ message: expect.stringContaining('did you mean `status`?') }],
    });
  });
});

describe('a request for a run', () => {
  test('returns all its errors at once', async () => {
    const response = await server.post('/runs', {
      job_id: '',
      async: 'yes',
      priority: 101,
      labels: { 'no spaces': 'x' },
      security_profile: 'lax',
      jobs: 1,
    });
    expect(response.status).toBe(400);
    const { errors } = await read<{ errors: { pointer: string; keyword: string }[] }>(response);
    expect(errors.map(({ pointer, keyword }) => [pointer, keyword])).toEqual([
      ['/async', 'type'],
      ['/job_id', 'minLength'],
      ['/jobs', 'additionalProperties'],
      ['/labels/no spaces', 'additionalProperties'],
      ['/priority', 'maximum'],
      ['/security_profile', 'enum'],
    ]);
  });

  test('returns a pointer to a missing member, and escaped pointers to unknown members', async () => {
    const response = await server.post('/runs', { 'a/b~c': 1 });
    const { errors } = await read<{ errors: { pointer: string }[] }>(response);
    expect(errors.map((error) => error.pointer)).toEqual(['/a~1b~0c', '/job_id']);
  });

  test.each(['/runs', '/plans'])(
    'to %s returns the errors of its members and of its arguments at once',
    async (path) => {
      const body = { job_id: 'fast', labels: { x: 1 }, args: { target: 5, keep: 'all', kep: 1 }, unknown: true };
      const response = await server.post(path, body);
      expect(response.status).toBe(400);
      const { errors } = await read<{ errors: ValidationError[] }>(response);
      expect(errors.map(({ pointer, keyword }) => [pointer, keyword])).toEqual([
        ['/args/kep', 'additionalProperties'],
        ['/args/target', 'type'],
        ['/args/keep', 'type'],
        ['/labels/x', 'type'],
        ['/unknown', 'additionalProperties'],
      ]);
    },
  );

  test('returns a missing argument with the errors of its members, even without `args`', async () => {
    const { errors } = await read<{ errors: ValidationError[] }>(
      await server.post('/runs', { job_id: 'backup', async: 1 }),
    );
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/args/target', '/async']);
  });

  test.each([
    ['its job is unknown', { job_id: 'nowhere', args: { target: 5 } }],
    ['its job is no text', { job_id: ['backup'], args: { target: 5 } }],
    ['its arguments are no object', { job_id: 'backup', args: [] }],
  ])('returns the errors of its members if %s', async (_why, body) => {
    const response = await server.post('/runs', { ...body, unknown: 1 });
    expect(response.status).toBe(400);
    const { errors } = await read<{ errors: ValidationError[] }>(response);
    expect(errors.map(({ pointer }) => pointer)).toContain('/unknown');
    expect(errors.filter(({ pointer }) => pointer.startsWith('/args/'))).toEqual([]);
  });

  test('with thousands of unknown members returns the first hundred errors and the number of the others', async () => {
    const names = Array.from({ length: 6_000 }, (_, at) => `m${String(at).padStart(4, '0')}`);
    const body = Object.fromEntries(names.map((name) => [name, 0]));
    const { errors, detail } = await read<{ errors: ValidationError[]; detail: string }>(
      await server.post('/runs', body),
    );
    const named = ['/job_id', ...names.slice(0, 99).map((name) => `/${name}`)];
    expect(errors.map(({ pointer }) => pointer)).toEqual([...named, '']);
    expect(errors.at(-1)).toEqual({ pointer: '', message: 'has 5901 more errors', keyword: 'more' });
    expect(detail).toBe('/job_id: is required (and 6000 more)');
  });

  test('with a very long member name does not return the name', async () => {
    const response = await server.post('/runs', { job_id: 'quick', ['x'.repeat(5_000)]: 1 });
    const { errors } = await read<{ errors: ValidationError[] }>(response);
    const message = 'has a member whose name of 5000 characters is not known';
    expect(errors).toEqual([{ pointer: '', message, keyword: 'additionalProperties' }]);
  });

  test.each(['', 'x'.repeat(256), 'tab\tinside', 'ümlaut'])(
    'with the Idempotency-Key %j is answered with 400',
    async (key) => {
      const response = await server.post('/runs', { job_id: 'quick' }, { 'idempotency-key': key });
      expect(response.status).toBe(400);
    },
  );

  test('for an unknown job is answered with 404', async () => {
    expect((await server.post('/runs', { job_id: 'nowhere' })).status).toBe(404);
  });
});

describe('cancelling', () => {
  test('a pending run ends it at once, and may be repeated; a finished run gets 409, and an unknown run 404', async () => {
    const run = await server.addRun();
    const cancel = (body?: string) =>
      server.fetch(`/runs/${run.id}/cancel`, {
        method: 'POST',
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body ?? null,
      });
    for (const body of [undefined, '', '{}']) {
      const response = await cancel(body);
      expect([response.status, await read(response)]).toEqual([200, { run_id: run.id, status: 'cancelled' }]);
    }
    const unknown = await cancel('{"force": true}');
    expect([unknown.status, await read(unknown)]).toMatchObject([400, { errors: [{ pointer: '/force' }] }]);

    const finished = await server.addRun();
    await finished.move('claim');
    await finished.finish();
    expect((await server.fetch(`/runs/${finished.id}/cancel`, { method: 'POST' })).status).toBe(409);
    expect((await server.fetch('/runs/run_x/cancel', { method: 'POST' })).status).toBe(404);
  });
});

testWith('bwrap')(
  'a run records the interface that created it, is returned again for its key, and can be waited for',
  async () => {
    await using executing = await startServing({ jobs, aliases: [{ from: 'quick', to: 'fast' }], executes: true });
    const headers = { 'idempotency-key': 'one', 'x-flwd-client': 'cli', 'x-request-id': 'from-test' };
    const first = await executing.post('/runs', { job_id: 'fast', async: false }, headers);
    const text = await first.text();
    const run: RunAnswer = JSON.parse(text);
    expect(first.status).toBe(201);
    expect(run).toMatchObject({
      job_id: 'quick',
      status: 'success',
      args: { keep: 7 },
      request_id: 'from-test',
      trigger: { type: 'cli' },
      created_by: 'local',
    });
    expect(first.headers.get('location')).toBe(`/api/v1/runs/${run.run_id}`);
    expect(first.headers.get('idempotent-replay')).toBeNull();
    const second = await executing.post('/runs', { async: false, job_id: 'fast' }, headers);
    expect([second.status, second.headers.get('idempotent-replay'), await second.text()]).toEqual([201, 'true', text]);

    const console = await executing.post('/runs', { job_id: 'quick', async: false }, { 'x-flwd-client': 'console' });
    expect(await read(console)).toMatchObject({ trigger: { type: 'console' } });
    const unknownClient = await executing.post(
      '/runs',
      { job_id: 'quick', async: false },
      { 'x-flwd-client': 'schedule' },
    );
    expect(await read(unknownClient)).toMatchObject({ trigger: { type: 'api' } });
  },
);

testWith('bwrap')('a plan says what a run would do, and creates no run', async () => {
  const total = async () => (await read<{ total: number }>(await server.fetch('/runs?job_id=quick'))).total;
  const before = await total();
  const response = await server.post('/plans', { job_id: 'quick', args: { keep: 3 } });
  expect(response.status).toBe(200);
  expect(await read<unknown>(response)).toMatchObject({ job_id: 'quick', args: { keep: 3 }, denied: null });
  expect(await total()).toBe(before);
});

describe('the sub-runs of a run', () => {
  testWith('bwrap')('are listed with the step that started each', async () => {
    await using own = await startServing({
      executes: true,
      jobs: {
        top: {
          'config.yaml': JSON.stringify({
            steps: [
              { id: 'one', job: 'leaf' },
              { id: 'each', job: 'leaf', matrix: { host: ['a', 'b'] }, needs: ['one'] },
              { id: 'last', script: './a.sh', needs: ['each'] },
            ],
          }),
          'a.sh': '#!/usr/bin/env bash\nexit 3\n',
        },
        leaf: bash('true'),
      },
    });
    const { run_id: runId } = await read(await own.post('/runs', { job_id: 'top', async: false }));
    type Child = RunAnswer & { job_id: string; parent: { run_id: string; step_id: string } };
    const children = async (id: string) =>
      (await read<{ runs: Child[] }>(await own.fetch(`/runs/${id}/children`))).runs.map(
        ({ job_id: jobId, status, parent }) => [jobId, status, parent.step_id, parent.run_id === runId],
      );
    const started = [
      ['leaf', 'success', 'one', true],
      ['leaf', 'success', 'each[host=a]', true],
      ['leaf', 'success', 'each[host=b]', true],
    ];
    expect(await children(runId)).toEqual(expect.arrayContaining(started));
    expect((await children(runId))[0]).toEqual(started[0]);

    const again = await read(await own.post(`/runs/${runId}/rerun`, { from: 'failed' }));
    // The rerun keeps these steps, and starts no sub-runs for them.
    expect(await children(again.run_id)).toEqual([]);
    expect((await own.fetch('/runs/run_x/children')).status).toBe(404);
  });
});
