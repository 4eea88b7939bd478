// The names in a database of what has one, for whoever completes a command line: beside a server or without one, changing nothing.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { busyTimeoutMs, kyselyOver } from './sqlite.ts';

type Name = readonly [name: string, about: string];
export type StoredNames = {
  /** Newest first. */
  readonly runs: readonly Name[];
  readonly schedules: readonly Name[];
  readonly tokens: readonly Name[];
  readonly secrets: readonly Name[];
};

/** None where there is no database. @throws Error where it is of another version of flwd */
export async function listNames(dbPath: string, mostRuns: number): Promise<StoredNames> {
  if (!existsSync(dbPath)) return { runs: [], schedules: [], tokens: [], secrets: [] };
  // Not read-only to SQLite, which could not open the log of commits of a server that is gone.
  const connection = new DatabaseSync(dbPath, { timeout: busyTimeoutMs });
  try {
    connection.exec('PRAGMA query_only = 1; BEGIN');
    const db = kyselyOver(connection);
    const runs = await db
      .selectFrom('runs')
      .select(['id', 'job_id', 'status'])
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(mostRuns)
      .execute();
    const schedules = await db.selectFrom('schedules').select(['id', 'job_id']).execute();
    const tokens = await db.selectFrom('tokens').select(['id', 'name']).execute();
    const secrets = await db.selectFrom('secrets').select(['name', 'tenant']).execute();
    return {
      runs: runs.map(({ id, status, job_id: jobId }) => [id, `${status}  ${jobId}`]),
      schedules: schedules.map(({ id, job_id: jobId }) => [id, jobId]),
      tokens: tokens.map(({ id, name }) => [id, name]),
      secrets: secrets.map(({ name, tenant }) => [name, tenant]),
    };
  } finally {
    connection.close();
  }
}
