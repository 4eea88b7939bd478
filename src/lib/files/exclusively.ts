// Lets only one process at a time do something. The kernel's lock on a file decides. A process that is killed loses the
// lock, so it does not keep other processes out. The file is removed at the end.

import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asOwner, type Owner } from './as-owner.ts';

const busy = 5;

/**
 * The files that this process has locked. They must not be opened again: if a process closes any descriptor of a file,
 * the kernel releases all locks that the process has on it (fcntl_locking(2)).
 */
const lockedHere = new Set<string>();

/**
 * Waits for other processes that use the same lock file. Returns undefined if they took longer than `waitMs`,
 * and at once if this process has the lock already.
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
  const path = resolve(file);
  if (lockedHere.has(path)) return undefined;
  for (;;) {
    const locked = openLocked(path, waitMs);
    if (!locked) return undefined;
    if (locked.isCurrent) {
      lockedHere.add(path);
      return () => {
        rmSync(path, { force: true });
        locked.release();
        lockedHere.delete(path);
      };
    }
    locked.release();
  }
}

function openLocked(file: string, waitMs: number): { isCurrent: boolean; release: () => void } | undefined {
  // While it is open, no other file gets the number of this file. Closing it also releases the lock.
  const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  let held: (() => void) | undefined;
  try {
    held = lockDatabase(file, waitMs);
  } finally {
    if (!held) closeSync(descriptor);
  }
  if (!held) return undefined;
  const close = held;
  return {
    // The process that had the lock before may have removed the file, and another process may have created a new one.
    isCurrent: statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino,
    release: () => {
      close();
      closeSync(descriptor);
    },
  };
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
