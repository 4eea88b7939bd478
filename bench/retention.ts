// `node bench/retention.ts [RUNS]`: deletes runs with their events, labels and logs while the server answers requests.
// Prints the event loop's delay and the rate of answers with and without deletion, the rate of deletion, and the size
// of the database. The results are in docs/adr/0013-retention-and-backup.md.

import { fork, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../src/config/config.ts';
import { loadConfig } from '../src/config/load.ts';
import { startHostProbe } from '../src/host-probe.ts';
import { serve } from '../src/main.ts';
import { countEnded } from '../src/store/migrations/0010-run-totals.ts';
import { countDays } from '../src/store/migrations/0011-run-days.ts';
import { kyselyOver } from '../src/store/sqlite/sqlite.ts';
import { firstMessage } from './first-message.ts';

const count = Number(process.argv[2] ?? 100_000);
const root = mkdtempSync(join(tmpdir(), 'flwd-retention-'));
const database = join(root, 'data', 'flwd.db');

const configWith = (retention: Readonly<Record<string, string>>) => {
  const file = join(root, 'flwd.yaml');
  const config = {
    instance: { data_dir: join(root, 'data') },
    sources: [{ path: join(root, 'jobs') }],
    server: { bind: '127.0.0.1:0' },
    security: { profiles: { secure: { rate_limit: { limit: 1_000_000_000 } } } },
    persistence: { retention },
    logging: { level: 'warn' },
  };
  writeFileSync(file, JSON.stringify(config));
  return loadConfig({ config: file }, {}, root).config;
};

async function fill(): Promise<void> {
  mkdirSync(join(root, 'jobs'));
  await (await start(configWith({}))).stop();
  const db = new DatabaseSync(database);
  const long = 'x'.repeat(600);
  const ids = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}),
    r AS (SELECT i, 'run_01HM' || printf('%022d', i) AS id, 1705314600000 + i AS at FROM n)`;
  db.exec(`BEGIN;
    ${ids} INSERT INTO runs (id, job_id, tenant, source, status, created_at, started_at, finished_at, exit_code, attempt, priority,
      version, trigger, created_by, labels, details, args)
      SELECT id, 'job/' || (i % 500), 'default', 'jobs', 'success', at, at, at, 0, 1, 0, 3, 'api', 'local', '{"team":"ops"}',
        '{"rerun_of":null,"parent":null,"source":{"revision":"0123456789abcdef"},"x":"${long}"}', '{"target":"/mnt"}' FROM r;
    ${ids} INSERT INTO run_plans (run_id, plan) SELECT id, '{"job":{"composition":"single"},"x":"${long}${long}"}' FROM r;
    ${ids} INSERT INTO steps (run_id, step_id, attempt, name, status, needs, outputs)
      SELECT id, 'step_01', 1, 'Backup', 'success', '[]', '{}' FROM r;
    ${ids} INSERT INTO run_labels (run_id, key, value, created_at, tenant, job_id, source, status)
      SELECT id, 'team', 'ops', at, 'default', 'job/' || (i % 500), 'jobs', 'success' FROM r;
    ${ids}, k(k) AS (VALUES (0), (1), (2), (3), (4)) INSERT INTO events (id, type, run_id, job_id, tenant, at, data, count)
      SELECT i * 5 + k, 'run.created', id, 'job/' || (i % 500), 'default', at, '{"status":"pending","attempt":1}', 1 FROM r, k;
    ${ids} INSERT INTO log_segments SELECT id, 1, 1, 3, at * 1000, at * 1000, 300, 300, 'raw' FROM r;
    INSERT INTO run_counts (status, tenant, job_id, source, count)
      SELECT status, tenant, job_id, source, count(*) FROM runs GROUP BY 1, 2, 3, 4;
    INSERT OR REPLACE INTO sequences (name, next_id) VALUES ('events', ${count * 5 + 10});
    COMMIT;`);
  for (const statement of [...countEnded(kyselyOver(db)), countDays(kyselyOver(db))]) await statement.execute();
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  for (const { id } of db.prepare('SELECT id FROM runs').iterate()) {
    const shard = join(root, 'data', 'logs', String(id).slice(-2));
    mkdirSync(shard, { recursive: true });
    writeFileSync(join(shard, `${String(id)}.1.raw`), 'x'.repeat(300));
  }
  db.close();
}

async function answersPerSecond(url: string, seconds: number): Promise<number> {
  const load = fork(new URL('./http-load.ts', import.meta.url), [`${url}/api/v1/runs?limit=20`, String(seconds)]);
  return (await firstMessage<{ rate: number }>(load)).rate;
}

function rowsLeft(): number {
  const db = new DatabaseSync(database, { readOnly: true });
  const left = Number(
    db
      .prepare(
        'SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM events) + (SELECT count(*) FROM log_segments) AS n',
      )
      .get()?.n,
  );
  db.close();
  return left;
}

async function measure(what: string, config: ReturnType<typeof configWith>, seconds: number): Promise<void> {
  const before = rowsLeft();
  const server = await start(config);
  await delay(500);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const startedAt = performance.now();
  const rate = await answersPerSecond(server.url, seconds);
  const removed = before - rowsLeft();
  const perSecond = removed / ((performance.now() - startedAt) / 1000);
  const [p50, p99, most] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map((ns) =>
    (ns / 1e6).toFixed(1),
  );
  console.log(
    `${what}: ${rate.toFixed(0)} answers/s, loop delay p50 ${p50} ms, p99 ${p99} ms, most ${most} ms; ${perSecond.toFixed(0)} rows/s removed`,
  );
  await server.stop();
}

async function idle(config: ReturnType<typeof configWith>): Promise<void> {
  const before = rowsLeft();
  const server = await start(config);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const startedAt = performance.now();
  const size = statSync(database).size;
  while (rowsLeft() > 0) await delay(500);
  const seconds = (performance.now() - startedAt) / 1000;
  while (statSync(database).size > 4e6 && performance.now() - startedAt < seconds * 3000) await delay(500);
  const all = (performance.now() - startedAt) / 1000;
  console.log(
    `idle: ${before} rows of runs, events and logs in ${seconds.toFixed(0)} s, ${all.toFixed(0)} s until the file had shrunk; loop delay p99 ${(histogram.percentile(99) / 1e6).toFixed(1)} ms; ` +
      `${(size / 1e6).toFixed(0)} MB → ${(statSync(database).size / 1e6).toFixed(1)} MB`,
  );
  await server.stop();
}

try {
  await fill();
  console.log(`${count} runs, ${(statSync(database).size / 1e6).toFixed(0)} MB`);
  const never = { runs: 'never', logs: 'never', events: 'never', snapshots: 'never', workspaces: 'never' };
  await measure('without', configWith(never), 8);
  await measure('while deleting', configWith({ events: '1m', logs: '1m', runs: '1m' }), 8);
  await measure('without', configWith(never), 8);
  await measure('while deleting', configWith({ events: '1m', logs: '1m', runs: '1m' }), 20);
  if (process.argv[3] === 'idle') await idle(configWith({ events: '1m', logs: '1m', runs: '1m' }));
  const startedAt = performance.now();
  const left = rowsLeft();
  configWith({ events: '1m', logs: '1m', runs: '1m' });
  const flwd = join(import.meta.dirname, '../bin/flwd.js');
  const { stdout } = spawnSync(process.execPath, [flwd, 'gc'], { cwd: root, encoding: 'utf8' });
  console.log(`flwd gc: ${left} rows in ${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${stdout.trim()}`);
  console.log(
    `${(statSync(database).size / 1e6).toFixed(2)} MB, ${readdirSync(join(root, 'data', 'logs'), { recursive: true }).length} names in logs`,
  );
} finally {
  rmSync(root, { recursive: true });
}
process.exit();

function start(config: Config) {
  return serve(config, { configFile: null, probe: startHostProbe(config) });
}
