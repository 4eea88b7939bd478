import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endedRuns } from '../../src/store/log/search/searched-runs.ts';
import { newestFirst, placesOf, type RunFilter, type Way } from '../../src/store/run/run-filter.ts';
import { aRun } from './a-run.ts';
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

  async function planOf(filter: RunFilter, way: Way = 'labels'): Promise<string[]> {
    const page = newestFirst(placesOf(store.database.read, filter, way))
      .select('place.id')
      .limit(100);
    return (await page.explain<{ detail: string }>(undefined, sql`query plan`)).map(({ detail }) => detail);
  }

  test.each([
    [undefined, 'SEARCH runs USING INDEX runs_by_end (finished_at>? AND (finished_at,id)<(?,?))'],
    ['acme', 'SEARCH runs USING INDEX runs_by_tenant_and_end (tenant=? AND finished_at>? AND (finished_at,id)<(?,?))'],
  ])('for a search of logs is read in the order in which the runs ended (tenant: %s)', async (tenant, plan) => {
    const position = { asOfMs: 3, endedMs: 2, runId: 'run_1' };
    const query = endedRuns(store.database.read, position, tenant === undefined ? {} : { tenant });
    const details = (await query.explain<{ detail: string }>(undefined, sql`query plan`)).map(({ detail }) => detail);
    expect(details).toEqual([plan]);
  });

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
      'a job since a time',
      { jobId, sinceMs: 1 },
      ['SEARCH runs USING COVERING INDEX runs_by_job (job_id=? AND created_at>?)'],
    ],
    ['a time', { untilMs: 1 }, ['SEARCH runs USING COVERING INDEX runs_by_age (created_at<?)']],
    ['a label', { label }, ['SEARCH run_labels USING COVERING INDEX run_labels_by_value (key=? AND value=?)']],
    ['a label’s key', { label: { key: 'env' } }, ['SEARCH run_labels USING COVERING INDEX run_labels_by_key (key=?)']],
    ['a job and a source', { jobId, source: 'git' }, ['SEARCH runs USING COVERING INDEX runs_by_job (job_id=?)']],
    [
      'a status and a source',
      { status: 'failed', source: 'git' },
      ['SEARCH runs USING COVERING INDEX runs_by_status (status=?)'],
    ],
    [
      'a job, a status, a source and a time',
      { jobId, status: 'failed', source: 'git', sinceMs: 1 },
      ['SEARCH runs USING COVERING INDEX runs_by_job_and_status (job_id=? AND status=? AND created_at>?)'],
    ],
    [
      'a label and all else',
      { label, jobId, status: 'failed', source: 'git', sinceMs: 1 },
      ['SEARCH run_labels USING COVERING INDEX run_labels_by_job (job_id=? AND key=? AND created_at>?)'],
    ],
    [
      'a label, a status and a source',
      { label, status: 'failed', source: 'git' },
      ['SEARCH run_labels USING COVERING INDEX run_labels_by_value (key=? AND value=?)'],
    ],
    [
      'a label’s key and all else',
      { label: { key: 'env' }, jobId, status: 'failed', source: 'git', sinceMs: 1 },
      ['SEARCH run_labels USING COVERING INDEX run_labels_by_job (job_id=? AND key=? AND created_at>?)'],
    ],
  ])('by %s finds a page with one index, in order, and reads nothing else', async (_by, filter, plan) => {
    expect(await planOf(filter)).toEqual(plan);
  });

  test('by open approvals reads the steps of running runs', async () => {
    expect(await planOf({ status: 'running', stepStatus: 'waiting_approval', tenant: 'acme' })).toEqual([
      'SEARCH runs USING COVERING INDEX runs_by_tenant_and_status (tenant=? AND status=?)',
      'CORRELATED SCALAR SUBQUERY 1',
      'SEARCH steps USING INDEX sqlite_autoindex_steps_1 (run_id=?)',
    ]);
  });

  test.each<[string, RunFilter, string]>([
    ['who started a run', { createdBy: 'mara' }, 'runs_by_creator (created_by=?)'],
    ['who started a run of a tenant', { createdBy: 'mara', tenant: 'acme' }, 'runs_by_creator (created_by=?)'],
    ['what started a run since a time', { trigger: 'mcp', sinceMs: 1 }, 'runs_by_trigger (trigger=? AND created_at>?)'],
  ])('by %s finds a page with one index, in order', async (_by, filter, index) => {
    expect(await planOf(filter)).toEqual([`SEARCH runs USING COVERING INDEX ${index}`]);
  });

  test('by free text reads at most 20,000 runs for a page, the next page continues there, and the total says so', async () => {
    await store.database.transact((tx) => store.runs.add(tx, aRun()));
    const file = new DatabaseSync(join(dir, 'flwd.db'));
    const columns = Object.keys(file.prepare('SELECT * FROM runs').get() ?? {});
    const of: Record<string, string> = {
      id: "'run_' || n",
      created_at: 'n',
      created_by: "CASE WHEN n IN (1, 21000) THEN 'mara' ELSE 'local' END",
    };
    file.exec(`WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 21000)
      INSERT INTO runs (${columns.join()}) SELECT ${columns.map((name) => of[name] ?? name).join()} FROM runs, many`);

    const query = { limit: 10, createdBy: 'mara', status: 'pending' } as const;
    const first = await store.runs.list(query);
    expect(first).toMatchObject({ runs: [{ run_id: 'run_21000' }], total: 1, isTotalExact: false });
    const second = await store.runs.list({ ...query, cursor: first.nextCursor ?? '' });
    expect(second).toMatchObject({ runs: [{ run_id: 'run_1' }], nextCursor: null });
    // The index of creators needs no such search.
    expect(await store.runs.list({ limit: 10, createdBy: 'mara' })).toMatchObject({ total: 2, isTotalExact: true });
    expect((await store.runs.list({ limit: 10, trigger: 'api' })).isTotalExact).toBe(false);
    file.close();
  });

  test('by a label and a rare condition reads the labels only of the few runs that meet the condition', async () => {
    expect(await planOf({ label, status: 'failed' }, 'runs')).toEqual([
      'SEARCH runs USING COVERING INDEX runs_by_status (status=?)',
      'CORRELATED SCALAR SUBQUERY 1',
      'SEARCH run_labels USING INDEX sqlite_autoindex_run_labels_1 (run_id=? AND key=?)',
    ]);
  });

  test.each<[string, RunFilter, string]>([
    ['all', {}, 'runs USING COVERING INDEX runs_by_tenant (tenant=?)'],
    ['a time', { sinceMs: 1 }, 'runs USING COVERING INDEX runs_by_tenant (tenant=? AND created_at>?)'],
    ['a job', { jobId }, 'runs USING COVERING INDEX runs_by_tenant_and_job (tenant=? AND job_id=?)'],
    ['a status', { status: 'failed' }, 'runs USING COVERING INDEX runs_by_tenant_and_status (tenant=? AND status=?)'],
    [
      'a job and a status',
      { jobId, status: 'failed' },
      'runs USING INDEX runs_by_tenant_and_job (tenant=? AND job_id=?)',
    ],
    [
      'a job and a source',
      { jobId, source: 'git' },
      'runs USING COVERING INDEX runs_by_tenant_and_job (tenant=? AND job_id=?)',
    ],
    ['a source', { source: 'git' }, 'runs USING COVERING INDEX runs_by_tenant (tenant=?)'],
    [
      'a label',
      { label },
      'run_labels USING COVERING INDEX run_labels_by_tenant_and_value (tenant=? AND key=? AND value=?)',
    ],
    ['a label and a job', { label, jobId }, 'run_labels USING COVERING INDEX run_labels_by_job (job_id=? AND key=?)'],
    [
      'a label’s key',
      { label: { key: 'env' } },
      'run_labels USING COVERING INDEX run_labels_by_tenant_and_key (tenant=? AND key=?)',
    ],
  ])('of one tenant by %s reads no run of another tenant', async (_by, filter, plan) => {
    expect(await planOf({ tenant: 'acme', ...filter })).toEqual([`SEARCH ${plan}`]);
  });
});

