// Migrates a database of the first release, with rows as that release wrote them, to the newest schema. Nothing is
// lost.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createInstanceStore } from '../../src/store/instance.ts';
import { initial } from '../../src/store/migrations/0001-initial.ts';
import { migrations } from '../../src/store/migrations/migrate.ts';
import { columnTypes, connectToWrite, kyselyOver } from '../../src/store/sqlite/sqlite.ts';
import { openSqlite } from './engines.ts';

const createdAtMs = 1_705_314_600_000;

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'flwd-migration-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

/** The rows that flwd 0.1.0 wrote, in SQL for its schema. */
async function firstRelease(path: string): Promise<void> {
  const database = connectToWrite(path);
  const db = kyselyOver(database);
  for (const statement of initial.statements(db, columnTypes)) await statement.execute();
  database.exec(`
    INSERT INTO runs (id, job_id, tenant, source, status, reason, created_at, started_at, finished_at, exit_code, attempt,
        priority, version, trigger, created_by, labels, error, details, args, result)
      VALUES ('run_01A', 'backup/daily', 'default', 'local-fs', 'failed', 'exit', ${createdAtMs}, ${createdAtMs + 1},
        ${createdAtMs + 2}, 3, 1, 0, 3, 'api', 'local', '{"env":"prod"}', '{"message":"exited with code 3","step_id":"step_01"}',
        '{"rerun_of":null,"parent":null,"limits":{},"grants":[],"source":{"name":"local-fs","type":"fs","revision":"0123456789abcdef"},"security":{"profile":"secure","isolation":{}},"request_id":"req_1"}',
        '{"target":"/mnt"}', NULL);
    INSERT INTO runs SELECT 'run_01B', job_id, tenant, source, 'pending', NULL, waiting, created_at, NULL, NULL, NULL, attempt,
      priority, 1, queue_ms, trigger, created_by, worker, cancel_requested_at, '{"team":"a"}', progress, NULL, termination,
      details, args, result FROM runs;
    INSERT INTO run_labels VALUES ('run_01B', 'team', 'a', ${createdAtMs});
    INSERT INTO run_counts VALUES ('pending', 'default', 'backup/daily', 'local-fs', 1);
    INSERT INTO run_plans VALUES ('run_01A', '{"job":{"id":"backup/daily"},"revision":"0123456789abcdef"}', 'v1.sealed');
    INSERT INTO run_labels VALUES ('run_01A', 'env', 'prod', ${createdAtMs});
    INSERT INTO run_counts VALUES ('failed', 'default', 'backup/daily', 'local-fs', 1);
    INSERT INTO steps VALUES ('run_01A', 'step_01', 1, 'Daily', 'failed', 'exit', ${createdAtMs + 1}, ${createdAtMs + 2}, 3,
      '[]', '{"image":"x"}');
    INSERT INTO events VALUES (1, 'run.created', 'run_01A', 'backup/daily', 'default', ${createdAtMs}, '{"status":"pending"}', NULL, 1);
    INSERT INTO events VALUES (2, 'run.output', 'run_01A', 'backup/daily', 'default', ${createdAtMs + 1}, NULL, 1, 40);
    INSERT INTO sequences VALUES ('events', 42);
    INSERT INTO idempotency VALUES ('default', 'key-1', 'hash', 'run_01A', ${createdAtMs}, 201, '{}');
    INSERT INTO artifacts VALUES ('artifact_01A', 'run_01A', 'backup/daily', 'step_01', 'default', 'report', '/workspace/report',
      'text/plain', 9, 'abc', ${createdAtMs}, NULL);
    INSERT INTO artifact_counts VALUES ('backup/daily', 1, 9);
    INSERT INTO log_segments VALUES ('run_01A', 1, 1, 40, ${createdAtMs}000, ${createdAtMs}999, 900, 300, 'zstd');
    PRAGMA user_version = 1;
  `);
  database.close();
}

