// Checks the files of an instance, whether or not a server is running. It reads the database, and the files that were
// damaged when a restore brought them back. It checks only the sizes of all other files. `flwd backup` reads every file
// as a whole.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { forbiddenWords } from '../../domain/notification.ts';
import { triggerFailing } from '../../domain/trigger/job-trigger.ts';
import { errorCode } from '../../lib/error-code.ts';
import { shardOf } from '../../lib/ids.ts';
import { isUnreadable } from '../../lib/shortage.ts';
import { type RestoredDamage, restoredDamageFile, sumOf } from '../backup/backup-files.ts';
import type { ExportState, Signal } from '../exports.ts';
import { removalMs } from '../log/log-damage.ts';
import { segmentPath } from '../log/log-segment.ts';
import { readWaiting, type WaitingMessages } from '../notifications.ts';
import { connectOffline } from './offline.ts';
import { assertNotForeign, hasTable, kyselyOver } from './sqlite.ts';

export type Examination = {
  /** SQLite's message if the database is damaged; null if it is intact. */
  readonly database: string | null;
  /** True if the database was too large to be checked as a whole. */
  readonly isPartial: boolean;
  readonly files: number;
  /** The damaged files, each with what is wrong. */
  readonly damaged: readonly string[];
  /** The owners of running runs, and how many runs each of them drives. `host` is null if the owner has no lease. */
  readonly owners: readonly { readonly owner: string | null; readonly host: string | null; readonly runs: number }[];
  /** How many runs are waiting to start, and which of them has waited longest; null if no run is waiting. */
  readonly queue: {
    readonly runs: number;
    readonly first: {
      readonly id: string;
      readonly jobId: string;
      readonly sinceMs: number;
      readonly why: string | null;
    };
  } | null;
  /**
   * The time zone of the instance; null if the database is from an earlier version of flwd that did not store the time
   * zone.
   */
  readonly timezone: string | null;
  /** The tenants whose schedules are paused; `*` stands for every tenant. */
  readonly paused: readonly string[];
  /**
   * `late` counts runs and expected successes that are late. `missed` counts scheduled times that were missed and have
   * not been followed by a success.
   */
  readonly late: { readonly late: number; readonly missed: number };
  /** How many schedules could not call their heartbeat address the last time. */
  readonly failingHeartbeats: number;
  /** The reasons why triggers start nothing. Each reason is listed once. */
  readonly failingTriggers: readonly string[];
  /** The messages that could not be sent and will be tried again. */
  readonly waiting: readonly WaitingMessages[];
  /** The addresses of jobs from untrusted sources that the server refused to call the last time. */
  readonly refusedCalls: readonly { readonly jobId: string; readonly origin: string }[];
  /**
   * `underWay` counts backfills in progress. `failed` counts backfills that failed, unless their schedule has a newer
   * backfill.
   */
  readonly backfills: { readonly underWay: number; readonly failed: number };
  /** The state of each export to a collector; null if it has never run. */
  readonly exports: Readonly<Record<Signal, ExportState | null>>;
  /** null if the key-value store is empty. */
  readonly kv: {
    readonly keys: number;
    readonly largest: { readonly namespace: string; readonly bytes: number };
  } | null;
};

/** A database of up to this size is checked as a whole, which takes a second or two. */
const mostCheckedBytes = 512 * 2 ** 20;
/** How many log files are checked, and how many artifacts. The newest are checked. */
const mostFiles = 5_000;
/** How many notifications are read. The newest are read. */
const mostNotifications = 5_000;

/**
 * Returns undefined if there is no database yet, or if the first server is still creating its tables.
 * @throws SQLite's error if the database cannot be opened, StartError if it belongs to another program
 */
