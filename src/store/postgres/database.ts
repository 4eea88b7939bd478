// Opens a Database on PostgreSQL: a pool of connections to read, and one connection to write (ADR 0037).

import { sql } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CommitListener, Database } from '../database.ts';
import { readNextEventId } from '../journal-rows.ts';
import { connect } from './connect.ts';
import { migratePostgres } from './migrate.ts';
import { openPostgresWriter } from './writer.ts';

/** @throws StartError when the database is from a newer flwd */
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
    // Snapshots with the same text see the same commits.
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
