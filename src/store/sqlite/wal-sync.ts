// Makes commits durable without blocking the event loop. SQLite itself would block it during each fsync, which takes
// 0.4 ms on one disk and 10 ms on another. So SQLite commits without fsync, and a thread syncs the WAL (ADR 0002).

import { close, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export type WalSync = {
  /**
   * Resolves once everything that was committed before the call is on disk. All calls during a sync share the next
   * sync.
   */
  readonly sync: () => Promise<void>;
  /** Finishes the syncs in progress. A sync that the disk refuses never resolves. */
  readonly close: () => Promise<void>;
};

const syncFile = promisify(fdatasync);
const retryMs = 1_000;
const never = new Promise<never>(() => undefined);

/**
 * A sync never rejects, because a commit cannot be undone. It reports errors to `onError` and tries again until it
 * succeeds or the database is closed. The WAL must exist, which it does while the connection is open.
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
   * The kernel forgets pages that it could not write, so a second sync would prove nothing. A checkpoint writes the
   * pages again.
   * @returns false if the database is closed before that succeeds
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
