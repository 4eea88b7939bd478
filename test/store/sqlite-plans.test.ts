import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newestFirst, placesOf, type RunFilter } from '../../src/store/run-filter.ts';
import { type Opened, openSqlite } from './engines.ts';

describe('a list of runs on SQLite', () => {
  let dir: string;
  let store: Opened;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-plans-'));
    store = await openSqlite(dir);
  });
  afterAll(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  async function planOf(filter: RunFilter): Promise<string[]> {
    const page = newestFirst(placesOf(store.database.read, filter)).select('place.id').limit(100);
    return (await page.explain<{ detail: string }>(undefined, sql`query plan`)).map(({ detail }) => detail);
  }

  const jobId = 'backup/daily';
  const label = { key: 'env', value: 'prod' };

  test.each<[string, RunFilter, string[]]>([
    ['all', {}, ['SCAN runs USING COVERING INDEX runs_by_age']],
    ['a job', { jobId }, ['SEARCH runs USING COVERING INDEX runs_by_job (job_id=?)']],
    ['a status', { status: 'failed' }, ['SEARCH runs USING COVERING INDEX runs_by_status (status=?)']],
    ['a tenant', { tenant: 'acme' }, ['SEARCH runs USING COVERING INDEX runs_by_tenant (tenant=?)']],
    ['a source', { source: 'git' }, ['SEARCH runs USING COVERING INDEX runs_by_source (source=?)']],
    [
      'a job and a status',
      { jobId, status: 'failed' },
      ['SEARCH runs USING COVERING INDEX runs_by_job_and_status (job_id=? AND status=?)'],
    ],
    [
      'a job, a tenant and a source',
      { jobId, tenant: 'acme', source: 'git' },
      ['SEARCH runs USING INDEX runs_by_job (job_id=?)'],
    ],
    [
      'a job since a time',
      { jobId, sinceMs: 1 },
      ['SEARCH runs USING COVERING INDEX runs_by_job (job_id=? AND created_at>?)'],
    ],
    ['a time', { untilMs: 1 }, ['SEARCH runs USING COVERING INDEX runs_by_age (created_at<?)']],
    ['a label', { label }, ['SEARCH run_labels USING COVERING INDEX run_labels_by_value (key=? AND value=?)']],
    ['a label’s key', { label: { key: 'env' } }, ['SEARCH run_labels USING COVERING INDEX run_labels_by_key (key=?)']],
  ])('by %s finds its page on one index, in order, and reads nothing else', async (_by, filter, plan) => {
    expect(await planOf(filter)).toEqual(plan);
  });
});
