// What makes commits durable: who shares a sync, and what happens when the disk does not take it.

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

/** The disk, as far as syncing goes: each sync waits to be let go. It cannot be had slow or broken otherwise. */
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

test('a commit made while a sync runs is not covered by it, and shares the next one with others', async () => {
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

test('what the disk did not take is written to the database file before anyone is told', async () => {
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