describe('other queries on SQLite', () => {
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

  test.each([
    [
      'old runs',
      `SELECT id FROM runs WHERE finished_at IS NOT NULL AND finished_at < 1 AND (finished_at, id) > (0, 'a')
         ORDER BY finished_at, id LIMIT 100`,
      ['SEARCH runs USING COVERING INDEX runs_by_end ((finished_at,id)>(?,?) AND finished_at<?)'],
    ],
    [
      'old logs',
      `SELECT log_segments.run_id FROM log_segments INNER JOIN runs ON runs.id = log_segments.run_id
         WHERE log_segments.last_at_us < 1 AND runs.finished_at < 1 ORDER BY log_segments.last_at_us LIMIT 100`,
      [
        'SEARCH log_segments USING COVERING INDEX log_segments_by_age (last_at_us<?)',
        'SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)',
      ],
    ],
    [
      'old answers',
      'SELECT tenant, key FROM idempotency WHERE created_at < 1 ORDER BY created_at LIMIT 100',
      ['SEARCH idempotency USING INDEX idempotency_by_age (created_at<?)'],
    ],
    ['old events', 'SELECT id, at, count FROM events WHERE id NOT IN (1, 2) ORDER BY id LIMIT 100', ['SCAN events']],
    [
      'open approvals',
      `SELECT step.step_id FROM steps AS step INNER JOIN runs AS run ON run.id = step.run_id
         WHERE step.status = 'waiting_approval' AND coalesce(run.status, '') = 'running' AND coalesce(run.tenant, '') = 'a'
         ORDER BY step.started_at, step.run_id LIMIT 100`,
      ['SCAN step USING INDEX steps_asking', 'SEARCH run USING INDEX sqlite_autoindex_runs_1 (id=?)'],
    ],
  ])('%s are found with one index, oldest first', (_what, query, plan) => {
    expect(planOf(query)).toEqual(plan);
  });

  test('approvals that have ended are found with one index, newest first', () => {
    expect(
      planOf(`SELECT step.step_id FROM steps AS step INNER JOIN runs AS run ON run.id = step.run_id
        WHERE step.kind = 'approval' AND step.finished_at IS NOT NULL
          AND (step.approval IS NOT NULL OR step.status = 'failed')
        ORDER BY step.finished_at DESC, step.run_id DESC LIMIT 100`),
    ).toEqual([
      'SEARCH step USING INDEX steps_answered (finished_at>?)',
      'SEARCH run USING COVERING INDEX sqlite_autoindex_runs_1 (id=?)',
    ]);
  });

  const page = 'ORDER BY created_at DESC, id DESC LIMIT 100';
  test.each([
    ['all', `SELECT * FROM artifacts WHERE tenant = 'a' ${page}`, 'INDEX artifacts_by_tenant (tenant=?)'],
    [
      'a job',
      `SELECT * FROM artifacts WHERE tenant = 'a' AND job_id = 'b' ${page}`,
      'INDEX artifacts_by_tenant_and_job (tenant=? AND job_id=?)',
    ],
    [
      'a name',
      `SELECT * FROM artifacts WHERE tenant = 'a' AND name = 'b' ${page}`,
      'INDEX artifacts_by_tenant_and_name (tenant=? AND name=?)',
    ],
    [
      'their end',
      "SELECT count(*) FROM artifacts WHERE tenant = 'a' AND expires_at <= 1",
      'COVERING INDEX artifacts_by_tenant_and_expiry (tenant=? AND expires_at<?)',
    ],
  ])('artifacts of one tenant by %s are found without reading those of another tenant', (_by, query, plan) => {
    expect(planOf(query)).toEqual([`SEARCH artifacts USING ${plan}`]);
  });

  test.each([
    [
      'one object',
      "SELECT * FROM audit WHERE id >= 1 AND id <= 9 AND object_id = 'run_1' ORDER BY id DESC LIMIT 100",
      'INDEX audit_by_object (object_id=? AND id>? AND id<?)',
    ],
    [
      'an action that is rare',
      `SELECT * FROM audit WHERE id >= 1 AND id <= 9 AND action = 'token.create' AND action <> 'run.create'
         ORDER BY id DESC LIMIT 100`,
      'INDEX audit_by_action (action=? AND id>? AND id<?)',
    ],
    [
      'anything else in a slice',
      "SELECT * FROM audit WHERE id >= 1 AND id <= 9 AND tenant = 'acme' ORDER BY id DESC LIMIT 100",
      'INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
    ],
  ])('in the audit log, %s is found in order, without sorting', (_what, query, plan) => {
    expect(planOf(query)).toEqual([`SEARCH audit USING ${plan}`]);
  });

  function planOf(query: string): unknown[] {
    const file = new DatabaseSync(join(dir, 'flwd.db'), { readOnly: true });
    const steps = file.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    file.close();
    return steps.map(({ detail }) => detail);
  }
});
