// Every way in which damage of the database is found is told to whoever watches its health.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { kyselyOver } from '../../src/store/sqlite/sqlite.ts';
import { openSqlite } from './engines.ts';

async function opened() {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-damage-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const { database } = await openSqlite(dir);
  return { database, path: join(dir, 'flwd.db') };
}

test('a schema that cannot be read is told', async () => {
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

test('a commit that finds the file damaged is told as damage', async () => {
  const { database, path } = await opened();
  onTestFinished(() => database.close());
  const other = new DatabaseSync(path);
  // The server's connection reads its first page again, from the file.
  other.exec('CREATE TABLE another (id); PRAGMA wal_checkpoint(TRUNCATE)');
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(16, '!'), 0, 16, 0);
  closeSync(fd);
  await expect(database.transact(async () => undefined)).rejects.toThrow('file is not a database');
  expect(database.failure()).toBe(
    'the database is damaged (file is not a database): stop the server and restore a backup',
  );
});
