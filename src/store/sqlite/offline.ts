// Reads the database file directly, whether or not a server is running: the audit log, the number of secrets, and names
// for shell completion. It changes nothing.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { MadeWebhook } from '../../domain/trigger/webhook.ts';
import { StartError } from '../../lib/start-error.ts';
import { type AuditEntries, type AuditListQuery, readAudit } from '../audit/audit-list.ts';
import { type AuditVerdict, verifyAudit } from '../audit/audit-verify.ts';
import { createScheduleStore, type ScheduleStore } from '../schedule/schedules.ts';
import { createTokenStore, type TokenStore } from '../tokens.ts';
import { allMade } from '../webhooks.ts';
import { assertNotForeign, busyTimeoutMs, hasTable, kyselyOver } from './sqlite.ts';
import { explainOpening } from './sqlite-files.ts';

export type AuditFile = {
  /** @throws Problem validation-error for a malformed cursor */
  readonly read: (query: AuditListQuery) => Promise<AuditEntries>;
  readonly verify: () => Promise<AuditVerdict>;
  readonly close: () => void;
};

/** @throws StartError if there is no database, or the database has no audit log */
export function openAuditFile(dbPath: string): AuditFile {
  if (!existsSync(dbPath)) throw new StartError(`there is no database at ${dbPath}`);
  const connection = connectOffline(dbPath);
  try {
    connection.exec('BEGIN');
    assertHasTables(connection, dbPath);
    if (!hasTable(connection, 'audit'))
      throw new StartError(`the database ${dbPath} was written by an older flwd, which had no audit log`);
  } catch (error) {
    connection.close();
    throw explainOpening(error, dbPath);
  }
  const db = kyselyOver(connection);
  return {
    read: (query) => readAudit(db, query),
    verify: () => verifyAudit(db),
    close: () => connection.close(),
  };
}

/**
 * Returns 0 if there is no database, or if it was made before flwd could store secrets.
 * @throws SQLite's error if the database cannot be read
 */
export function countSecrets(dbPath: string): number {
  if (!existsSync(dbPath)) return 0;
  const connection = connectOffline(dbPath);
  try {
    if (!hasTable(connection, 'secrets')) return 0;
    return Number(connection.prepare('SELECT count(*) AS count FROM secrets').get()?.count ?? 0);
  } finally {
    connection.close();
  }
}

/**
 * Counts the runs that are pending or running. Returns 0 if the first server is still creating the tables.
 * @throws SQLite's error if the database cannot be read
 */
export function countUnfinishedRuns(dbPath: string): number {
  const connection = connectOffline(dbPath);
  try {
    if (!hasTable(connection, 'runs')) return 0;
    const row = connection.prepare("SELECT count(*) AS count FROM runs WHERE status IN ('pending', 'running')").get();
    return Number(row?.count ?? 0);
  } finally {
    connection.close();
  }
}

/** When a server last started or stopped. Other commands do not count. */
export type LastServer = { readonly atMs: number; readonly hasStopped: boolean };

export function readLastServer(dbPath: string): LastServer | null {
  if (!existsSync(dbPath)) return null;
  const connection = connectOffline(dbPath);
  try {
    if (!hasTable(connection, 'audit')) return null;
    const last = connection
      .prepare(
        `SELECT at, action FROM audit WHERE action IN ('server.start', 'server.stop', 'restore')
           ORDER BY id DESC LIMIT 1`,
      )
      .get();
    // If a restore came after the last server, that server had other data and may have run on another machine.
    if (!last || last.action === 'restore') return null;
    return { atMs: Number(last.at), hasStopped: last.action === 'server.stop' };
  } finally {
    connection.close();
  }
}

/**
 * Returns the names of a tenant's secrets. The list is empty if there is no database, or if it was made before flwd
 * could store secrets.
 */
export function storedSecrets(dbPath: string, tenant: string): readonly string[] {
  if (!existsSync(dbPath)) return [];
  const connection = connectOffline(dbPath);
  try {
    if (!hasTable(connection, 'secrets')) return [];
    const rows = connection.prepare('SELECT name FROM secrets WHERE tenant = ?').all(tenant);
    return rows.map(({ name }) => String(name));
  } finally {
    connection.close();
  }
}

/** What the database says about webhooks. A secret is written as tenant and name, with a space between them. */
export type StoredWebhooks = {
  readonly made: readonly MadeWebhook[];
  readonly secrets: ReadonlySet<string>;
  /** How many deliveries were refused since `sinceMs`, by the webhook's id. */
  readonly refused: ReadonlyMap<string, number>;
  /**
   * How many deliveries had a wrong signature, by the webhook's id. If there were many, the audit log does not have all
   * of them.
   */
  readonly forged: ReadonlyMap<string, number>;
};

/**
 * Returns empty lists if there is no database, or if it was made before flwd had webhooks.
 * @throws SQLite's error if the database cannot be read
 */