export async function examineStore(o: {
  readonly dataDir: string;
  readonly dbPath: string;
  readonly logsDir: string;
  readonly artifactsDir: string;
}): Promise<Examination | undefined> {
  if (!existsSync(o.dbPath)) return undefined;
  const isPartial = statSync(o.dbPath).size > mostCheckedBytes;
  const connection = connectOffline(o.dbPath);
  const isThere = (query: string, ...values: readonly (string | number)[]): boolean =>
    connection.prepare(query).get(...values) !== undefined;
  try {
    assertNotForeign(connection, o.dbPath);
    if (!hasTable(connection, 'runs')) return undefined;
    const [found] = isPartial ? [] : connection.prepare('PRAGMA quick_check(1)').all();
    const said = found && String(Object.values(found)[0]);
    const database = said === undefined || said === 'ok' ? null : said.split('\n').join(' ');
    const segments = connection
      .prepare('SELECT run_id, n, encoding, stored_bytes FROM log_segments ORDER BY run_id DESC, n DESC LIMIT ?')
      .all(mostFiles)
      .map(({ run_id: runId, n, encoding, stored_bytes: bytes }) => ({
        path: segmentPath(o.logsDir, String(runId), Number(n), encoding === 'raw' ? 'raw' : 'zstd'),
        bytes: Number(bytes),
        isKept: () => isThere('SELECT 1 FROM log_segments WHERE run_id = ? AND n = ?', String(runId), Number(n)),
      }));
    const artifacts = connection
      .prepare(
        `SELECT id, size_bytes FROM artifacts WHERE expires_at IS NULL OR expires_at > unixepoch() * 1000
         ORDER BY id DESC LIMIT ?`,
      )
      .all(mostFiles)
      .map(({ id, size_bytes: bytes }) => ({
        path: join(o.artifactsDir, shardOf(String(id)), String(id)),
        bytes: Number(bytes),
        isKept: () =>
          isThere(
            'SELECT 1 FROM artifacts WHERE id = ? AND (expires_at IS NULL OR expires_at > unixepoch() * 1000)',
            String(id),
          ),
      }));
    const files = [...segments, ...artifacts];
    const sizes = files.map((file) => ({ ...file, size: sizeOf(file.path) }));
    // Retention removes a file before its row, so a file that is missing now may lose its row in a moment.
    if (sizes.some(({ size, isKept }) => size === undefined && isKept())) await delay(removalMs);
    const damaged = sizes.flatMap(({ path, bytes, size, isKept }) => {
      if (size === bytes) return [];
      if (size === 'unreadable') return [{ path, what: `${path} cannot be read` }];
      if (size !== undefined) return [{ path, what: `${path} has ${size} bytes instead of ${bytes}` }];
      return isKept() ? [{ path, what: `${path} is missing` }] : [];
    });
    for (const restored of await restoredDamage(o))
      if (!damaged.some(({ path }) => path === restored.path)) damaged.push(restored);
    return {
      database,
      isPartial,
      files: files.length,
      damaged: damaged.map(({ what }) => what),
      owners: readOwners(connection),
      queue: readQueue(connection),
      timezone: readFact(connection, 'timezone'),
      paused: readPaused(connection),
      late: readLate(connection),
      failingHeartbeats: readFailingHeartbeats(connection),
      failingTriggers: readFailingTriggers(connection),
      waiting: await readWaitingMessages(connection),
      refusedCalls: readRefusedCalls(connection),
      backfills: readBackfills(connection),
      exports: { traces: readExport(connection, 'traces'), logs: readExport(connection, 'logs') },
      kv: readKv(connection),
    };
  } finally {
    connection.close();
  }
}

async function readWaitingMessages(connection: DatabaseSync): Promise<WaitingMessages[]> {
  // If the database has this table, it also has channels for notifications.
  return hasTable(connection, 'failing_jobs') ? readWaiting(kyselyOver(connection), { tenant: '*' }) : [];
}

/**
 * Only the newest notification of each job and origin counts. SQLite takes the other columns from the row with the
 * maximum.
 */
function readRefusedCalls(connection: DatabaseSync): Examination['refusedCalls'] {
  if (!hasTable(connection, 'late')) return [];
  return connection
    .prepare(
      `SELECT job_id, origin FROM (
         SELECT coalesce(runs.job_id, newest.late ->> 'jobId') AS job_id, origin, last_error, max(newest.id)
         FROM (SELECT * FROM notices ORDER BY id DESC LIMIT ?) AS newest LEFT JOIN runs ON runs.id = run_id
         WHERE channel IS NULL AND newest.finished_at IS NOT NULL GROUP BY 1, 2)
       WHERE last_error = ? ORDER BY 1, 2`,
    )
    .all(mostNotifications, forbiddenWords)
    .map(({ job_id: jobId, origin }) => ({ jobId: String(jobId), origin: String(origin) }));
}

function readExport(connection: DatabaseSync, signal: Signal): ExportState | null {
  const stored = readFact(connection, signal);
  return stored === null ? null : JSON.parse(stored);
}

function readFact(connection: DatabaseSync, name: 'timezone' | Signal): string | null {
  if (!hasTable(connection, 'instance')) return null;
  const row = connection.prepare('SELECT value FROM instance WHERE name = ?').get(name);
  return row === undefined ? null : String(row.value);
}

function readPaused(connection: DatabaseSync): string[] {
  if (!hasTable(connection, 'schedule_pauses')) return [];
  const rows = connection.prepare('SELECT tenant FROM schedule_pauses ORDER BY tenant').all();
  return rows.map(({ tenant }) => String(tenant));
}

