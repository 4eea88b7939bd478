// Makes a database with many finished runs, as after months of use, by writing rows into the store's tables without
// flwd. Lists and statistics read `runs`, `run_labels` and counters; the other tables stay empty.

import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../src/lib/clock.ts';
import { createId } from '../src/lib/ids.ts';
import { createLogger } from '../src/lib/logger.ts';
import { type Position, toCursor } from '../src/store/cursor.ts';
import { countEnded } from '../src/store/migrations/0010-run-totals.ts';
import { countDays } from '../src/store/migrations/0011-run-days.ts';
import { countStats } from '../src/store/migrations/0018-run-stats.ts';
import type { RunDetails } from '../src/store/run/run-rows.ts';
import type { RunCountRow, RunRow, Schema } from '../src/store/schema.ts';
import { kyselyOver } from '../src/store/sqlite/sqlite.ts';
import { openSqliteDatabase } from '../src/store/sqlite/sqlite-database.ts';
import { fixPlans } from '../src/store/sqlite/sqlite-plans.ts';
import { createDraw } from '../test/support/draw.ts';

export type ManyRuns = {
  readonly oldestAtMs: number;
  readonly newestAtMs: number;
  /** The cursor of a page before which there is this share of all runs. */
  readonly cursorAt: (share: number) => string;
};

export const jobCount = 500;
/** Recent enough for retention to keep all runs. */
const spanMs = 60 * 24 * 3_600_000;
const sources = ['local', 'ops', 'data'] as const;
const tenants = ['default', 'acme', 'globex', 'initech', 'hooli'] as const;
const teams = ['ops', 'data', 'web', 'mail', 'billing', 'search', 'mobile', 'security'] as const;
const triggers = ['api', 'schedule', 'cli', 'rerun'] as const;

export function jobAt(index: number): string {
  return `team-${index % 20}/job-${index}`;
}

const details = JSON.stringify({
  rerun_of: null,
  parent: null,
  limits: { log_bytes: 1_073_741_824 },
  grants: [],
  source: { name: 'local', type: 'fs', revision: `sha256:${'0123456789abcdef'.repeat(4)}` },
  security: {
    profile: 'secure',
    isolation: {
      pid_namespace: true,
      network: 'none',
      filesystem: 'workspace',
      environment: 'clean',
      no_new_privileges: true,
      uid: 65_534,
    },
  },
  request_id: 'req_01HM0000000000000000000000',
} satisfies RunDetails);

/** Creates the database file. */
export async function fillWithRuns(path: string, count: number): Promise<ManyRuns> {
  const log = createLogger({ level: 'silent', format: 'json' });
  await (await openSqliteDatabase({ path, clock: systemClock, log, onCommit: () => undefined })).close();
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN');
  // Building the indexes at the end takes half the time.
  const indices = db
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('runs', 'run_labels') AND sql IS NOT NULL",
    )
    .all();
  for (const { name } of indices) db.exec(`DROP INDEX ${String(name)}`);
  const newestAtMs = Date.now() - 60_000;
  const oldestAtMs = newestAtMs - spanMs;
  const counts = new Map<string, RunCountRow>();
  const places: Position[] = [];
  const addRun = inserter(db, 'runs');
  const addLabel = inserter(db, 'run_labels');
  const draw = createDraw();
  for (let i = 0; i < count; i++) {
    const run = runAt(oldestAtMs + Math.floor((spanMs * i) / count), draw);
    addRun(run);
    const { id: run_id, created_at, tenant, job_id, source, status } = run;
    for (const [key, value] of Object.entries<string>(JSON.parse(run.labels))) {
      addLabel({ run_id, key, value, created_at, tenant, job_id, source, status });
    }
    const kind = `${status} ${tenant} ${job_id} ${source}`;
    const before = counts.get(kind)?.count ?? 0;
    counts.set(kind, { status, tenant, job_id, source, count: before + 1 });
    if (i % Math.ceil(count / 1_000) === 0) places.push({ createdAtMs: created_at, id: run_id });
  }
  const addCount = inserter(db, 'run_counts');
  for (const row of counts.values()) addCount(row);
  const filled = kyselyOver(db);
  for (const statement of [...countEnded(filled), countDays(filled), ...countStats(filled)]) await statement.execute();
  for (const { sql } of indices) db.exec(String(sql));
  // Dropping an index also drops the planner's statistics about it.
  fixPlans(db);
  db.exec('COMMIT');
  db.close();
  return {
    oldestAtMs,
    newestAtMs,
    cursorAt(share) {
      const place = places[Math.floor(share * places.length)];
      if (!place) throw new Error('there is no run at that place');
      return toCursor(place);
    },
  };
}

/** A few jobs have most of the runs, and nine of ten runs succeed. */
function runAt(createdAtMs: number, draw: () => number): RunRow {
  const job = Math.floor(jobCount * draw() ** 3);
  const tenant = tenants[Math.floor(tenants.length * draw() ** 3)] ?? 'default';
  const luck = draw();
  const status = luck < 0.9 ? 'success' : luck < 0.98 ? 'failed' : 'cancelled';
  const exitCode = { success: 0, failed: 1, cancelled: null }[status];
  const id = createId('run', createdAtMs);
  const labels: Record<string, string> = {};
  if (draw() < 0.7) labels.team = teams[job % teams.length] ?? 'ops';
  if (draw() < 0.4) labels.env = draw() < 0.8 ? 'prod' : 'test';
  if (draw() < 0.05) labels.ticket = `OPS-${Math.floor(draw() * 2_000)}`;
  return {
    id,
    job_id: jobAt(job),
    tenant,
    source: sources[job % 10 < 7 ? 0 : job % 10 < 9 ? 1 : 2],
    status,
    reason: status === 'failed' ? 'exit' : null,
    waiting: null,
    created_at: createdAtMs,
    started_at: createdAtMs + 15,
    finished_at: createdAtMs + 15 + Math.floor(60_000 * draw() ** 4),
    exit_code: exitCode,
    attempt: 1,
    priority: 0,
    version: 4,
    queue_ms: null,
    trigger: triggers[Math.floor(triggers.length * draw() ** 2)] ?? 'api',
    created_by: 'local',
    worker: 'local',
    cancel_requested_at: null,
    cancel_requested_by: null,
    labels: JSON.stringify(labels),
    progress: null,
    error: status === 'failed' ? JSON.stringify({ message: 'The step `step_01` ended with exit code 1.' }) : null,
    termination: null,
    left_behind: null,
    details,
    args: JSON.stringify({ target: `/srv/${job}`, keep: 7 }),
    result: status === 'success' ? JSON.stringify({ value: { files: 12, bytes: 48_213 } }) : null,
    deadline_at: null,
    concurrency_key: null,
    concurrency_limit: null,
    owner: null,
    epoch: 0,
  };
}

/** The first row determines the columns. */
function inserter<Table extends 'runs' | 'run_labels' | 'run_counts'>(
  db: DatabaseSync,
  table: Table,
): (row: Schema[Table]) => void {
  let statement: ReturnType<DatabaseSync['prepare']> | undefined;
  return (row) => {
    const columns = Object.keys(row);
    statement ??= db.prepare(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    statement.run(...Object.values(row));
  };
}
