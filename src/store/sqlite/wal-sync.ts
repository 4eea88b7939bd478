// Makes commits durable without blocking the event loop. SQLite itself would block it during each fsync, for 0.4 ms on
// one disk and 10 ms on another. So SQLite commits without fsync, and this module syncs the WAL in a thread (ADR 0002).

import { close, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export type WalSync = {
  /** Resolves once everything that was committed before the call is on disk. Calls during a sync share the next one. */
  readonly sync: () => Promise<void>;
  /** Finishes the syncs under way. Those that the disk refuses never resolve. */
  readonly close: () => Promise<void>;
};

const syncFile = promisify(fdatasync);
const retryMs = 1_000;
const never = new Promise<never>(() => undefined);

/**
 * A sync never rejects, because a commit cannot be taken back: it reports errors to `onError` and retries until it
 * succeeds or the database is closed. The WAL exists, because the connection is open.
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
  const closing = new AbortController();
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<void>();

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
      if (await isCheckpointed()) return;
      giveUp();
      await never;
    }
  }

  /**
   * The kernel forgets pages that it failed to write, so a second sync proves nothing. A checkpoint writes them again.
   * @returns false when the database is closed first
   */
  async function isCheckpointed(): Promise<boolean> {
    for (;;) {
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => undefined);
      try {
        if (connection.prepare('PRAGMA wal_checkpoint(FULL)').get()?.busy === 0) return true;
      } catch (error) {
        onError(error);
      }
      if (closing.signal.aborted) return false;
    }
  }

  return {
    sync() {
      if (!running) return start();
      next ??= running.then(start);
      return next;
    },
    async close() {
      closing.abort();
      await Promise.race([next ?? running, givenUp]);
      await promisify(close)(fd);
    },
  };
}
