// Making commits durable: which commits share a sync, and what happens when the disk refuses it.

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWalSync, type WalSync } from '../../src/store/sqlite/wal-sync.ts';

let dir: string;
let connection: DatabaseSync;
let wal: WalSync | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-wal-'));
  connection = new DatabaseSync(join(dir, 'db'));
  connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (x TEXT);');
});
afterEach(async () => {
  await wal?.close();
  connection.close();
  await rm(dir, { recursive: true });
});

/**
 * Stands in for the disk: each sync waits until the test releases it. A test cannot make a real disk slow or broken.
 */
function disk() {
  const syncs: { done: () => void; fail: (error: Error) => void }[] = [];
  const errors: unknown[] = [];
  wal = openWalSync(
    join(dir, 'db'),
    connection,
    (error) => errors.push(error),
    () => new Promise((resolve, reject) => syncs.push({ done: resolve, fail: reject })),
  );
  return { wal, syncs, errors };
}

test('a commit made during a sync is not covered by it, and shares the next sync with others', async () => {
  const { wal: opened, syncs } = disk();
  const told: string[] = [];
  const first = opened.sync().then(() => told.push('first'));
  const second = opened.sync().then(() => told.push('second'));
  const third = opened.sync().then(() => told.push('third'));
  expect(syncs).toHaveLength(1);
  syncs[0]?.done();
  await first;
  expect(told).toEqual(['first']);
  await expect.poll(() => syncs.length).toBe(2);
  syncs[1]?.done();
  await Promise.all([second, third]);
  expect(told).toEqual(['first', 'second', 'third']);
  expect(syncs).toHaveLength(2);
});

test('a commit that could not be synced is copied into the database file before it is acknowledged', async () => {
  const { wal: opened, syncs, errors } = disk();
  const before = (await stat(join(dir, 'db'))).size;
  connection.exec(`INSERT INTO t VALUES ('${'kept'.repeat(5_000)}')`);
  const durable = opened.sync();
  const error = new Error('EIO');
  syncs[0]?.fail(error);
  await durable;
  expect(errors).toEqual([error]);
  expect((await stat(join(dir, 'db'))).size).toBeGreaterThan(before);
  expect(await readFile(join(dir, 'db'), 'latin1')).toContain('keptkept');
});

test('a database can be closed although the disk refuses to sync it, but the commit is not acknowledged', async () => {
  const { wal: opened, syncs, errors } = disk();
  let isDurable = false;
  void opened.sync().then(() => {
    isDurable = true;
  });
  // Without this connection, no checkpoint can succeed either.
  connection.close();
  syncs[0]?.fail(new Error('EIO'));
  await opened.close();
  expect(errors.length).toBeGreaterThan(1);
  expect(isDurable).toBe(false);
  wal = undefined;
  connection = new DatabaseSync(join(dir, 'db'));
});
