// GET /late: which expected runs have not happened or are late, as far as the caller may see them.

import { afterAll, expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { startServing } from './serving.ts';

const server = await startServing();
afterAll(() => server.close());

const atMs = Date.parse('2026-06-01T06:00:00Z');
const late = (over: object) => ({
  tenant: 'default',
  jobId: 'backup',
  kind: 'by' as const,
  key: '2026-06-01',
  atMs,
  runId: null,
  scheduleId: null,
  detail: 'No run has succeeded by 06:00 (UTC).',
  ...over,
});

async function list(query = '', headers: Readonly<Record<string, string>> = {}) {
  const response = await server.fetch(`/late${query}`, { headers });
  expect(response.status).toBe(200);
  const answer: AnswerOf<'listLate'> = JSON.parse(await response.text());
  return answer.late;
}

test('the list shows what is late, the newest first, and what is over only on request', async () => {
  const { store } = server;
  await store.db.transact(async (tx) => {
    expect(await store.late.add(tx, late({}))).toBe(true);
    expect(await store.late.add(tx, late({ detail: 'again' }))).toBe(false);
    await store.late.add(tx, late({ jobId: 'load', kind: 'duration', key: 'run_1', runId: 'run_1', atMs: atMs + 1 }));
    await store.late.add(tx, late({ jobId: 'other', tenant: 'acme' }));
  });
  expect((await list()).map(({ job_id: id }) => id)).toEqual(['load', 'other', 'backup']);
  expect(await list('?job_id=backup')).toEqual([
    {
      job_id: 'backup',
      tenant: 'default',
      kind: 'by',
      detail: 'No run has succeeded by 06:00 (UTC).',
      at: '2026-06-01T06:00:00.000Z',
      run_id: null,
      schedule_id: null,
      over_at: null,
    },
  ]);
  const [first] = await store.late.list({ limit: 1 });
  if (first) await store.db.transact((tx) => store.late.end(tx, first, atMs + 60_000));
  expect((await list()).map(({ job_id: id }) => id)).toEqual(['other', 'backup']);
  expect((await list('?state=all&limit=1'))[0]).toMatchObject({ job_id: 'load', over_at: '2026-06-01T06:01:00.000Z' });
});

test('a tenant sees only its own late runs and missed times', async () => {
  const { headers } = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
  expect((await list('', headers)).map(({ tenant }) => tenant)).toEqual(['acme']);
  expect((await server.fetch('/late?tenant=default', { headers })).status).toBe(403);
  const limited = await server.token({ scopes: ['runs:read'], only: ['backup'] });
  expect((await list('?state=all', limited.headers)).map(({ job_id: id }) => id)).toEqual(['backup']);
  expect(await list('?job_id=load&state=all', limited.headers)).toEqual([]);
  const other = await server.token({ scopes: ['jobs:read'] });
  expect((await server.fetch('/late', { headers: other.headers })).status).toBe(403);
});

test('a late run that is over is removed with its notifications after the retention of runs', async () => {
  const { store } = server;
  expect(await store.late.removeOld(atMs + 1, 100)).toBe(2);
  expect((await list('?state=all')).map(({ job_id: id }) => id)).toEqual(['load']);
});
