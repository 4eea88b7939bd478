import { createHash } from 'node:crypto';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashEach, readJobText } from '../../src/catalog/source/job-content.ts';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { startServing } from './serving.ts';

type Files = AnswerOf<'listJobFiles'>;
type File = AnswerOf<'getJobFile'>;

const config = 'command: [./run.sh]\nenv:\n  TOKEN: {secret: deploy-token}\n';
const server = await startServing({
  executes: true,
  watch: false,
  jobs: {
    'shop/release': {
      'config.yaml': 'command: [./run.sh]\n',
      'run.sh': '#!/usr/bin/env bash\necho one\n',
      'lib/prices.py': 'print("17.50")\n',
      'logo.png': '\u0000PNG',
      'large.txt': 'x'.repeat(2 ** 20 + 1),
    },
    'shop/sealed': { 'config.yaml': config, 'run.sh': '#!/usr/bin/env bash\n' },
    other: { 'config.yaml': 'command: [./run.sh]\n', 'run.sh': '#!/usr/bin/env bash\necho another\n' },
  },
  aliases: [
    { from: 'shop/release', to: 'release' },
    { from: 'shop/labels', to: 'labels' },
  ],
});
afterAll(() => server.close());

const get = async <T>(path: string, init?: RequestInit): Promise<T> =>
  JSON.parse(await (await server.fetch(path, init)).text());
const fileUrl = (job: string, path: string, revision?: string) =>
  `/job-file/${job}?path=${encodeURIComponent(path)}${revision === undefined ? '' : `&revision=${revision}`}`;
const jobDir = join(server.root, 'jobs/shop/release');

async function runOf(jobId: string): Promise<string> {
  const response = await server.post('/runs', { job_id: jobId, async: false });
  return JSON.parse(await response.text()).run_id;
}

test('the files of a job are listed with their sizes, and a script is returned unchanged', async () => {
  const listed = await get<Files>('/job-files/shop/release');
  const { revision } = JSON.parse(await (await server.fetch('/jobs/shop/release')).text());
  expect(listed).toMatchObject({ job_id: 'shop/release', revision, current_revision: revision });
  const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(listed.files).toEqual([
    { path: 'config.yaml', size_bytes: 20, executable: false, sha256 },
    { path: 'large.txt', size_bytes: 2 ** 20 + 1, executable: false, sha256 },
    { path: 'lib/prices.py', size_bytes: 15, executable: expect.any(Boolean), sha256 },
    { path: 'logo.png', size_bytes: 4, executable: false, sha256: createHash('sha256').update('\0PNG').digest('hex') },
    { path: 'run.sh', size_bytes: 29, executable: true, sha256 },
  ]);
  expect(await get<File>(fileUrl('shop/release', 'run.sh'))).toEqual({
    job_id: 'shop/release',
    revision,
    path: 'run.sh',
    size_bytes: 29,
    executable: true,
    text: '#!/usr/bin/env bash\necho one\n',
    omitted: null,
  });
  expect(await get<File>(fileUrl('release', 'lib/prices.py'))).toMatchObject({ text: 'print("17.50")\n' });
});

test('a binary or very large file is named but not shown', async () => {
  expect(await get<File>(fileUrl('shop/release', 'logo.png'))).toMatchObject({ text: null, omitted: 'binary' });
  expect(await get<File>(fileUrl('shop/release', 'large.txt'))).toMatchObject({ text: null, omitted: 'too_large' });
});

test('a secret that a file names is not replaced by its value', async () => {
  await server.fetch('/secrets/deploy-token', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value: 'hunter2-hunter2' }),
  });
  expect((await get<File>(fileUrl('shop/sealed', 'config.yaml'))).text).toBe(config);
});

test.each(['../other/run.sh', '/etc/passwd', 'lib/../run.sh', './run.sh', 'nothing.sh', 'lib'])(
  'the path %s is not a file of the job',
  async (path) => {
    const response = await server.fetch(fileUrl('shop/release', path));
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ type: expect.stringMatching(/job-file-not-found$/) });
  },
);

test('a link that leads out of the source is not a file of the job', async () => {
  await symlink('/etc/passwd', join(jobDir, 'passwd'));
  await symlink('/etc', join(jobDir, 'etc'));
  try {
    const { files } = await get<Files>('/job-files/shop/release');
    expect(files.filter(({ path }) => /passwd|etc/.test(path))).toEqual([]);
    expect((await server.fetch(fileUrl('shop/release', 'passwd'))).status).toBe(404);
    expect((await server.fetch(fileUrl('shop/release', 'etc/passwd'))).status).toBe(404);
  } finally {
    await rm(join(jobDir, 'passwd'));
    await rm(join(jobDir, 'etc'));
  }
});

