// Opens a Database on a SQLite file and migrates it. It uses one connection to write and another to read.

import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { readAuditHead } from '../audit/audit-chain.ts';
import type { CommitListener, Database } from '../database.ts';
import { readNextEventId } from '../journal-rows.ts';
import { freshSchema, freshVersion } from '../migrations/fresh-sqlite.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Schema } from '../schema.ts';
import { databaseDamaged } from '../storage-error.ts';
import { columnTypes, connectToRead, connectToWrite, kyselyOver } from './sqlite.ts';
import { userVersion } from './sqlite-commit.ts';
import { asking, opening, reserveIndex } from './sqlite-files.ts';
import { fixPlans } from './sqlite-plans.ts';
import { openSqliteWriter } from './sqlite-writer.ts';

type Request = {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onCommit: CommitListener;
};
/** SQLite returns disk space only when it is asked to. PostgreSQL does so on its own. */
export type SqliteSpace = {
  /**
   * Returns up to `mostPages` free pages to the file system.
   * @returns how many free bytes the file still has
   */
  readonly shrink: (mostPages: number) => Promise<number>;
  /**
   * Moves the content of the WAL into the database file. If the WAL has at least `leastBytes` and nobody reads it, also
   * truncates it.
   */
  readonly settle: (leastBytes: number) => Promise<void>;
};

type SqliteDatabase = Database & { readonly space: SqliteSpace };

/** @throws StartError if the file is damaged or from a newer flwd, Problem not-ready if the disk is full */
export function openSqliteDatabase(o: Request): Promise<SqliteDatabase> {
  return opening(o.path, () => open(o));
}

async function open(o: Request): Promise<SqliteDatabase> {
  const connection = connectToWrite(o.path);
  try {
    let damage: string | null = null;
    const onDamage = (words: string): void => {
      const found = databaseDamaged(words);
      if (found !== damage) o.log.error(found);
      damage = found;
    };
    const db = kyselyOver(connection, onDamage);
    await migrateSqlite(connection, db, o.log);
    const writer = openSqliteWriter({
      ...o,
      connection,
      db,
      onDamage,
      isLogged: (failure) => failure === damage,
      nextEventId: await readNextEventId(db),
      auditHead: await readAuditHead(db),
    });
    reserveIndex(o.path);
    const reading = connectToRead(o.path);
    return {
      read: kyselyOver(reading, onDamage),
      generation: createGeneration(reading),
      transact: writer.transact,
      failure: () => damage ?? writer.failure(),
      latestEventId: async () => writer.latestEventId(),
      size: async () => ({
        bytes: statSync(o.path).size,
        walBytes: statSync(`${o.path}-wal`).size,
        freePages: asking(() => Number(reading.prepare('PRAGMA freelist_count').get()?.freelist_count)),
      }),
      space: createSpace({ path: o.path, connection, transact: writer.transact }),
      async close() {
        await writer.close();
        reading.close();
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * SQLite counts the commits of other connections and processes (https://sqlite.org/pragma.html#pragma_data_version). To
 * read the counter, SQLite locks the WAL. This takes 3 µs, or 18 µs on a busy machine, so the counter is read only once
 * in each turn of the event loop.
 */
function createGeneration(reading: DatabaseSync): Database['generation'] {
  const dataVersion = reading.prepare('PRAGMA data_version');
  let known: number | undefined;
  return async () => {
    if (known === undefined) {
      known = asking(() => Number(dataVersion.get()?.data_version));
      setImmediate(() => {
        known = undefined;
      });
    }
    return known;
  };
}

function createSpace(o: {
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
      o.transact(async () =>
        asking(() => {
          // For SQLite, 0 would mean all pages.
          if (mostPages > 0) connection.exec(`PRAGMA incremental_vacuum(${mostPages})`);
          return number('freelist_count') * number('page_size');
        }),
      ),

    async settle(leastBytes) {
      const wal = statSync(`${o.path}-wal`, { throwIfNoEntry: false });
      const mode = wal && wal.size >= leastBytes ? 'TRUNCATE' : 'PASSIVE';
      // This does not wait for a long reader, such as a backup.
      asking(() => connection.exec(`PRAGMA wal_checkpoint(${mode})`));
    },
  };
}

async function migrateSqlite(connection: DatabaseSync, db: Kysely<Schema>, log: Logger): Promise<void> {
  await migrate({
    db,
    types: columnTypes,
    log,
    version: () => userVersion(connection),
    createSchema() {
      connection.exec(freshSchema);
      return freshVersion;
    },
    async raise(toVersion, work) {
      connection.exec('BEGIN IMMEDIATE');
      try {
        await work();
        fixPlans(connection);
        connection.exec(`PRAGMA user_version = ${toVersion}; COMMIT`);
      } catch (error) {
        if (connection.isTransaction) connection.exec('ROLLBACK');
        throw error;
      }
    },
  });
}
