// The examples that `npm start` serves. Each works with its defaults in the profile secure.

import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { spawnFlwd } from '../support/server.ts';

const checkout = join(import.meta.dirname, '../..');
let url = '';
let stop = async (): Promise<void> => undefined;

type Run = {
  readonly run_id: string;
  readonly status: string;
  readonly result: { readonly value: Record<string, unknown> } | null;
  readonly security: { readonly profile: string };
};

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'flwd-examples-'));
  const child = spawnFlwd(
    ['serve', '--config', join(checkout, 'examples/flwd.yaml'), '--data-dir', dataDir, '--bind', '127.0.0.1:0'],
    dataDir,
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  };
  url = await new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      const found = /http:\/\/\S+(?=\s)/.exec(String(chunk));
      if (found) resolve(found[0]);
    });
    void ended.then((code) => reject(new Error(`flwd serve ended with ${String(code)}`)));
  });
  await vi.waitFor(async () => expect(await get('/jobs')).toMatchObject({ total: 5 }), 60_000);
});
afterAll(() => stop());

async function get(path: string): Promise<unknown> {
  return (await fetch(`${url}/api/v1${path}`)).json();
}

async function run(jobId: string, args: Record<string, unknown> = {}): Promise<Run> {
  const answer = await fetch(`${url}/api/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job_id: jobId, args, async: false }),
  });
  return (await answer.json()) as Run;
}

async function artifactsOf({ run_id }: Run): Promise<{ id: string; name: string; media_type: string }[]> {
  return (
    (await get(`/artifacts?run_id=${run_id}`)) as { artifacts: { id: string; name: string; media_type: string }[] }
  ).artifacts;
}

async function textOf(artifactId: string | undefined): Promise<string> {
  return (await fetch(`${url}/api/v1/artifacts/${artifactId}`)).text();
}

test('all examples are valid', async () => {
  expect(await get('/jobs')).toMatchObject({ invalid: [] });
});

test('backup/directory keeps an archive after restoring and comparing it', async () => {
  const done = await run('backup/directory');
  expect(done).toMatchObject({
    status: 'success',
    security: { profile: 'secure' },
    result: { value: { files: 3, verified: true, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
  const artifacts = await artifactsOf(done);
  expect(new Map(artifacts.map(({ name, media_type }) => [name, media_type]))).toEqual(
    new Map([
      ['documents.tar.gz', 'application/gzip'],
      ['documents.tar.gz.sha256', expect.any(String)],
    ]),
  );
});

test('backup/directory cannot read a folder that the operator did not allow', async () => {
  expect(await run('backup/directory', { source: '/etc' })).toMatchObject({
    type: 'https://flowd.org/problems/grant-not-allowed',
    status: 422,
  });
});

test('report/csv-to-markdown adds up the numeric columns', async () => {
  const done = await run('report/csv-to-markdown');
  expect(done).toMatchObject({
    status: 'success',
    result: { value: { rows: 6, totals: { orders: 714, revenue: 50577.9 } } },
  });
  const [report] = await artifactsOf(done);
  expect(report).toMatchObject({ name: 'report.md', media_type: 'text/markdown' });
  expect(await textOf(report?.id)).toContain('| revenue | 50,577.90 | 8,429.65 |');
});

// The history of a linked worktree is in another folder, which the job may not read, so the test is skipped there.
const isWorktree = statSync(join(checkout, '.git'), { throwIfNoEntry: false })?.isFile() ?? false;

test.skipIf(isWorktree)('git/state reports the state of this checkout', async () => {
  const done = await run('git/state', { commits: 3 });
  expect(done).toMatchObject({
    status: 'success',
    result: { value: { commit: expect.stringMatching(/^[0-9a-f]{40}$/) } },
  });
  expect((await artifactsOf(done)).map(({ name }) => name)).toEqual(['state.md']);
});

test('web/link-check finds the two broken links', async () => {
  const done = await run('web/link-check');
  expect(done.status).toBe('success');
  expect(done.result?.value.broken).toEqual([
    { page: 'guide/index.html:7', link: 'missing.html', reason: 'no such file' },
    { page: 'index.html:7', link: 'guide/index.html#uninstall', reason: "no element with id 'uninstall'" },
  ]);
});

test('web/link-check fails on a broken link when asked to', async () => {
  expect(await run('web/link-check', { fail_on_broken: true })).toMatchObject({
    status: 'failed',
    reason: 'exit',
    exit_code: 1,
  });
});

test('disk/usage-chart draws a bar for each entry', async () => {
  const done = await run('disk/usage-chart');
  expect(done).toMatchObject({ status: 'success', result: { value: { entries: 3 } } });
  const [chart] = await artifactsOf(done);
  expect(chart).toMatchObject({ name: 'usage-chart', media_type: 'image/svg+xml' });
  expect((await textOf(chart?.id)).match(/<rect x=/g)).toHaveLength(3);
});
