// Lets only one process at a time do something. The kernel's lock on a file decides. A process that is killed loses the
// lock, so it does not keep other processes out. The file is removed at the end.

import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { asOwner, type Owner } from './as-owner.ts';

const busy = 5;

/**
 * Waits for other processes that use the same lock file. Returns undefined if they took longer than `waitMs`.
 * @param o.owner the owner of the folder, if it is another user
 */
export async function exclusively<T>(
  file: string,
  o: { readonly waitMs: number; readonly owner?: Owner | undefined },
  work: () => Promise<T>,
): Promise<T | undefined> {
  const release = asOwner(o.owner, () => lock(file, o.waitMs));
  try {
    return await (release && work());
  } finally {
    asOwner(o.owner, () => release?.());
  }
}

/** Returns a function that removes the file and releases the lock. */
function lock(file: string, waitMs: number): (() => void) | undefined {
  for (;;) {
    // While it is open, no other file gets the number of this file. Closing it also releases the lock.
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const held = lockDatabase(file, waitMs);
    const release = (): void => {
      held?.();
      closeSync(descriptor);
    };
    // The process that had the lock before may have removed the file, and another process may have created a new one.
    const isCurrent = statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
    if (held && isCurrent)
      return () => {
        rmSync(file, { force: true });
        release();
      };
    release();
    if (!held) return undefined;
  }
}

function lockDatabase(file: string, waitMs: number): (() => void) | undefined {
  const database = new DatabaseSync(file, { timeout: waitMs });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) return undefined;
    throw error;
  }
  return () => database.close();
}
