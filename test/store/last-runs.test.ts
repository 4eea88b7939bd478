import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lastOf } from '../../src/store/run/last-runs.ts';
import type { NewRun } from '../../src/store/run/runs.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened, openSqlite } from './engines.ts';
import { moveRun } from './moves.ts';

let dir: string;
let store: Opened;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-last-'));
});
afterEach(async () => {
  await store.database.close();
  await rm(dir, { recursive: true });
});

async function add(over: Partial<NewRun>): Promise<string> {
  const run = aRun(over);
  await store.database.transact((tx) => store.runs.add(tx, run));
  return run.id;
}

describe.each(engines)('the last runs of jobs on $engine', ({ open }) => {
  test('are the newest of each job, however many runs other jobs have', async () => {
    store = await open(dir);
    const nightly = await add({ jobId: 'backup/nightly', createdAtMs: nowMs - 86_400_000 });
    const busy: string[] = [];
    for (let n = 0; n < 5; n++) busy.push(await add({ jobId: 'busy', createdAtMs: nowMs + n }));
    await store.database.transact(async (tx) => {
      await moveRun(tx, store.runs, nightly, 'expire', { atMs: nowMs });
    });

    const last = await store.runs.last({ jobIds: ['backup/nightly', 'busy', 'never'], most: 3 });

    expect(last.get('backup/nightly')).toEqual([
      {
        run_id: nightly,
        status: 'failed',
        created_at: '2024-01-14T10:30:00.000Z',
        started_at: null,
        finished_at: '2024-01-15T10:30:00.000Z',
      },
    ]);
    expect(last.get('busy')?.map(({ run_id: id }) => id)).toEqual(busy.toReversed().slice(0, 3));
    expect(last.get('never')).toEqual([]);
  });

  test('can be limited to one tenant', async () => {
    store = await open(dir);
    const own = await add({ jobId: 'shared', tenant: 'acme' });
    await add({ jobId: 'shared', tenant: 'other', createdAtMs: nowMs + 1 });

    const last = await store.runs.last({ jobIds: ['shared'], most: 3, tenant: 'acme' });

    expect(last.get('shared')?.map(({ run_id: id }) => id)).toEqual([own]);
  });
});

describe.each(engines)('the revisions that a job’s runs used on $engine', ({ open }) => {
  test('are listed once each, with the newest run, newest first', async () => {
    store = await open(dir);
    const { source } = aRun();
    const used = (revision: string, over: Partial<NewRun>) =>
      add({ jobId: 'shop/release', source: { ...source, revision }, ...over });
    await used('aaaaaaaaaaaaaaaa', { createdAtMs: nowMs });
    const again = await used('aaaaaaaaaaaaaaaa', { createdAtMs: nowMs + 1 });
    const newer = await used('bbbbbbbbbbbbbbbb', { createdAtMs: nowMs + 2 });
    await used('cccccccccccccccc', { createdAtMs: nowMs + 3, tenant: 'other' });
    await used('dddddddddddddddd', { createdAtMs: nowMs + 4, jobId: 'shop/prices' });
    const { tenant } = aRun();

    expect(await store.runs.usedRevisions({ jobId: 'shop/release', most: 100, tenant })).toEqual([
      { revision: 'bbbbbbbbbbbbbbbb', runId: newer, createdAtMs: nowMs + 2 },
      { revision: 'aaaaaaaaaaaaaaaa', runId: again, createdAtMs: nowMs + 1 },
    ]);
    const all = await store.runs.usedRevisions({ jobId: 'shop/release', most: 2 });
    expect(all.map(({ revision }) => revision)).toEqual(['cccccccccccccccc', 'bbbbbbbbbbbbbbbb']);
  });
});

test('SQLite finds the runs of each job with one index, in order', async () => {
  store = await openSqlite(dir);
  const query = lastOf(store.database.read, { jobId: 'busy', most: 3 });
  const planOf = async (asked: typeof query): Promise<string[]> =>
    (await asked.explain<{ detail: string }>(undefined, sql`query plan`)).map(({ detail }) => detail);
  expect(await planOf(query)).toEqual(['SEARCH runs USING INDEX runs_by_job (job_id=?)']);
  expect(await planOf(query.where('tenant', '=', 'acme'))).toEqual([
    'SEARCH runs USING INDEX runs_by_tenant_and_job (tenant=? AND job_id=?)',
  ]);
});