test('a folder that is replaced by a link after the files were listed is not followed', async () => {
  const dir = join(jobDir, 'swapped');
  await mkdir(dir);
  await writeFile(join(dir, 'passwd'), 'mine\n');
  const file = { path: 'swapped/passwd', hostPath: join(dir, 'passwd'), sizeBytes: 5, isExecutable: false };
  expect(await readJobText(jobDir, file)).toEqual({ text: 'mine\n', omitted: null });
  await rename(dir, join(server.root, 'moved'));
  await symlink('/etc', dir);
  expect(await readJobText(jobDir, file)).toBeUndefined();
  expect(await hashEach(jobDir, [file])).toEqual([]);
  await rm(dir);
});

test('the files of an invalid job can be read, both now and as its runs used them', async () => {
  await server.addJob('shop/labels', { 'config.yaml': 'command: [./run.sh]\n', 'run.sh': '#!/usr/bin/env bash\n' });
  const sync = () => server.post('/sources/local-fs/sync', {});
  await sync();
  await runOf('shop/labels');
  const { revision } = await get<Files>('/job-files/shop/labels');
  await writeFile(join(server.root, 'jobs/shop/labels/config.yaml'), 'command: [\n');
  await sync();
  expect((await server.fetch('/jobs/shop/labels')).status).toBe(422);
  const listed = await get<Files>('/job-files/shop/labels');
  expect(listed.revisions).toMatchObject([{ revision, kept: true }]);
  expect(listed.current_revision).not.toBe(revision);
  expect(await get<Files>('/job-files/labels')).toEqual(listed);
  expect(await get<File>(fileUrl('shop/labels', 'config.yaml'))).toMatchObject({ text: 'command: [\n' });
  const before = await get<File>(fileUrl('shop/labels', 'config.yaml', revision));
  expect(before).toMatchObject({ text: 'command: [./run.sh]\n' });
  const { headers } = await server.token({ scopes: ['code:read'], only: ['other', 'labels'] });
  for (const id of ['shop/labels', 'labels'])
    expect((await server.fetch(`/job-files/${id}`, { headers })).status).toBe(404);
});

describe('the revisions that runs of a job used', () => {
  let first: string;
  let runId: string;
  beforeAll(async () => {
    runId = await runOf('shop/release');
    first = (await get<Files>('/job-files/shop/release')).revision;
    await writeFile(join(jobDir, 'run.sh'), '#!/usr/bin/env bash\necho two\n');
  });

  test('can be read as long as their copies are kept', async () => {
    const listed = await get<Files>('/job-files/shop/release');
    expect(listed.current_revision).not.toBe(first);
    expect(listed.revisions).toEqual([{ revision: first, run_id: runId, used_at: expect.any(String), kept: true }]);
    const old = await get<Files>(`/job-files/shop/release?revision=${first}`);
    expect(old).toMatchObject({ revision: first, current_revision: listed.current_revision });
    expect(old.files.map(({ path }) => path)).toEqual(listed.files.map(({ path }) => path));
    expect(await get<File>(fileUrl('shop/release', 'run.sh', first))).toMatchObject({
      revision: first,
      text: '#!/usr/bin/env bash\necho one\n',
      executable: true,
    });
    expect(await get<File>(fileUrl('shop/release', 'run.sh'))).toMatchObject({
      text: '#!/usr/bin/env bash\necho two\n',
    });
  });

  test('do not include those of another job', async () => {
    await runOf('other');
    const { revision } = await get<Files>('/job-files/other');
    const response = await server.fetch(fileUrl('shop/release', 'run.sh', revision));
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ type: expect.stringMatching(/revision-expired$/) });
  });

  test('are hidden from callers who do not see these runs', async () => {
    for (const o of [
      { scopes: ['code:read'], tenant: 'default' },
      { scopes: ['code:read', 'runs:read'], tenant: 'acme' },
    ] as const) {
      const { headers } = await server.token(o);
      const listed = await get<Files>('/job-files/shop/release', { headers });
      expect(listed.files.length).toBe(5);
      expect(listed.revisions).toEqual([]);
      expect((await server.fetch(`/job-files/shop/release?revision=${first}`, { headers })).status).toBe(409);
    }
  });

  test('remain in the list when their copies are removed, marked as not kept', async () => {
    await rm(join(server.root, 'data/snapshots', first), { recursive: true });
    const listed = await get<Files>('/job-files/shop/release');
    expect(listed.revisions).toMatchObject([{ revision: first, kept: false }]);
    expect((await server.fetch(fileUrl('shop/release', 'run.sh', first))).status).toBe(409);
  });
});

test('a caller who may only see and run jobs does not see their scripts', async () => {
  const { headers } = await server.token({ scopes: ['jobs:read', 'runs:write'] });
  for (const path of ['/job-files/shop/release', fileUrl('shop/release', 'run.sh')]) {
    const response = await server.fetch(path, { headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ detail: "The caller lacks the scope 'code:read'." });
  }
});
