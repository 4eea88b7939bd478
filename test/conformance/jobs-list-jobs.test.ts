// API reference, Jobs › List Jobs.

import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { expectWithin, msOf } from '../support/goes.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shows } from './shows.ts';

type JobList = {
  jobs: { id: string; description: string | null; source: string }[];
  invalid: { id: string; source: string; path: string; errors: { file: string; line: number; message: string }[] }[];
  total: number;
  next_cursor: string | null;
};

const server = await startServer({
  jobs: {
    'backup/daily': bash('true', {
      name: 'Daily backup',
      description: 'Daily backup job',
      version: '2.1.0',
      tags: ['backup', 'nightly'],
    }),
    'backup/weekly': bash('true', { tags: ['backup'] }),
    'backup/db/full': bash('true', { description: 'Dumps every table' }),
    deploy: bash('true', { security_profile: 'permissive' }),
    stepped: {
      'config.yaml': 'composition: steps\nsteps:\n  - {id: build, script: ./build.sh}\n',
      'build.sh': 'true\n',
    },
    broken: { 'config.yaml': 'name: Broken\ncommand: [./run.sh\n', 'run.sh': 'true\n' },
    misspelt: { 'config.yaml': 'command: ./run.sh\ntimeut: 5m\n', 'run.sh': 'true\n' },
    '.hidden/job': bash('true'),
    'drafts/one': bash('true'),
    '.': { '.flwdignore': 'drafts\n' },
    'older/form/config.d': { 'config.yaml': 'command: ./run.sh\n' },
    'older/form': { 'run.sh': '#!/bin/sh\ntrue\n' },
    'two/forms/config.d': { 'config.yaml': 'command: ./run.sh\n' },
    'two/forms': bash('true'),
    unconfigured: { 'loose.sh': '#!/bin/sh\ntrue\n' },
  },
});
const allIds = ['backup/daily', 'backup/db/full', 'backup/weekly', 'deploy', 'older/form', 'stepped'];
afterAll(() => server.close());

const list = (query = '') => server.json<JobList>(`/jobs${query}`);
const ids = async (query = '') => (await list(query)).jobs.map((job) => job.id);
/** A job that is half deleted is invalid for a moment. */
const mentioned = async () => [...(await ids()), ...(await list()).invalid.map((job) => job.id)];

test('a job is listed with the fields of the reference, and those of this implementation', async () => {
  shows(
    'jobs.list.jobs',
    'jobs.list.jobs.id',
    'jobs.list.jobs.name',
    'jobs.list.jobs.namespace',
    'jobs.list.jobs.version',
    'jobs.list.jobs.description',
    'jobs.list.jobs.source',
  );
  const { jobs } = await list();
  expect(jobs[0]).toEqual({
    id: 'backup/daily',
    name: 'daily',
    namespace: 'backup',
    version: '2.1.0',
    description: 'Daily backup job',
    source: 'local-fs',
    title: 'Daily backup',
    tags: ['backup', 'nightly'],
    executor: 'proc',
    security_profile: 'secure',
    run_as: null,
    composition: 'single',
    aliases: [],
    enabled: true,
  });
});

test('a job without metadata has version 1.0.0, no title, and at the root an empty namespace', async () => {
  const { jobs } = await list('?namespace=');
  expect(jobs[0]).toMatchObject({
    id: 'deploy',
    name: 'deploy',
    namespace: '',
    version: '1.0.0',
    description: null,
    title: null,
    tags: [],
    security_profile: 'permissive',
  });
});

test('the list has all jobs by id, with their number and without a cursor', async () => {
  expect(await ids()).toEqual(allIds);
  expect(await list()).toMatchObject({ total: 6, next_cursor: null });
});

