// API reference, Jobs › Get Job Details.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

type Job = { id: string; args: unknown; revision: string; path: string };

const argspec = {
  type: 'object',
  properties: { target: { type: 'string', description: 'Backup target directory' } },
  required: ['target'],
};

const server = await startServer({
  jobs: {
    'backup/daily': bash('true', {
      name: 'Daily backup',
      description: 'Daily backup job',
      tags: ['backup'],
      argspec,
      timeouts: { run: '1h', queue: '10m' },
    }),
    plain: bash('true'),
    listed: bash('true', {
      args: [
        { name: 'target', type: 'string', required: true, description: 'Where to' },
        { name: 'keep', type: 'integer', default: 7 },
      ],
    }),
    stepped: {
      'config.yaml': 'composition: steps\nsteps:\n  - {id: build, script: ./build.sh}\n',
      'build.sh': 'true\n',
    },
    changing: bash('echo one'),
    broken: bash('true', { argspec: { type: 'object', properties: { a: { type: 'strin' } } } }),
    'with.dots_and-dashes/Upper': bash('true'),
  },
  config: { aliases: [{ from: 'backup/daily', to: 'nightly', description: 'What cron called it' }] },
});
afterAll(() => server.close());

test('a job has the fields of the reference, and the schema of its arguments as its author wrote it', async () => {
  shows(
    'jobs.get',
    'jobs.get.configuration',
    'jobs.get.id',
    'jobs.get.name',
    'jobs.get.namespace',
    'jobs.get.version',
    'jobs.get.description',
    'jobs.get.args',
    'jobs.get.args.type',
    'jobs.get.args.properties',
    'jobs.get.args.required',
    'jobs.get.source',
  );
  const response = await server.fetch('/jobs/backup/daily');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/);
  expect(await response.json()).toEqual({
    id: 'backup/daily',
    agents: { expose: null, read_only: false, idempotent: false, detach: false, approval: false },
    name: 'daily',
    namespace: 'backup',
    version: '1.0.0',
    description: 'Daily backup job',
    source: 'local-fs',
    title: 'Daily backup',
    tags: ['backup'],
    executor: 'proc',
    security_profile: 'secure',
    run_as: null,
    composition: 'single',
    aliases: ['nightly'],
    enabled: true,
    args: argspec,
    steps: [],
    concurrency: null,
    retry: { limit: 0, backoff: 'exponential', delay: '1s', max_delay: '1m', on: null },
    on_lost: 'fail',
    timeouts: { run: '1h', step: null, queue: '10m' },
    revision: expect.stringMatching(/^[0-9a-f]{16,}$/),
    path: 'backup/daily',
  });
});

test.each(['/jobs/backup/daily', '/jobs/backup%2Fdaily', '/jobs/backup%2fdaily', '/jobs/nightly'])(
  '%s is the job backup/daily',
  async (path) => {
    expect(await server.json<Job>(path)).toMatchObject({ id: 'backup/daily' });
  },
);

test('a job id keeps its spelling', async () => {
  expect(await server.json<Job>('/jobs/with.dots_and-dashes/Upper')).toMatchObject({
    id: 'with.dots_and-dashes/Upper',
  });
  expect((await server.fetch('/jobs/with.dots_and-dashes/upper')).status).toBe(404);
});

test('a job that declares no arguments has an empty object schema', async () => {
  const { args } = await server.json<{ args: { properties?: object } }>('/jobs/plain');
  expect(args).toMatchObject({ type: 'object' });
  expect(args.properties ?? {}).toEqual({});
});

test('arguments in the list form are served as a schema', async () => {
  expect((await server.json<Job>('/jobs/listed')).args).toMatchObject({
    type: 'object',
    properties: { target: { type: 'string', description: 'Where to' }, keep: { type: 'integer', default: 7 } },
    required: ['target'],
  });
});

test('the steps of a job are shown as their author wrote them', async () => {
  expect(await server.json<Job>('/jobs/stepped')).toMatchObject({
    composition: 'steps',
    steps: [{ step_id: 'build', kind: 'script', command: ['./build.sh'], needs: [], if: null }],
    retry: null,
  });
});

test('the revision changes only with the files of the job', async () => {
  const revision = async () => (await server.json<Job>('/jobs/changing')).revision;
  const before = await revision();
  expect(await revision()).toBe(before);
  await writeFile(join(server.jobsDir, 'changing', 'run.sh'), '#!/usr/bin/env bash\necho two\n');
  await expect.poll(revision).not.toBe(before);
  await writeFile(join(server.jobsDir, 'changing', 'run.sh'), '#!/usr/bin/env bash\necho one\n');
  await expect.poll(revision).toBe(before);
});

test('If-None-Match gets 304 while the job is unchanged', async () => {
  const etag = (await server.fetch('/jobs/backup/daily')).headers.get('etag') ?? '';
  expect(etag).not.toBe('');
  const again = await server.fetch('/jobs/backup/daily', { headers: { 'if-none-match': etag } });
  expect(again.status).toBe(304);
  const other = await server.fetch('/jobs/plain', { headers: { 'if-none-match': etag } });
  expect(other.status).toBe(200);
});

test('an unknown job gets the problem of the reference', async () => {
  shows('errors.type', 'errors.title', 'errors.status', 'errors.detail', 'errors.instance', 'errors.job-not-found');
  const response = await server.fetch('/jobs/backup/hourly');
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  expect(await response.json()).toEqual({
    type: 'https://flowd.org/problems/job-not-found',
    title: 'Job Not Found',
    status: 404,
    detail: "The job 'backup/hourly' does not exist",
    instance: '/api/v1/jobs/backup/hourly',
  });
});

test('a broken job gets 422 job-invalid with its errors, and without paths of the host', async () => {
  const response = await server.fetch('/jobs/broken');
  expect(response.status).toBe(422);
  const text = await response.text();
  const { errors, ...problem }: { errors: unknown[] } = JSON.parse(text);
  expect(problem).toMatchObject({
    type: 'https://flowd.org/problems/job-invalid',
    title: 'Job Invalid',
    status: 422,
    instance: '/api/v1/jobs/broken',
  });
  expect(errors[0]).toEqual({
    file: 'broken/config.yaml',
    line: 8,
    column: 17,
    message: expect.stringContaining('argspec.properties.a.type'),
  });
  expect(text).not.toContain(server.root);
});

test.each(['/jobs/..%2f..%2fetc%2fpasswd', '/jobs/%00', '/jobs/backup', '/jobs/%E2%80%AE'])(
  '%s does not name a job',
  async (path) => {
    const response = await server.fetch(path);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  },
);
