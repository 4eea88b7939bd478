// Damage of the database appears in its health, however it is found.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger, type Logger } from '../../src/lib/logger.ts';
import { kyselyOver } from '../../src/store/sqlite/sqlite.ts';
import { openSqliteDatabase } from '../../src/store/sqlite/sqlite-database.ts';
import { isStorageError } from '../../src/store/storage-error.ts';
import { openSqlite } from './engines.ts';

async function opened(log?: Logger) {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-damage-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const { database } = await openSqlite(dir, log && { log });
  return { database, path: join(dir, 'flwd.db') };
}

test('a schema that cannot be read is reported as damage', async () => {
  const { database, path } = await opened();
  await database.close();
  const connection = new DatabaseSync(path, { defensive: false });
  onTestFinished(() => connection.close());
  connection.exec(`
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = 'no schema' WHERE name = 'artifacts';
  `);
  const found: string[] = [];
  const damaged = new DatabaseSync(path);
  onTestFinished(() => damaged.close());
  const db = kyselyOver(damaged, (words) => found.push(words));
  await expect(db.selectFrom('runs').selectAll().execute()).rejects.toThrow('malformed database schema');
  expect(found).toEqual([expect.stringContaining('malformed database schema')]);
});

test('damage that a commit finds is reported as damage, and logged once', async () => {
  const lines: string[] = [];
  const { database, path } = await opened(pino({ level: 'error' }, { write: (line) => void lines.push(line) }));
  onTestFinished(() => database.close());
  const other = new DatabaseSync(path);
  // Makes the server's connection read its first page from the file again.
  other.exec('CREATE TABLE another (id); PRAGMA wal_checkpoint(TRUNCATE)');
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(16, '!'), 0, 16, 0);
  closeSync(fd);
  await expect(database.transact(async () => undefined)).rejects.toThrow('file is not a database');
  expect(database.failure()).toBe(
    'the database is damaged (file is not a database): stop the server and restore a backup',
  );
  await expect(database.transact(async () => undefined)).rejects.toThrow('file is not a database');
  await expect(database.read.selectFrom('runs').selectAll().execute()).rejects.toThrow('file is not a database');
  expect(lines).toHaveLength(1);
});

test('a damaged list of free pages is reported as damage when it is found while freeing disk space', async () => {
  const { database, path } = await opened();
  await database.close();
  const connection = new DatabaseSync(path);
  connection.exec('CREATE TABLE filler AS SELECT randomblob(1000000) AS bytes; DROP TABLE filler');
  connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const pageSize = Number(connection.prepare('PRAGMA page_size').get()?.page_size);
  connection.close();
  const file = readFileSync(path);
  // Byte 32 holds the number of the list's first page. Byte 4 of that page holds how many pages it lists.
  file.writeUInt32BE(0xff_ff_ff_ff, (file.readUInt32BE(32) - 1) * pageSize + 4);
  writeFileSync(path, file);

  const log = createLogger({ level: 'silent', format: 'json' });
  const again = await openSqliteDatabase({ path, clock: systemClock, log, onCommit: () => undefined });
  onTestFinished(() => again.close());
  await expect(again.space.shrink(100)).rejects.toSatisfy(isStorageError);
  expect(again.failure()).toContain('the database is damaged');
});
