// A log store in its own folder. A test can close and open it again as servers do. The folder is removed after the
// test.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LogLine } from '../../src/domain/log-line.ts';
import type { Database } from '../../src/store/database.ts';
import type { LogStore, LogWriter } from '../../src/store/log/logs.ts';
import { linesOf, openLogStore, runId, textOf } from './a-log.ts';
import { type Engine, nowMs } from './engines.ts';

export type LogFixture = {
  /** The folder of the log's files. */
  readonly shard: string;
  readonly clock: { atMs: number };
  readonly store: () => LogStore;
  readonly database: () => Database;
  readonly openWriter: (maxSizeBytes?: number) => Promise<LogWriter>;
  /** Stops the server without closing any log, and starts another one. */
  readonly restart: () => Promise<void>;
  readonly files: () => string[];
  readonly storedBytes: () => number;
  readonly readAll: () => Promise<LogLine[]>;
  readonly messages: () => Promise<string[]>;
  /** The printed messages, each with a newline. */
  readonly text: () => Promise<string>;
};

export async function openLogFixture(engine: Engine, dir = makeDir(), retryForMs = 0): Promise<LogFixture> {
  const shard = join(dir, 'logs', 'ZZ');
  const clock = { atMs: nowMs };
  let current = await openLogStore(engine, dir, { now: () => clock.atMs }, retryForMs);
  onTestFinished(async () => {
    await current.close();
    rmSync(dir, { recursive: true });
  });

  async function readAll(): Promise<LogLine[]> {
    return linesOf(current.store, runId);
  }

  return {
    shard,
    clock,
    store: () => current.store,
    database: () => current.database,
    openWriter: (maxSizeBytes = 2 ** 30) => current.store.openWriter({ runId, epoch: 1, maxSizeBytes }),
    async restart() {
      await current.close();
      current = await openLogStore(engine, dir, { now: () => clock.atMs }, retryForMs);
    },
    files: () => (existsSync(shard) ? readdirSync(shard).toSorted() : []),
    storedBytes: () => readdirSync(shard).reduce((sum, name) => sum + statSync(join(shard, name)).size, 0),
    readAll,
    messages: async () => (await readAll()).map(({ message }) => message),
    text: async () => textOf(await readAll()),
  };
}

export function makeDir(): string {
  return mkdtempSync(join(tmpdir(), 'flwd-logs-'));
}
