// How many stored secrets a database holds, beside a server that goes on or without one. Changes nothing.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { busyTimeoutMs } from './sqlite.ts';

/** 0 where there is no database, or none that has them yet. @throws what SQLite says where it cannot be read */
export function countSecrets(dbPath: string): number {
  if (!existsSync(dbPath)) return 0;
  // Not read-only to SQLite, which could not open the log of commits of a server that is gone.
  const connection = new DatabaseSync(dbPath, { timeout: busyTimeoutMs });
  try {
    connection.exec('PRAGMA query_only = 1');
    const found = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'secrets'").get();
    return found ? Number(connection.prepare('SELECT count(*) AS count FROM secrets').get()?.count ?? 0) : 0;
  } finally {
    connection.close();
  }
}
