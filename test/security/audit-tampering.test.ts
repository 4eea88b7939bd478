// Triggers stop an attacker who can write to the database file. If the attacker removes them, the hash chain reveals
// it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAuditFile } from '../../src/store/sqlite/offline.ts';
import { anEntry } from '../store/an-entry.ts';
import { openSqlite } from '../store/engines.ts';

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-tampering-'));
  path = join(dir, 'flwd.db');
  const { database, audit } = await openSqlite(dir);
  for (const actor of ['a', 'b', 'c', 'd', 'e']) await audit.record(anEntry({ actor }));
  await database.close();
});
afterEach(() => rm(dir, { recursive: true }));

function sql(text: string): void {
  const file = new DatabaseSync(path);
  try {
    file.exec(text);
  } finally {
    file.close();
  }
}

const dropTriggers = 'DROP TRIGGER audit_keeps; DROP TRIGGER audit_grows; DROP TRIGGER audit_expires;';
const columns =
  'id, at, actor, tenant, action, result, object_kind, object_id, origin, request_id, reason, detail, hash';

describe('the audit table accepts new rows and rejects all changes', () => {
  test.each([
    ['a change', "UPDATE audit SET actor = 'x' WHERE id = 2"],
    ['a change of all', 'UPDATE audit SET at = 0'],
    ['a change that replaces another', 'UPDATE OR REPLACE audit SET id = 1 WHERE id = 2'],
    ['a removal', 'DELETE FROM audit WHERE id = 2'],
    ['a removal of the oldest', 'DELETE FROM audit WHERE id = 1'],
    ['a removal of all', 'DELETE FROM audit'],
    ['a replacement', `REPLACE INTO audit SELECT 2, ${columns.slice(4)} FROM audit WHERE id = 3`],
    ['an upsert', `INSERT INTO audit SELECT * FROM audit WHERE id = 5 ON CONFLICT (id) DO UPDATE SET actor = 'x'`],
    [
      'a row in between, where one is missing',
      `INSERT INTO audit SELECT 0, ${columns.slice(4)} FROM audit WHERE id = 3`,
    ],
  ])('%s is refused', (_what, text) => {
    expect(() => sql(text)).toThrow('the audit log is append-only');
  });
});

describe('changes made after the triggers have been removed are detected', () => {
  const verify = async () => {
    const audit = openAuditFile(path);
    try {
      return await audit.verify();
    } finally {
      audit.close();
    }
  };

  test('in an unchanged table, every row can be verified', async () => {
    sql(dropTriggers);
    expect(await verify()).toMatchObject({ rows: 5, first: { id: 1 }, last: { id: 5 }, broken: null });
  });

  const misfit = 'its hash does not match its content and the entry before it';
  test.each([
    ['another actor', "UPDATE audit SET actor = 'x' WHERE id = 3", 3, misfit],
    ['another instant', 'UPDATE audit SET at = at - 1 WHERE id = 3', 3, misfit],
    ['another result', "UPDATE audit SET result = 'refused' WHERE id = 3", 3, misfit],
    ['another address', "UPDATE audit SET origin = '10.0.0.1' WHERE id = 3", 3, misfit],
    ['a detail that was not there', "UPDATE audit SET detail = '{}' WHERE id = 3", 3, misfit],
    ['a row removed', 'DELETE FROM audit WHERE id = 3', 3, 'it is missing'],
    [
      'a row removed and the rest moved up',
      'DELETE FROM audit WHERE id = 3; UPDATE audit SET id = id - 1 WHERE id > 3',
      3,
      misfit,
    ],
    [
      'two rows exchanged',
      'UPDATE audit SET id = 9 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 9',
      3,
      misfit,
    ],
    ['a row added', `INSERT INTO audit SELECT 6, ${columns.slice(4)} FROM audit WHERE id = 5`, 6, misfit],
    ['the newest removed', 'DELETE FROM audit WHERE id = 5', 5, 'it was the last one, and is missing'],
    [
      'the oldest removed',
      'DELETE FROM audit WHERE id < 3',
      3,
      'the entries before it are missing, and retention did not remove them',
    ],
    ['all removed', 'DELETE FROM audit', 1, 'all entries are missing'],
  ])('%s', async (_what, text, id, why) => {
    sql(dropTriggers + text);
    expect((await verify()).broken).toEqual({ id, why });
  });

  test('rows that somebody removed are missed even after retention has removed others', async () => {
    const { database, audit } = await openSqlite(dir);
    await audit.removeBefore(Number.MAX_SAFE_INTEGER, 2);
    await database.close();
    expect(await verify()).toMatchObject({ removedThrough: 2, broken: null });

    sql(`${dropTriggers} DELETE FROM audit WHERE id = 3`);
    expect((await verify()).broken).toEqual({
      id: 4,
      why: 'the entries before it are missing, and retention did not remove them',
    });
  });
});
