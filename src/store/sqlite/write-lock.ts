// Begins the transactions of the writer. Another program may hold SQLite's write lock. SQLite itself would then block
// this thread, and no request would be answered.

import { readFileSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';
import { isLocked } from './sqlite-files.ts';

const firstPauseMs = 1;
const longestPauseMs = 100;
const noticeMs = 1_000;

/**
 * Returns a function that begins a transaction. If another program is writing, it waits for up to `mostMs`.
 * @throws SQLite's error if the other program is still writing after that time
 */
export function createBegin(o: {
  readonly path: string;
  readonly connection: DatabaseSync;
  readonly log: Logger;
}): (mostMs: number) => Promise<void> {
  o.connection.exec('PRAGMA busy_timeout = 0');
  const begin = o.connection.prepare('BEGIN IMMEDIATE');
  return async (mostMs) => {
    const sinceMs = performance.now();
    let isNoticed = false;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        begin.run();
        return;
      } catch (error) {
        const waitedMs = performance.now() - sinceMs;
        if (!isLocked(error) || waitedMs >= mostMs) throw error;
        if (waitedMs > noticeMs && !isNoticed) {
          isNoticed = true;
          o.log.warn(`${holderOf(o.path)} keeps the database locked: nothing can be stored until it ends`);
        }
      }
      await delay(pauseMs);
    }
  };
}

/** The byte of the -shm file that SQLite locks to write: https://sqlite.org/walformat.html#wal_locks */
const writeLockByte = 120;

function holderOf(path: string): string {
  try {
    const { ino } = statSync(`${path}-shm`);
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      const [, , , , pid = '', file = '', first, last] = line.split(/\s+/);
      const isHeld = Number(first) <= writeLockByte && writeLockByte <= Number(last);
      if (!isHeld || Number(file.split(':')[2]) !== ino) continue;
      return `the program ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (process ${pid})`;
    }
  } catch {
    // The other program has just ended, or /proc does not show its lock.
  }
  return 'another program';
}
