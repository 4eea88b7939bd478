import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { StartError } from '../../src/lib/start-error.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { aRun } from './a-run.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flwd-open-'));
});
afterEach(() => rm(dir, { recursive: true }));

function open(): Promise<Store> {
  return openStore({
    dbPath: join(dir, 'data/db/flwd.db'),
    blobsDir: join(dir, 'data/blobs'),
    clock: systemClock,
    log: createLogger({ level: 'silent', format: 'json' }),
    onCommit: () => undefined,
  });
}

test('a store creates private folders, and keeps its content across a restart', async () => {
  const run = aRun();
  const first = await open();
  await first.db.transact((tx) => first.runs.add(tx, run));
  const writer = await first.logs.openWriter({ runId: run.id, epoch: 0, maxSizeBytes: 1_000_000 });
  writer.append({ attempt: 1, stepId: 'step_01', bytes: Buffer.from('hello\n'), spoolEnd: 6 });
  await writer.close();
  await first.close();
  for (const made of ['data', 'data/db', 'data/blobs']) {
    expect((await stat(join(dir, made))).mode & 0o777).toBe(0o700);
  }

  const second = await open();
  expect(await second.runs.get(run.id)).toMatchObject({ status: 'pending' });
  expect((await second.logs.page(run.id, { limit: 10 })).lines).toMatchObject([{ seq: 1, message: 'hello' }]);
  await second.close();
});

test('when another program has locked the database, the error says so and what to do', async () => {
  await (await open()).close();
  const path = join(dir, 'data/db/flwd.db');
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const error = await open().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  other.close();
  expect(error).toBeInstanceOf(StartError);
  expect(error).toHaveProperty(
    'message',
    `the database ${path} is locked by another program, such as sqlite3 or a backup; end that program, or wait until it is done, and try again`,
  );
});