export async function storedWebhooks(dbPath: string, sinceMs: number): Promise<StoredWebhooks> {
  if (!existsSync(dbPath)) return { made: [], secrets: new Set(), refused: new Map(), forged: new Map() };
  const connection = connectOffline(dbPath);
  try {
    const secrets = hasTable(connection, 'secrets') ? connection.prepare('SELECT tenant, name FROM secrets').all() : [];
    const refused = hasTable(connection, 'deliveries')
      ? connection
          .prepare(
            `SELECT webhook_id, sum(repeats + 1) AS count FROM deliveries
             WHERE result = 'refused' AND at >= ? GROUP BY webhook_id`,
          )
          .all(sinceMs)
      : [];
    const forged = hasTable(connection, 'audit')
      ? connection
          .prepare(
            `SELECT object_id, count(*) AS count FROM audit
             WHERE action = 'auth.fail' AND object_kind = 'webhook' AND reason = 'signature-invalid' AND at >= ?
             GROUP BY object_id`,
          )
          .all(sinceMs)
      : [];
    return {
      made: hasTable(connection, 'webhooks') ? await allMade(kyselyOver(connection)) : [],
      secrets: new Set(secrets.map(({ tenant, name }) => `${String(tenant)} ${String(name)}`)),
      refused: new Map(refused.map(({ webhook_id: id, count }) => [String(id), Number(count)])),
      forged: new Map(forged.map(({ object_id: id, count }) => [String(id), Number(count)])),
    };
  } finally {
    connection.close();
  }
}

type Makers = {
  readonly tokens: Pick<TokenStore, 'find'>;
  readonly schedules: Pick<ScheduleStore, 'all' | 'states'>;
};

/**
 * Reads the schedules of the API, and the tokens with which schedules and webhooks were made. Returns undefined if
 * there is no database, or if it is from an older flwd.
 * @throws SQLite's error if the database cannot be read
 */
export async function withMakers<T>(dbPath: string, work: (makers: Makers) => Promise<T>): Promise<T | undefined> {
  if (!existsSync(dbPath)) return undefined;
  const connection = connectOffline(dbPath);
  try {
    // If the database has this table, it also has all columns of schedules that are read here.
    if (!hasTable(connection, 'heartbeats')) return undefined;
    const read = kyselyOver(connection);
    return await work({ tokens: createTokenStore({ read }), schedules: createScheduleStore({ read }) });
  } finally {
    connection.close();
  }
}

type Name = readonly [name: string, about: string];
export type StoredNames = {
  /** The names of runs, newest first. */
  readonly runs: readonly Name[];
  readonly schedules: readonly Name[];
  /** Backfills that have not ended. */
  readonly backfills: readonly Name[];
  readonly tokens: readonly Name[];
  readonly secrets: readonly Name[];
};

/**
 * Returns empty lists if there is no database.
 * @throws Error if the database is from another version of flwd
 */
export async function listNames(dbPath: string, mostRuns: number): Promise<StoredNames> {
  if (!existsSync(dbPath)) return { runs: [], schedules: [], backfills: [], tokens: [], secrets: [] };
  const connection = connectOffline(dbPath);
  try {
    connection.exec('BEGIN');
    const db = kyselyOver(connection);
    const runs = await db
      .selectFrom('runs')
      .select(['id', 'job_id', 'status'])
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(mostRuns)
      .execute();
    const schedules = await db.selectFrom('schedules').select(['id', 'job_id']).execute();
    const open = db.selectFrom('backfills').where('finished_at', 'is', null);
    const backfills = await open.select(['id', 'job_id']).execute();
    const tokens = await db.selectFrom('tokens').select(['id', 'name']).execute();
    const secrets = await db.selectFrom('secrets').select(['name', 'tenant']).execute();
    return {
      runs: runs.map(({ id, status, job_id: jobId }) => [id, `${status}  ${jobId}`]),
      schedules: schedules.map(({ id, job_id: jobId }) => [id, jobId]),
      backfills: backfills.map(({ id, job_id: jobId }) => [id, jobId]),
      tokens: tokens.map(({ id, name }) => [id, name]),
      secrets: secrets.map(({ name, tenant }) => [name, tenant]),
    };
  } finally {
    connection.close();
  }
}

/** @throws SQLite's error if the database cannot be opened */
export function connectOffline(dbPath: string): DatabaseSync {
  // With a read-only connection, SQLite could not open the WAL that a stopped server has left.
  const connection = new DatabaseSync(dbPath, { timeout: busyTimeoutMs });
  connection.exec('PRAGMA query_only = 1');
  return connection;
}

/** @throws StartError if the database is empty, or has only tables of another program */
export function assertHasTables(connection: DatabaseSync, dbPath: string): void {
  if (hasTable(connection, 'runs')) return;
  assertNotForeign(connection, dbPath);
  throw new StartError(
    `the database ${dbPath} has no tables of flwd yet; start flwd serve, or a job with flwd run, to create them`,
  );
}