function readLate(connection: DatabaseSync): Examination['late'] {
  if (!hasTable(connection, 'late')) return { late: 0, missed: 0 };
  const rows = connection.prepare(
    "SELECT kind = 'missed' AS missed, count(*) AS rows FROM late WHERE over_at IS NULL GROUP BY 1",
  );
  const counts = new Map(rows.all().map(({ missed, rows: count }) => [Number(missed), Number(count)]));
  return { late: counts.get(0) ?? 0, missed: counts.get(1) ?? 0 };
}

function readFailingHeartbeats(connection: DatabaseSync): number {
  if (!hasTable(connection, 'heartbeats')) return 0;
  const row = connection
    .prepare('SELECT count(*) AS rows FROM heartbeats WHERE failed_at > coalesce(called_at, 0)')
    .get();
  return Number(row?.rows ?? 0);
}

function readFailingTriggers(connection: DatabaseSync): string[] {
  if (!hasTable(connection, 'trigger_results')) return [];
  const rows = connection.prepare('SELECT DISTINCT detail FROM trigger_results WHERE key = ? ORDER BY 1');
  return rows.all(triggerFailing).map(({ detail }) => String(detail));
}

function readBackfills(connection: DatabaseSync): Examination['backfills'] {
  if (!hasTable(connection, 'backfills')) return { underWay: 0, failed: 0 };
  const row = connection
    .prepare(
      `SELECT count(*) FILTER (WHERE finished_at IS NULL) AS open, count(problem) AS failed FROM backfills AS one
       WHERE finished_at IS NULL OR NOT EXISTS (SELECT 1 FROM backfills AS later
         WHERE later.schedule_id = one.schedule_id AND later.created_at > one.created_at)`,
    )
    .get();
  return { underWay: Number(row?.open ?? 0), failed: Number(row?.failed ?? 0) };
}

function readOwners(connection: DatabaseSync): Examination['owners'] {
  // A database of an earlier version may lack this table.
  if (!hasTable(connection, 'owners')) return [];
  return connection
    .prepare(
      `SELECT owner, host, count(*) AS runs FROM runs LEFT JOIN owners ON owners.id = owner
       WHERE status = 'running' GROUP BY owner, host ORDER BY owner`,
    )
    .all()
    .map(({ owner, host, runs }) => ({ owner: textOrNull(owner), host: textOrNull(host), runs: Number(runs) }));
}

function readQueue(connection: DatabaseSync): Examination['queue'] {
  const first = connection
    .prepare(
      "SELECT id, job_id, created_at, waiting FROM runs WHERE status = 'pending' ORDER BY created_at, id LIMIT 1",
    )
    .get();
  if (!first) return null;
  const { id, job_id: jobId, created_at: atMs, waiting } = first;
  const counted = connection.prepare("SELECT count(*) AS runs FROM runs WHERE status = 'pending'").get();
  return {
    runs: Number(counted?.runs ?? 1),
    first: { id: String(id), jobId: String(jobId), sinceMs: Number(atMs), why: textOrNull(waiting) },
  };
}

function readKv(connection: DatabaseSync): Examination['kv'] {
  if (!hasTable(connection, 'kv_totals')) return null;
  const whole = connection.prepare("SELECT keys FROM kv_totals WHERE tenant = '' AND keys > 0").get();
  const largest = connection
    .prepare("SELECT namespace, size_bytes FROM kv_totals WHERE tenant <> '' ORDER BY size_bytes DESC LIMIT 1")
    .get();
  if (!whole || !largest) return null;
  const { namespace, size_bytes: bytes } = largest;
  return { keys: Number(whole.keys), largest: { namespace: String(namespace), bytes: Number(bytes) } };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Returns files that were damaged when a restore brought them back, and that nobody has changed since. */
async function restoredDamage(o: {
  readonly dataDir: string;
  readonly logsDir: string;
}): Promise<{ path: string; what: string }[]> {
  const listed = join(o.dataDir, restoredDamageFile);
  if (!existsSync(listed)) return [];
  const files: readonly RestoredDamage[] = JSON.parse(readFileSync(listed, 'utf8'));
  const damaged: { path: string; what: string }[] = [];
  for (const { name, what, sha256 } of files) {
    const path = join(dirname(o.logsDir), name);
    try {
      if ((await sumOf(path)).sha256 === sha256) damaged.push({ path, what: `${what} (as it was in the backup)` });
    } catch (error) {
      if (isUnreadable(error)) damaged.push({ path, what: `${path} cannot be read` });
      else if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    }
  }
  return damaged;
}

function sizeOf(path: string): number | 'unreadable' | undefined {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isUnreadable(error)) return 'unreadable';
    if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    return undefined;
  }
}
