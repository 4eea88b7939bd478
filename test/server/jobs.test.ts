import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

type JobList = { jobs: { id: string }[]; invalid: { id: string }[]; total: number; next_cursor: string | null };

const server = await startServing({
  jobs: {
    'backup/daily': bash('true', {
      name: 'Daily backup',
      tags: ['backup'],
      timeouts: { run: '90m', step: '250ms' },
      argspec: { type: 'object', properties: { keep: { type: 'integer', default: 7 } } },
    }),
    'backup/db/full': bash('true', { description: 'Dumps every Table' }),
    deploy: bash('true', { security_profile: 'permissive', enabled: false }),
    'backup/broken': { 'config.yaml': 'command: [./run.sh\n' },
    broken: { 'config.yaml': 'command: [./run.sh\n' },
  },
  aliases: [{ from: 'backup/daily', to: 'nightly' }],
});
afterAll(() => server.close());

const list = async (query = ''): Promise<JobList> => JSON.parse(await (await server.fetch(`/jobs${query}`)).text());
const ids = async (query: string) => (await list(query)).jobs.map((job) => job.id);

test('a job is shown as its author wrote it, with readable durations', async () => {
  const response = await server.fetch('/jobs/backup/daily');
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(await response.json()).toEqual({
    id: 'backup/daily',
    name: 'daily',
    namespace: 'backup',
    version: '1.0.0',
    description: null,
    source: 'local-fs',
    title: 'Daily backup',
    tags: ['backup'],
    executor: 'proc',
    security_profile: 'secure',
    run_as: null,
    composition: 'single',
    aliases: ['nightly'],
    enabled: true,
    args: { type: 'object', properties: { keep: { type: 'integer', default: 7 } } },
    steps: [],
    concurrency: null,
    retry: { limit: 0, backoff: 'exponential', delay: '1s', max_delay: '1m', on: null },
    on_lost: 'fail',
    timeouts: { run: '1h30m', step: '250ms', queue: null },
    revision: expect.stringMatching(/^[0-9a-f]{16}$/),
    path: 'backup/daily',
    agents: { expose: null, read_only: false, idempotent: false, detach: false, approval: false },
  });
});

test('the list of jobs for agent tools has their arguments, and says which jobs their authors expose', async () => {
  await using agents = await startServing({
    jobs: {
      a: bash('true', { argspec: { properties: { n: { type: 'integer' } } } }),
      b: bash('true', { agents: { expose: true, read_only: true } }),
      c: bash('true', { agents: { expose: false } }),
    },
    sources: [
      {
        name: 'others',
        mountPath: 'others',
        trusted: false,
        jobs: { d: bash('true', { agents: { expose: true, read_only: true, idempotent: true, detach: true } }) },
      },
    ],
  });
  const listed = async (query: string) => JSON.parse(await (await agents.fetch(`/jobs?${query}`)).text());
  const plain = { expose: null, read_only: false, idempotent: false, detach: false, approval: false };
  expect((await listed('include=args&agents=visible')).jobs).toMatchObject([
    { id: 'a', args: { type: 'object', properties: { n: { type: 'integer' } } }, agents: plain },
    { id: 'b', agents: { ...plain, expose: true, read_only: true } },
    // An untrusted author can neither expose a job to agents nor declare it harmless.
    { id: 'others/d', agents: { ...plain, detach: true } },
  ]);
  expect((await listed('agents=exposed')).jobs.map(({ id }: { id: string }) => id)).toEqual(['b']);
  expect((await listed('')).jobs[0]).not.toHaveProperty('args');
  expect((await agents.fetch('/jobs?include=code')).status).toBe(400);
});

test.each(['backup%2Fdaily', 'backup%2fdaily', 'b%61ckup/daily', 'nightly'])('%s names the same job', async (id) => {
  expect(await (await server.fetch(`/jobs/${id}`)).json()).toMatchObject({ id: 'backup/daily' });
});

test.each([
  '..%2F..%2Fetc%2Fpasswd',
  '%2e%2e/%2e%2e/etc/passwd',
  'backup%252Fdaily',
  'backup/daily/',
  'Backup/daily',
  'backup',
  '%00',
  '',
  'x'.repeat(5_000),
])('%s names no job', async (id) => {
  const response = await server.fetch(`/jobs/${id}`);
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
});

test('an invalid job is listed with the others, and answered with 422 when it is requested', async () => {
  expect((await list()).invalid.map((job) => job.id)).toEqual(['backup/broken', 'broken']);
  expect((await list('?namespace=backup')).invalid.map((job) => job.id)).toEqual(['backup/broken']);
  const response = await server.fetch('/jobs/broken');
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ errors: [{ file: 'broken/config.yaml' }] });
});

describe('the list', () => {
  test.each([
    ['', ['backup/daily', 'backup/db/full', 'deploy']],
    ['?namespace=', ['deploy']],
    ['?namespace=backup', ['backup/daily']],
    ['?prefix=backup', ['backup/daily', 'backup/db/full']],
    ['?prefix=backup/', ['backup/daily', 'backup/db/full']],
    ['?prefix=back', []],
    ['?tag=backup', ['backup/daily']],
    ['?source=local-fs&q=every%20table', ['backup/db/full']],
    ['?source=other', []],
    ['?q=NIGHT', []],
    ['?ids=deploy,backup/daily,nothing', ['backup/daily', 'deploy']],
    ['?limit=1&offset=1', ['backup/db/full']],
    ['?offset=9', []],
  ])('%s lists %j', async (query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  test('is paged by cursor, and `total` counts all matching jobs', async () => {
    const first = await list('?limit=2');
    expect(first).toMatchObject({ total: 3, next_cursor: expect.any(String) });
    const second = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ jobs: [{ id: 'deploy' }], total: 3, next_cursor: null });
  });

  test('a cursor of another list is an error', async () => {
    const response = await server.fetch('/jobs?cursor=nonsense');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '?cursor' }] });
  });
});

