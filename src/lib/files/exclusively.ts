// Lets one process at a time do something. The kernel's lock on a file decides, so a process that is killed leaves
// nothing behind that keeps others out.

import { DatabaseSync } from 'node:sqlite';

const busy = 5;

/** Waits for other processes that work with the same lock file. undefined: they took longer than `waitMs`. */
export async function exclusively<T>(file: string, waitMs: number, work: () => Promise<T>): Promise<T | undefined> {
  const lock = new DatabaseSync(file, { timeout: waitMs });
  try {
    try {
      lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    } catch (error) {
      if (error instanceof Error && 'errcode' in error && error.errcode === busy) return undefined;
      throw error;
    }
    return await work();
  } finally {
    lock.close();
  }
}
