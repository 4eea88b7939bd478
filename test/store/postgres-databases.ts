// Creates databases on PostgreSQL for tests. The database of each test folder is a copy of one with the newest schema.

import { createHash } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import type { Clock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/lib/logger.ts';
import type { CommitListener, Database } from '../../src/store/database.ts';
import { openPostgresDatabase } from '../../src/store/postgres/database.ts';

export const templateName = 'flwd_template';

export function databaseUrl(postgresDir: string, name: string): string {
  return `socket://flwd@${postgresDir}?db=${name}`;
}

const made = new Set<string>();

/** The name of the database that belongs to a folder, like the database file on SQLite. */
export function databaseNameOf(dir: string): string {
  return `flwd_${createHash('sha256').update(dir).digest('hex').slice(0, 20)}`;
}

export async function openDatabaseOf(
  dir: string,
  postgresDir: string,
  parts: { readonly clock: Clock; readonly log: Logger; readonly onCommit: CommitListener },
): Promise<Database> {
  const name = databaseNameOf(dir);
  if (!made.has(name)) {
    made.add(name);
    await createDatabase(postgresDir, name, templateName);
  }
  return openPostgresDatabase({ ...parts, url: databaseUrl(postgresDir, name), mostReaders: 2 });
}

/** Creates the database unless it exists. FILE_COPY takes half as long as the default, which logs each page. */
export async function createDatabase(postgresDir: string, name: string, template = 'template1'): Promise<void> {
  await administer(postgresDir, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount !== 0) return;
    await client.query(
      `create database ${escapeIdentifier(name)} template ${escapeIdentifier(template)} strategy file_copy`,
    );
  });
}

/** The databases of this process. */
export async function dropDatabases(postgresDir: string): Promise<void> {
  await administer(postgresDir, async (client) => {
    for (const name of made) await client.query(`drop database if exists ${escapeIdentifier(name)} with (force)`);
  });
  made.clear();
}

async function administer<T>(postgresDir: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl(postgresDir, 'postgres') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
