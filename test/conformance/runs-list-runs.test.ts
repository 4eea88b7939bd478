// API reference, Runs › List Runs.

import { afterAll, beforeAll, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

const test = testWith('bwrap');

type RunList = { runs: RunAnswer[]; total: number; next_cursor: string | null };

const server = await startServer({
  jobs: {
    quick: bash('true', { argspec: { type: 'object', properties: { target: { type: 'string' } } } }),
    failing: bash('exit 3'),
    slow: bash('sleep 60'),
    '../more/elsewhere': bash('true'),
  },
  config: {
    sources: [
      { name: 'local-fs', type: 'fs', path: 'jobs' },
      { name: 'second', type: 'fs', path: 'more', mountPath: 'more' },
    ],
  },
});
afterAll(() => server.close());

const list = (query = '') => server.json<RunList>(`/runs${query}`);
const ids = async (query: string) => (await list(query)).runs.map((run) => run.run_id);

let labelled: RunAnswer;
let tenanted: RunAnswer;
let failed: RunAnswer;
let elsewhere: RunAnswer;

beforeAll(async () => {
  // 101 finished runs, one more than a page without `limit` holds.
  const many = Array.from({ length: 97 }, () => server.start('quick'));
  for (const id of await Promise.all(many)) await server.finished(id);
  labelled = await server.run('quick', undefined, { labels: { team: 'ops', 'app/env': 'prod' } });
  tenanted = await server.run('quick', { target: 'needle-in-args' }, { tenant: 'acme' });
  failed = await server.run('failing');
  elsewhere = await server.run('more/elsewhere');
});

test('a run is listed with the fields of the reference', async () => {
  shows(
    'runs.list.limit',
    'runs.list.runs',
    'runs.list.runs.run_id',
    'runs.list.runs.job_id',
    'runs.list.runs.status',
    'runs.list.runs.created_at',
    'runs.list.runs.finished_at',
  );
  const { runs } = await list('?limit=1');
  expect(runs).toEqual([
    {
      run_id: elsewhere.run_id,
      job_id: 'more/elsewhere',
      status: 'success',
      created_at: elsewhere.created_at,
      finished_at: elsewhere.finished_at,
      started_at: elsewhere.started_at,
      tenant: 'default',
      reason: null,
      waiting: null,
      waiting_approval: [],
      approval_ms: 0,
      expected_ms: null,
      expected_end_at: null,
      exit_code: 0,
      attempt: 1,
      priority: 0,
      trigger: { type: 'api' },
      created_by: 'local',
      labels: {},
      progress: null,
      error: null,
      args_text: '',
    },
  ]);
  expect(elsewhere.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('a page has 100 runs by default, newest first, and total counts all of them', async () => {
  shows('runs.list', 'runs.list.limit.default', 'runs.list.total');
  const { runs, total } = await list();
  expect(total).toBe(101);
  expect(runs).toHaveLength(100);
  expect(runs.slice(0, 4).map((run) => run.run_id)).toEqual(
    [elsewhere, failed, tenanted, labelled].map((run) => run.run_id),
  );
  const order = runs.map((run) => run.run_id);
  expect(order).toEqual(order.toSorted().toReversed());
});

test('runs can be filtered', async () => {
  shows('runs.list.job_id');
  expect(await ids('?job_id=failing')).toEqual([failed.run_id]);
  expect(await ids('?status=failed')).toEqual([failed.run_id]);
  expect(await ids('?status=running')).toEqual([]);
  expect(await ids('?tenant=acme')).toEqual([tenanted.run_id]);
  expect(await ids('?label=team')).toEqual([labelled.run_id]);
  expect(await ids('?label=team=ops')).toEqual([labelled.run_id]);
  expect(await ids('?label=app/env=prod')).toEqual([labelled.run_id]);
  expect(await ids('?label=team=dev')).toEqual([]);
  expect(await ids('?source=second')).toEqual([elsewhere.run_id]);
  expect(await ids('?q=needle-in')).toEqual([tenanted.run_id]);
  expect(await ids(`?q=${failed.run_id}`)).toEqual([failed.run_id]);
  expect(await ids('?job_id=quick&tenant=acme')).toEqual([tenanted.run_id]);
  expect(await list('?job_id=nowhere')).toEqual({ runs: [], total: 0, total_exact: true, next_cursor: null });
  expect(await list('?job_id=quick&status=success&limit=3')).toMatchObject({ total: 99 });
});

test('since is inclusive, until is exclusive', async () => {
  expect(await ids(`?since=${failed.created_at}`)).toEqual([elsewhere.run_id, failed.run_id]);
  expect(await ids(`?since=${failed.created_at}&until=${elsewhere.created_at}`)).toEqual([failed.run_id]);
});

test('the status filter finds waiting, running and finished runs', async () => {
  shows('runs.list.status.pending', 'runs.list.status.running', 'runs.list.status.success', 'runs.list.status.failed');
  await using small = await startServer({
    jobs: { quick: bash('true'), failing: bash('exit 3'), slow: bash('sleep 60') },
    config: { scheduler: { global_concurrency: 1 } },
  });
  const { run_id: success } = await small.run('quick');
  const { run_id: failure } = await small.run('failing');
  const running = await small.start('slow');
  await small.runWhen(running, (run) => run.status === 'running');
  const pending = await small.start('slow');
  const ofStatus = async (status: string) => {
    const { runs, total } = await small.json<RunList>(`/runs?status=${status}`);
    return { runs: runs.map((run) => [run.run_id, run.status]), total };
  };
  expect(await ofStatus('pending')).toEqual({ runs: [[pending, 'pending']], total: 1 });
  expect(await ofStatus('running')).toEqual({ runs: [[running, 'running']], total: 1 });
  expect(await ofStatus('success')).toEqual({ runs: [[success, 'success']], total: 1 });
  expect(await ofStatus('failed')).toEqual({ runs: [[failure, 'failed']], total: 1 });
  for (const runId of [pending, running]) await small.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
  expect(await ofStatus('pending')).toEqual({ runs: [], total: 0 });
  expect(await ofStatus('running')).toEqual({ runs: [], total: 0 });
  expect(await ofStatus('cancelled')).toMatchObject({ total: 2 });
});

test('offset skips runs', async () => {
  shows('runs.list.offset');
  const all = await ids('?limit=10');
  expect(await ids('?limit=4&offset=3')).toEqual(all.slice(3, 7));
  expect(await list('?offset=100000')).toMatchObject({ runs: [], next_cursor: null });
});

test('a cursor shows every run once, while runs are added', async () => {
  const before = await list('?job_id=quick&limit=1000');
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: RunList = await list(`?job_id=quick&limit=40${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    seen.push(...page.runs.map((run) => run.run_id));
    cursor = page.next_cursor;
    await server.run('quick');
  }
  expect(seen).toEqual(before.runs.map((run) => run.run_id));
});

test.each([
  ['?limit=0', '?limit'],
  ['?limit=1001', '?limit'],
  ['?limit=-1', '?limit'],
  ['?limit=', '?limit'],
  ['?limit=1e3000', '?limit'],
  ['?offset=-1', '?offset'],
  ['?offset=0.5', '?offset'],
  ['?status=done', '?status'],
  ['?since=yesterday', '?since'],
  ['?until=2024-13-01T00:00:00Z', '?until'],
  ['?cursor=%00', '?cursor'],
  ['?order=asc', '?order'],
])('%s is a validation-error that names the parameter', async (query, pointer) => {
  const response = await server.fetch(`/runs${query}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    type: 'https://flowd.org/problems/validation-error',
    instance: '/api/v1/runs',
    errors: [{ pointer }],
  });
});

test('two wrong parameters are reported in one answer', async () => {
  const response = await server.fetch('/runs?limit=0&status=done');
  expect(await response.json()).toMatchObject({ errors: [{ pointer: '?limit' }, { pointer: '?status' }] });
});