test.each([
  ['?source=local-fs', allIds],
  ['?source=elsewhere', []],
  ['?namespace=backup', ['backup/daily', 'backup/weekly']],
  ['?prefix=backup', ['backup/daily', 'backup/db/full', 'backup/weekly']],
  ['?prefix=back', []],
  ['?tag=nightly', ['backup/daily']],
  ['?q=every%20table', ['backup/db/full']],
  ['?q=DAILY', ['backup/daily']],
  ['?namespace=backup&tag=nightly', ['backup/daily']],
])('the list can be filtered by %s', async (query, expected) => {
  shows('jobs.list.namespace');
  expect(await ids(query)).toEqual(expected);
});

test('limit and offset select a page, and total counts all matching jobs', async () => {
  expect(await list('?limit=2&offset=1&prefix=backup')).toMatchObject({
    jobs: [{ id: 'backup/db/full' }, { id: 'backup/weekly' }],
    total: 3,
  });
});

test('a cursor continues where the previous page ended', async () => {
  const first = await list('?limit=4');
  expect(first.jobs.map((job) => job.id)).toEqual(allIds.slice(0, 4));
  expect(first.next_cursor).toEqual(expect.any(String));
  const second = await list(`?limit=4&cursor=${encodeURIComponent(first.next_cursor ?? '')}`);
  expect(second.jobs.map((job) => job.id)).toEqual(allIds.slice(4));
  expect(second.next_cursor).toBeNull();
});

test.each([
  ['?limit=0', '?limit'],
  ['?limit=1001', '?limit'],
  ['?limit=ten', '?limit'],
  ['?limit=1.5', '?limit'],
  ['?offset=-1', '?offset'],
  ['?offset=1e99', '?offset'],
  ['?cursor=nonsense', '?cursor'],
  ['?sourc=local-fs', '?sourc'],
])('%s is a validation-error that names the parameter', async (query, pointer) => {
  const answer = await server.fetch(`/jobs${query}`);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    type: 'https://flowd.org/problems/validation-error',
    errors: [{ pointer }],
  });
});

test('a broken job is listed with the others, with file, line and error', async () => {
  const { invalid } = await list();
  expect(invalid.map((job) => job.id)).toEqual(['broken', 'misspelt', 'two/forms']);
  expect(invalid[0]).toMatchObject({
    source: 'local-fs',
    path: 'broken',
    errors: [{ file: 'broken/config.yaml', line: expect.any(Number), column: expect.any(Number) }],
  });
  expect(invalid[1]?.errors[0]).toMatchObject({ file: 'misspelt/config.yaml', line: 2 });
  expect(invalid[1]?.errors[0]?.message).toMatch(/`timeut`.*did you mean `timeouts?`/);
  expect(JSON.stringify(invalid)).not.toContain(server.root);
});

test('scripts without a config.yaml are counted in one line at the start', async () => {
  const lines = () =>
    `${server.stdout}${server.stderr}`.split('\n').filter((line) => line.includes('without a config.yaml'));
  await expect.poll(lines).toEqual([expect.stringContaining('scripts without a config.yaml: 1')]);
});

test('a link out of the tree is not followed', async () => {
  await mkdir(join(server.root, 'outside'));
  await writeJob(join(server.root, 'outside', 'job'), bash('true'));
  await symlink(join(server.root, 'outside'), join(server.jobsDir, 'outside'));
  await writeJob(join(server.jobsDir, 'zz-after'), bash('true'));
  await expect.poll(() => ids()).toContain('zz-after');
  expect(await ids()).not.toContain('outside/job');
  await rm(join(server.jobsDir, 'zz-after'), { recursive: true });
  await expect.poll(mentioned).not.toContain('zz-after');
});

test('If-None-Match gets 304 until a job changes', async () => {
  const first = await server.fetch('/jobs');
  const etag = first.headers.get('etag') ?? '';
  expect(etag).toMatch(/^(W\/)?".+"$/);
  const again = await server.fetch('/jobs', { headers: { 'if-none-match': etag } });
  expect(again.status).toBe(304);
  expect(await again.text()).toBe('');
  await writeJob(join(server.jobsDir, 'etag-job'), bash('true'));
  const status = async () => (await server.fetch('/jobs', { headers: { 'if-none-match': etag } })).status;
  await expect.poll(status).toBe(200);
  await rm(join(server.jobsDir, 'etag-job'), { recursive: true });
  await expect.poll(mentioned).not.toContain('etag-job');
});

