// Opens a Database on PostgreSQL and migrates it. It uses a pool of connections to read, and one connection to write
// (ADR 0037).

import { type Kysely, sql } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CommitListener, Database } from '../database.ts';
import { readNextEventId } from '../journal-rows.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Schema } from '../schema.ts';
import { columnTypes, connect } from './connect.ts';
import { openPostgresWriter } from './writer.ts';

/** The advisory lock that a server holds while it migrates. Another server that starts in the meantime waits for it. */
const migrationLock = 0x666c_7765;

/** @throws StartError if the database is from a newer flwd */
export async function openPostgresDatabase(o: {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onCommit: CommitListener;
  readonly mostReaders?: number;
}): Promise<Database> {
  const writing = connect(o.url, { mode: 'readWrite', most: 1 });
  const read = connect(o.url, { mode: 'readOnly', most: o.mostReaders ?? 4 });
  const disconnect = (): Promise<unknown> => Promise.all([writing.destroy(), read.destroy()]);
  try {
    await migratePostgres(writing, o.log);
  } catch (error) {
    await disconnect();
    throw error;
  }
  const { transact, failure, close } = openPostgresWriter({ ...o, writing, read });
  return {
    read,
    transact,
    failure,
    // Two snapshots with the same text see the same commits.
    async generation() {
      const { rows } = await sql<{ seen: string }>`select pg_current_snapshot()::text as seen`.execute(read);
      return rows[0]?.seen ?? '';
    },
    latestEventId: async () => (await readNextEventId(read)) - 1,
    async size() {
      const { rows } = await sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`.execute(read);
      return { bytes: rows[0]?.bytes ?? 0, walBytes: 0, freePages: 0 };
    },
    async close() {
      await close();
      await disconnect();
    },
  };
}

/** Migrates the database to the newest schema. */
async function migratePostgres(db: Kysely<Schema>, log: Logger): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(tx);
    await sql`create table if not exists schema_version (version integer not null)`.execute(tx);
    const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(tx);
    await migrate({
      db: tx,
      types: columnTypes,
      log,
      version: () => rows[0]?.version ?? 0,
      async raise(toVersion, work) {
        await work();
        await sql`delete from schema_version`.execute(tx);
        await sql`insert into schema_version values (${sql.lit(toVersion)})`.execute(tx);
      },
    });
  });
}