describe('last_runs', () => {
  type WithRuns = {
    jobs: { id: string; last_runs?: { run_id: string; status: string }[] }[];
    next_cursor: string | null;
  };
  const listAs = async (query: string, headers = {}): Promise<WithRuns> =>
    JSON.parse(await (await server.fetch(`/jobs${query}`, { headers })).text());

  test('shows the newest runs of each job, to callers who may read runs', async () => {
    const jobId = 'backup/daily';
    const first = await server.addRun({ jobId });
    await first.move('claim');
    await first.finish('fail');
    const second = await server.addRun({ jobId });
    const third = await server.addRun({ jobId, tenant: 'acme' });
    const runsOf = async (query: string, headers = {}): Promise<unknown> =>
      (await listAs(query, headers)).jobs.find(({ id }) => id === jobId)?.last_runs?.map(({ run_id: id }) => id);

    expect(await runsOf('?last_runs=2')).toEqual([third.id, second.id]);
    expect(await runsOf('?last_runs=10')).toEqual([third.id, second.id, first.id]);
    expect((await listAs('?ids=backup/daily&last_runs=10')).jobs[0]?.last_runs?.at(-1)).toEqual({
      run_id: first.id,
      status: 'failed',
      created_at: expect.any(String),
      started_at: expect.any(String),
      finished_at: expect.any(String),
    });
    expect((await listAs('?ids=deploy&last_runs=3')).jobs).toMatchObject([{ id: 'deploy', last_runs: [] }]);

    const acme = await server.token({ scopes: ['jobs:read', 'runs:read'], tenant: 'acme' });
    expect(await runsOf('?last_runs=10', acme.headers)).toEqual([third.id]);
    const narrow = await server.token({ scopes: ['jobs:read'] });
    expect(await runsOf('?last_runs=10', narrow.headers)).toBeUndefined();
    expect(await runsOf('')).toBeUndefined();
  });

  test('has pages of a hundred jobs by default', async () => {
    const jobs = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`j${n}`, bash('true')]));
    await using many = await startServing({ jobs, watch: false });
    const countOf = async (query: string): Promise<number> =>
      JSON.parse(await (await many.fetch(`/jobs${query}`)).text()).jobs.length;
    expect(await countOf('?last_runs=1')).toBe(100);
    expect(await countOf('?last_runs=1&limit=101')).toBe(101);
    expect((await many.fetch('/jobs?last_runs=11')).status).toBe(400);
  });
});

describe('If-None-Match', () => {
  test.each(['/jobs', '/jobs?limit=1', '/jobs/backup/daily'])(
    'is answered with 304 while %s is unchanged',
    async (path) => {
      const first = await server.fetch(path);
      const etag = first.headers.get('etag') ?? '';
      for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await server.fetch(path, { headers: { 'if-none-match': sent } });
        expect([sent, again.status, again.headers.get('etag'), await again.text()]).toEqual([sent, 304, etag, '']);
      }
      const other = await server.fetch(path, { headers: { 'if-none-match': '"other"' } });
      expect([other.status, await other.text()]).toEqual([200, await first.text()]);
    },
  );

  test('no longer matches after any file of the job has changed', async () => {
    const etag = async () => (await server.fetch('/jobs/backup/db/full')).headers.get('etag');
    const before = await etag();
    await writeFile(join(server.root, 'jobs/backup/db/full/run.sh'), '#!/bin/sh\necho changed\n');
    await expect.poll(etag).not.toBe(before);
  });

  test('no longer matches after a change even if the source is not watched', async () => {
    await using unwatched = await startServing({ jobs: { demo: bash('true') }, watch: false });
    const revision = async (): Promise<unknown> =>
      JSON.parse(await (await unwatched.fetch('/jobs/demo')).text()).revision;
    const before = await revision();
    await writeFile(join(unwatched.root, 'jobs/demo/run.sh'), '#!/bin/sh\necho changed\n');
    await expect.poll(revision).not.toBe(before);
  });
});

test('HEAD answers with the headers of GET and no body', async () => {
  const [get, head] = [await server.fetch('/jobs'), await server.fetch('/jobs', { method: 'HEAD' })];
  expect(await head.text()).toBe('');
  for (const name of ['etag', 'content-length', 'content-type']) {
    expect(head.headers.get(name)).toBe(get.headers.get(name));
  }
});

test('until the sources have been read, no job is reported as missing', async () => {
  await using starting = await startServing({ jobs: { 'backup/daily': bash('true') }, unread: true });
  const asked = {
    'GET /jobs': starting.fetch('/jobs'),
    'GET /jobs/…': starting.fetch('/jobs/backup/daily'),
    'POST /runs': starting.post('/runs', { job_id: 'backup/daily' }, { 'idempotency-key': 'first' }),
    'POST /plans': starting.post('/plans', { job_id: 'backup/daily' }),
  };
  for (const [what, answering] of Object.entries(asked)) {
    const answer = await answering;
    expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }, what).toEqual({
      status: 503,
      retryAfter: '1',
    });
    expect(await answer.json()).toMatchObject({ type: 'https://flowd.org/problems/not-ready' });
  }
});