describe('while the server runs', () => {
  const dir = join(server.jobsDir, 'live', 'job');
  const description = async () => (await list('?namespace=live')).jobs[0]?.description;
  const describeAs = (text: string) => writeFile(join(dir, 'config.yaml'), `command: ./run.sh\ndescription: ${text}\n`);

  test('a new, a changed, a broken and a removed job are visible', async () => {
    await writeJob(dir, bash('true', { description: 'first' }));
    await expect.poll(() => ids()).toContain('live/job');

    await describeAs('second');
    await expect.poll(description).toBe('second');

    await describeAs('[');
    const invalid = async () => (await list()).invalid.map((job) => job.id);
    await expect.poll(invalid).toContain('live/job');
    expect(await ids()).not.toContain('live/job');

    await rm(join(server.jobsDir, 'live'), { recursive: true });
    await expect.poll(invalid).not.toContain('live/job');
  });

  test('a change is visible within 1 s', async () => {
    await writeJob(dir, bash('true'));
    let n = 0;
    await expectWithin(1_000, async () => {
      n += 1;
      await describeAs(`change ${n}`);
      return msOf(() => expect.poll(description).toBe(`change ${n}`));
    });
    await rm(join(server.jobsDir, 'live'), { recursive: true });
    await expect.poll(mentioned).not.toContain('live/job');
  });

  test('a change of .flwdignore is visible too', async () => {
    await writeFile(join(server.jobsDir, '.flwdignore'), 'drafts\ndeploy\n');
    await expect.poll(() => ids()).not.toContain('deploy');
    await writeFile(join(server.jobsDir, '.flwdignore'), 'drafts\n');
    await expect.poll(() => ids()).toContain('deploy');
  });

  test('a folder tree that is moved into or out of the source is noticed', async () => {
    const outside = join(server.root, 'staged');
    await writeJob(join(outside, 'deep', 'er', 'job'), bash('true'));
    await rename(outside, join(server.jobsDir, 'staged'));
    await expect.poll(() => ids()).toContain('staged/deep/er/job');
    await rename(join(server.jobsDir, 'staged'), outside);
    await expect.poll(() => ids()).not.toContain('staged/deep/er/job');
  });
});

test('if two sources have the same id, neither job runs, both places are listed, and other jobs are unaffected', async () => {
  shows('jobs.list', 'jobs.list.source');
  await using two = await startServer({
    jobs: {
      'shared/job': bash('true'),
      'alone/here': bash('true'),
      '../more/job': bash('true'),
      '../more/other': bash('true'),
    },
    config: {
      sources: [
        { name: 'first', type: 'fs', path: 'jobs' },
        { name: 'second', type: 'fs', path: 'more', mountPath: 'shared' },
      ],
    },
  });
  const { jobs, invalid } = await two.json<JobList>('/jobs');
  expect(jobs.map(({ id, source }) => [id, source])).toEqual([
    ['alone/here', 'first'],
    ['shared/other', 'second'],
  ]);
  const idsOf = async (source: string) => (await two.json<JobList>(`/jobs?source=${source}`)).jobs.map(({ id }) => id);
  expect([await idsOf('first'), await idsOf('second')]).toEqual([['alone/here'], ['shared/other']]);
  expect(invalid.map(({ id, source, path }) => [id, source, path])).toEqual([
    ['shared/job', 'first', 'shared/job'],
    ['shared/job', 'second', 'job'],
  ]);
  const answer = await two.fetch('/runs', { body: { job_id: 'shared/job' } });
  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ type: 'https://flowd.org/problems/job-invalid' });
  expect(await two.run('shared/other')).toMatchObject({ status: 'success' });
});
