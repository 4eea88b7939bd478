// The server caches the JSON of runs and of lists, but clients never get an outdated answer or one of another tenant
// (ADR 0025).

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type Serving, startServing } from './serving.ts';

type Entry = {
  readonly args_text?: unknown;
  readonly run_id: string;
  readonly status: string;
  readonly waiting: string | null;
};
type Page = { readonly runs: readonly Entry[]; readonly total: number };

const execute = promisify(execFile);

async function textOf(serving: Serving, path: string, init?: RequestInit): Promise<string> {
  const response = await serving.fetch(path, init);
  expect(response.status).toBe(200);
  return response.text();
}

async function pageOf(serving: Serving, path: string, init?: RequestInit): Promise<Page> {
  return JSON.parse(await textOf(serving, path, init));
}

test('a repeated list is identical byte by byte, and its entries match the single runs', async () => {
  await using serving = await startServing();
  const runs = [await serving.addRun(), await serving.addRun({ jobId: 'other' })];
  await runs[0]?.move('claim');
  await runs[0]?.finish();
  for (const path of ['/runs', '/runs?limit=1', '/runs?job_id=other', '/runs?label=team%3Dops&q=backup']) {
    const first = await serving.fetch(path);
    const again = await serving.fetch(path);
    const text = await first.text();
    expect(await again.text()).toBe(text);
    expect(JSON.stringify(JSON.parse(text))).toBe(text);
    expect(again.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect([first.headers.get('cache-control'), again.headers.get('cache-control')]).toEqual(['no-store', 'no-store']);
    const page: Page = JSON.parse(text);
    // Entries of a list have a short text instead of the arguments.
    for (const { args_text: _, ...entry } of page.runs) {
      expect(JSON.parse(await textOf(serving, `/runs/${entry.run_id}`))).toMatchObject(entry);
    }
  }
});

test('lists and runs show every change at once', async () => {
  await using serving = await startServing();
  const seen = async (id: string) => {
    const { runs, total } = await pageOf(serving, '/runs');
    const run: Entry = JSON.parse(await textOf(serving, `/runs/${id}`));
    return [total, runs.find(({ run_id: runId }) => runId === id)?.status, run.status];
  };
  const run = await serving.addRun();
  expect(await seen(run.id)).toEqual([1, 'pending', 'pending']);
  await run.move('claim');
  expect(await seen(run.id)).toEqual([1, 'running', 'running']);
  const second = await serving.addRun();
  expect(await seen(second.id)).toEqual([2, 'pending', 'pending']);
  await run.finish();
  expect(await seen(run.id)).toEqual([2, 'success', 'success']);
});

test('a change by another process in the same database is visible at once', async () => {
  await using serving = await startServing();
  const run = await serving.addRun();
  const seen = async () => {
    const { runs } = await pageOf(serving, '/runs');
    const alone: Entry = JSON.parse(await textOf(serving, `/runs/${run.id}`));
    return [runs[0]?.waiting, alone.waiting];
  };
  expect(await seen()).toEqual([null, null]);
  const script = `const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync(process.argv[1], { timeout: 5000 });
    db.prepare('UPDATE runs SET waiting = ?, version = version + 1 WHERE id = ?').run('told by another', process.argv[2]);
    db.close();`;
  const database = join(serving.root, 'data', 'flwd.db');
  await execute(process.execPath, ['--no-warnings', '-e', script, database, run.id]);
  expect(await seen()).toEqual(['told by another', 'told by another']);
});

test('a run that retention removed disappears from the list, from the total and from its own path', async () => {
  await using serving = await startServing({ retention: { runsMs: 1_000 }, nowMs: Date.now() + 3_600_000 });
  const run = await serving.addRun();
  await run.move('claim');
  await run.finish();
  const kept = await serving.addRun();
  expect(await pageOf(serving, '/runs')).toMatchObject({ total: 2 });
  await textOf(serving, `/runs/${run.id}`);

  expect((await serving.post('/system/gc', '')).status).toBe(200);
  const { runs, total } = await pageOf(serving, '/runs');
  expect([total, runs.map(({ run_id: id }) => id)]).toEqual([1, [kept.id]]);
  expect((await serving.fetch(`/runs/${run.id}`)).status).toBe(404);
});

test('callers of different tenants get their own answers to the same request, in whichever order they ask', async () => {
  await using serving = await startServing();
  const own = await serving.addRun({ tenant: 'acme' });
  const foreign = await serving.addRun({ tenant: 'beta' });
  const acme = await serving.token({ tenant: 'acme', scopes: ['runs:read'] });
  const beta = await serving.token({ tenant: 'beta' });
  const all = await serving.token({ tenant: '*' });
  // In the second round, the answers of the first round are cached.
  for (const path of [
    '/runs',
    '/runs',
    '/runs?tenant=acme',
    '/runs?tenant=acme',
    '/runs?tenant=beta',
    '/runs?tenant=beta',
  ]) {
    const idsFor = async ({ headers }: { readonly headers: Readonly<Record<string, string>> }) => {
      const { runs, total } = await pageOf(serving, path, { headers });
      expect(total).toBe(runs.length);
      return runs.map(({ run_id: id }) => id);
    };
    const isOf = (tenant: string) => path === '/runs' || path.endsWith(tenant);
    const ofAcme = isOf('acme') ? [own.id] : [];
    const ofBeta = isOf('beta') ? [foreign.id] : [];
    expect(await idsFor(all)).toEqual([...ofBeta, ...ofAcme]);
    const statusFor = async ({ headers }: { readonly headers: Readonly<Record<string, string>> }) =>
      (await serving.fetch(path, { headers })).status;
    if (isOf('acme')) expect(await idsFor(acme)).toEqual(ofAcme);
    else expect(await statusFor(acme)).toBe(403);
    if (isOf('beta')) expect(await idsFor(beta)).toEqual(ofBeta);
    else expect(await statusFor(beta)).toBe(403);
  }
  await textOf(serving, `/runs/${foreign.id}`, { headers: beta.headers });
  expect((await serving.fetch(`/runs/${foreign.id}`, { headers: acme.headers })).status).toBe(404);
});