test('a database of the first release keeps every row when it is migrated', async () => {
  const dir = await folder();
  const path = join(dir, 'flwd.db');
  await firstRelease(path);

  const { database, runs, journal, idempotency } = await openSqlite(dir);
  onTestFinished(() => database.close());
  expect(await runs.get('run_01A')).toMatchObject({
    run_id: 'run_01A',
    job_id: 'backup/daily',
    status: 'failed',
    reason: 'exit',
    created_at: '2024-01-15T10:30:00.000Z',
    finished_at: '2024-01-15T10:30:00.002Z',
    exit_code: 3,
    args: { target: '/mnt' },
    labels: { env: 'prod' },
    error: { message: 'exited with code 3', step_id: 'step_01' },
    steps: [{ step_id: 'step_01', attempt: 1, status: 'failed', exit_code: 3, outputs: { image: 'x' } }],
  });
  const label = { key: 'env', value: 'prod' };
  expect(await runs.list({ limit: 10, tenant: 'default', label })).toMatchObject({ total: 1 });
  const more = { jobId: 'backup/daily', source: 'local-fs', status: 'failed' } as const;
  for (const filter of [{ label, ...more }, { sinceMs: 0, status: 'failed' as const }, { label: { key: 'env' } }]) {
    const { runs: found, total } = await runs.list({ limit: 10, ...filter });
    expect({ ids: found.map(({ run_id }) => run_id), total }).toEqual({ ids: ['run_01A'], total: 1 });
  }
  expect(await runs.list({ limit: 10, label: { key: 'team' }, status: 'pending' })).toMatchObject({
    runs: [{ run_id: 'run_01B' }],
    total: 1,
  });
  expect(await runs.execution('run_01A')).toMatchObject({
    plan: { revision: '0123456789abcdef' },
    sealed: 'v1.sealed',
  });
  expect(await journal.latestId()).toBe(41);
  expect(await journal.read({ afterId: 0, limit: 10 })).toMatchObject([
    { id: 1, type: 'run.created' },
    { id: 2, type: 'run.output', firstSeq: 1, lineCount: 40, count: 40 },
  ]);
  expect(await idempotency.find('default', 'key-1', 0)).toMatchObject({ runId: 'run_01A', answer: { status: 201 } });
  const rows = (
    table: 'artifacts' | 'artifact_counts' | 'log_segments' | 'run_hours' | 'run_days' | 'run_label_counts',
  ) => database.read.selectFrom(table).selectAll().execute();
  const ended = { tenant: 'default', source: 'local-fs', status: 'failed', count: 1 };
  const labels = ['', 'env', 'env=prod'];
  expect(await rows('run_hours')).toEqual(labels.map((label) => ({ label, hour: 1_705_312_800_000, ...ended })));
  expect(await rows('run_days')).toEqual(labels.map((label) => ({ label, day: 1_705_276_800_000, ...ended })));
  const counted = { tenant: 'default', job_id: 'backup/daily', source: 'local-fs', status: 'failed', count: 1 };
  expect(await rows('run_label_counts')).toEqual([
    { label: 'env', ...counted },
    { label: 'env=prod', ...counted },
  ]);
  expect(await rows('artifacts')).toMatchObject([
    { id: 'artifact_01A', step_id: 'step_01', size_bytes: 9, expires_at: null },
  ]);
  expect(await rows('artifact_counts')).toEqual([
    { tenant: 'default', job_id: 'backup/daily', count: 1, size_bytes: 9 },
  ]);
  expect(await rows('log_segments')).toMatchObject([{ run_id: 'run_01A', n: 1, last_seq: 40, encoding: 'zstd' }]);
});

test('a migrated instance keeps UTC for schedules without a time zone, and a new one uses the zone of its host', async () => {
  const [old, fresh] = [await folder(), await folder()];
  await firstRelease(join(old, 'flwd.db'));
  const zoneOf = async (dir: string): Promise<string> => {
    const { database } = await openSqlite(dir);
    const zone = await createInstanceStore(database).timezone();
    await database.close();
    return zone;
  };
  vi.stubEnv('TZ', 'Asia/Tokyo');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect([await zoneOf(old), await zoneOf(fresh)]).toEqual(['UTC', 'Asia/Tokyo']);
  vi.stubEnv('TZ', 'Europe/Berlin');
  expect([await zoneOf(old), await zoneOf(fresh)]).toEqual(['UTC', 'Asia/Tokyo']);
});

test('sub-runs of an older database are left out of lists and totals that exclude sub-runs', async () => {
  const dir = await folder();
  const path = join(dir, 'flwd.db');
  await firstRelease(path);
  const file = new DatabaseSync(path);
  file.exec("UPDATE runs SET trigger = 'job' WHERE id = 'run_01A'");
  file.close();

  const { database, runs } = await openSqlite(dir);
  onTestFinished(() => database.close());
  const top = { limit: 10, isTopLevel: true } as const;
  expect(await runs.list({ limit: 10 })).toMatchObject({ total: 2 });
  expect(await runs.list(top)).toMatchObject({ total: 1, runs: [{ run_id: 'run_01B' }] });
  for (const filter of [{ sinceMs: createdAtMs }, { status: 'pending' as const }, { sinceMs: createdAtMs - 9e8 }]) {
    expect(await runs.list({ ...top, ...filter })).toMatchObject({ total: 1 });
  }
  for (const filter of [{ status: 'failed' as const }, { untilMs: createdAtMs }, { jobId: 'other' }]) {
    expect(await runs.list({ ...top, ...filter })).toMatchObject({ total: 0, runs: [] });
  }
});

test('the log announces the migration of an older database, and says nothing for a new one', async () => {
  const [old, fresh] = [await folder(), await folder()];
  await firstRelease(join(old, 'flwd.db'));
  const logged: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => void logged.push(line) });
  for (const dir of [fresh, old, old]) await (await openSqlite(dir, { log })).database.close();
  expect(logged.map((line): unknown => JSON.parse(line))).toEqual([
    { level: 30, from: 1, to: migrations.length, msg: 'upgrading the database; with many runs it takes minutes' },
  ]);
});

test('the planner has the same statistics for a migrated database as for a new one', async () => {
  const [old, fresh] = [await folder(), await folder()];
  await firstRelease(join(old, 'flwd.db'));
  const statistics = async (dir: string): Promise<unknown[]> => {
    await (await openSqlite(dir)).database.close();
    const file = new DatabaseSync(join(dir, 'flwd.db'));
    const rows = file.prepare('SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl, idx').all();
    const schema = file.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all();
    file.close();
    return [rows, schema];
  };
  expect(await statistics(old)).toEqual(await statistics(fresh));
});
