// Migrates a PostgreSQL database to the newest schema.

import { type Kysely, sql } from 'kysely';
import type { Logger } from '../../lib/logger.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Schema } from '../schema.ts';
import { columnTypes } from './connect.ts';

/** The advisory lock of the server that migrates. A server that starts in the meantime waits for it. */
const migrationLock = 0x666c_7765;

export async function migratePostgres(db: Kysely<Schema>, log: Logger): Promise<void> {
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
