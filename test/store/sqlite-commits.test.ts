import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { NewEvent } from '../../src/domain/event.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { aRun } from './a-run.ts';
import { type Opened, openSqlite } from './engines.ts';

const created: NewEvent = {
  type: 'run.created',
  runId: 'run_1',
  jobId: 'backup/daily',
  tenant: 'default',
  data: { status: 'pending' },
};

describe('commits on SQLite', () => {
  let dir: string;
  let store: Opened;
  const log = createLogger({ level: 'silent', format: 'json' });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'flwd-commits-'));
    store = await openSqlite(dir, { log });
  });
  afterEach(async () => {
    await store.database.close();
    await rm(dir, { recursive: true });
  });

  test('changes that are made in one turn of the event loop share a commit, and are announced in the order of the calls', async () => {
    await Promise.all(
      ['run_a', 'run_b', 'run_c'].map((runId) => store.database.transact(async (tx) => tx.emit({ ...created, runId }))),
    );

    expect(store.commits.map((entries) => entries.map(({ id, runId }) => [id, runId]))).toEqual([
      [
        [1, 'run_a'],
        [2, 'run_b'],
        [3, 'run_c'],
      ],
    ]);
  });

  test('a commit that fails rejects all its changes, and the next commit succeeds', async () => {
    const outcomes = await Promise.allSettled([
      store.database.transact(async (tx) => tx.emit(created)),
      store.database.transact(async (tx) => {
        // The foreign key is checked only at COMMIT, long after this change has succeeded.
        await sql`PRAGMA defer_foreign_keys = ON`.execute(tx.db);
        await tx.db.insertInto('run_plans').values({ run_id: 'run_missing', plan: '{}' }).execute();
      }),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(store.commits).toEqual([]);
    await store.database.transact(async (tx) => tx.emit(created));
    expect(store.commits.flat()).toMatchObject([{ id: 1 }]);
  });

  test('a full database reports the error, keeps acknowledged changes, and recovers once there is room', async () => {
    const kept = aRun();
    await store.database.transact((tx) => store.runs.add(tx, kept));
    const { rows } = await sql<{ page_count: number }>`PRAGMA page_count`.execute(store.database.read);
    await limitPages(rows[0]?.page_count ?? 0);

    const large = aRun({ args: { text: 'x'.repeat(100_000) } });
    const outcomes = await Promise.allSettled([
      store.database.transact(async (tx) => tx.emit(created)),
      store.database.transact((tx) => store.runs.add(tx, large)),
    ]);

    const refused = { status: 'rejected', reason: { slug: 'not-ready', message: expect.stringContaining('is full') } };
    expect(outcomes).toMatchObject([refused, refused]);
    expect(store.database.failure()).toBe('the database cannot be written: database or disk is full');
    expect(await store.runs.get(large.id)).toBeUndefined();
    expect((await store.runs.get(kept.id))?.status).toBe('pending');

    await limitPages(1_000_000);
    expect(store.database.failure()).toBeNull();
    await store.database.transact((tx) => store.runs.add(tx, large));
    expect((await store.runs.get(large.id))?.args).toEqual(large.args);
  });

  test('a commit waits while another program writes, and blocks nothing else meanwhile', async () => {
    const warn = vi.spyOn(log, 'warn');
    const other = await lockElsewhere();
    let isStored = false;
    const storing = store.database
      .transact(async (tx) => tx.emit(created))
      .then(() => {
        isStored = true;
      });
    const held = expect.stringContaining(`(process ${other.pid}) keeps the database locked`);
    await expect.poll(() => warn.mock.calls).toContainEqual([held]);
    expect(await store.runs.get('run_1')).toBeUndefined();
    expect(isStored).toBe(false);
    await other.end();
    await storing;
    expect(store.database.failure()).toBeNull();
  });

  test('a database that another program keeps locked is reported, writes are refused at once, and the store recovers by itself', async () => {
    const other = await lockElsewhere();
    const refused = {
      slug: 'not-ready',
      message: 'The server cannot write its data: another program keeps the database locked.',
    };
    await expect(store.database.transact(async (tx) => tx.emit(created))).rejects.toMatchObject(refused);
    expect(store.database.failure()).toBe('the database cannot be written: another program keeps the database locked');
    const sinceMs = performance.now();
    await expect(store.database.transact(async (tx) => tx.emit(created))).rejects.toMatchObject(refused);
    expect(performance.now() - sinceMs).toBeLessThan(4_000);

    await other.end();
    await expect.poll(() => store.database.failure()).toBeNull();
  });

  /** Locks the database in another process, because SQLite knows the other connections of its own process. */
  async function lockElsewhere() {
    const path = join(dir, 'flwd.db');
    const code = `
      const { DatabaseSync } = require('node:sqlite');
      new DatabaseSync(${JSON.stringify(path)}).exec('BEGIN IMMEDIATE');
      console.log('locked');
      process.stdin.resume();`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    return {
      pid: child.pid,
      async end() {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  async function limitPages(pages: number): Promise<void> {
    await store.database.transact((tx) => sql.raw(`PRAGMA max_page_count = ${pages}`).execute(tx.db));
  }
});
