// Gives the room of deleted rows back to the file system, in steps that nobody notices.

import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { Database } from '../database.ts';
import { busyTimeoutMs } from './sqlite.ts';
import { toDatabaseFailure } from './sqlite-files.ts';

/** What SQLite leaves to its owner: no other engine has these. */
export type SqliteSpace = {
  /** Gives some of what deleted rows took back to the file system. @returns the bytes that could be given back still */
  readonly shrink: (mostPages: number) => Promise<number>;
  /** Takes the log of commits into the database file, and cuts it where it has grown to `leastBytes` and nobody reads it. */
  readonly settle: (leastBytes: number) => Promise<void>;
};

export function createSpace(o: {
  readonly path: string;
  readonly connection: DatabaseSync;
  readonly transact: Database['transact'];
}): SqliteSpace {
  const { connection } = o;
  const number = (pragma: string): number => {
    const row = connection.prepare(`PRAGMA ${pragma}`).get() ?? {};
    return Number(Object.values(row)[0]);
  };

  return {
    shrink: (mostPages) =>
      o.transact(async () => {
        // A page of zero would be all of them.
        if (mostPages > 0) connection.exec(`PRAGMA incremental_vacuum(${mostPages})`);
        return number('freelist_count') * number('page_size');
      }),

    async settle(leastBytes) {
      const wal = statSync(`${o.path}-wal`, { throwIfNoEntry: false });
      const mode = wal && wal.size >= leastBytes ? 'TRUNCATE' : 'PASSIVE';
      // Whoever reads meanwhile, a backup, must not hold the event loop until it has done so.
      connection.exec('PRAGMA busy_timeout = 0');
      try {
        connection.exec(`PRAGMA wal_checkpoint(${mode})`);
      } catch (error) {
        throw toDatabaseFailure(error);
      } finally {
        connection.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
      }
    },
  };
}
