// Makes commits durable apart from the event loop. SQLite itself would hold the loop for each fsync, 0.4 ms on one disk and
// 10 ms on the next; so it commits without one, and whoever waits for a commit waits for this (ADR 0002).

import { close, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export type WalSync = {
  /** Resolves when everything committed before the call is on the disk. Calls while a sync runs share the next one. */
  readonly sync: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const syncFile = promisify(fdatasync);
const retryMs = 1_000;

/**
 * The file is there, since the connection is. It never rejects: it tells `onError`, and tries until it succeeds, since
 * what is committed cannot be taken back.
 */
export function openWalSync(
  path: string,
  connection: DatabaseSync,
  onError: (error: unknown) => void,
  syncWal: (fd: number) => Promise<void> = syncFile,
): WalSync {
  const fd = openSync(`${path}-wal`, 'r');
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function start(): Promise<void> {
    next = undefined;
    running = untilDurable().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function untilDurable(): Promise<void> {
    try {
      await syncWal(fd);
    } catch (error) {
      onError(error);
      await untilCheckpointed();
    }
  }

  /** The kernel forgets pages that it failed to write, so syncing them again proves nothing: they go to the database. */
  async function untilCheckpointed(): Promise<void> {
    for (;;) {
      await delay(retryMs);
      try {
        if (connection.prepare('PRAGMA wal_checkpoint(FULL)').get()?.busy === 0) return;
      } catch (error) {
        onError(error);
      }
    }
  }

  return {
    sync() {
      if (!running) return start();
      next ??= running.then(start);
      return next;
    },
    async close() {
      await (next ?? running);
      await promisify(close)(fd);
    },
  };
}
