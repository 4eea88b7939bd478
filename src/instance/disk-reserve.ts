// A file that reserves some room on the disk. Opening a database takes room, even for a command that only reads, or
// that deletes what fills the disk. A command that deletes first frees the whole reserve. A part of the reserve is
// freed for a command that reads, and for a run that cannot end for lack of room.

import { open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { freeBytesOf, lackOfRoom } from '../lib/files/disk-room.ts';

const reserveBytes = 4 * 2 ** 20;
/** This part of the reserve is kept for a command that deletes. */
const keptBytes = 2 * 2 ** 20;
const lentBytes = 512 * 1024;
const pieceBytes = 256 * 1024;
/** With less free room than this, room is lent. It is several MiB, because a log takes more than 1 MiB at a time. */
const scarceBytes = 8 * 2 ** 20;

/** Creates the reserve. Does nothing on a full disk. A later start then creates the reserve. */
export async function keepReserve(dataDir: string): Promise<void> {
  const path = pathIn(dataDir);
  const hasBytes = await sizeOf(path);
  if (hasBytes >= reserveBytes) return;
  try {
    await extend(path, reserveBytes - hasBytes);
  } catch {
    if (hasBytes > 0) await truncate(path, hasBytes).catch(() => undefined);
    else await rm(path, { force: true });
  }
}

/**
 * Extends the file by writing a small piece many times. Allocating all bytes at once would make V8 collect the whole
 * heap.
 */
async function extend(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    const piece = Buffer.alloc(pieceBytes);
    for (let left = bytes; left > 0; left -= pieceBytes) await file.appendFile(piece.subarray(0, left));
  } finally {
    await file.close();
  }
}

/** Frees the whole reserve. @returns a function that creates the reserve again */
export async function giveUpReserve(dataDir: string): Promise<() => Promise<void>> {
  await rm(pathIn(dataDir), { force: true });
  return () => keepReserve(dataDir);
}

/**
 * On a full disk, frees enough room to open the database. @returns a function that reserves the room again if it is
 * still free; null when nothing was freed
 */
export async function lendRoom(dataDir: string): Promise<(() => Promise<void>) | null> {
  if (lackOfRoom(dataDir) === null || !(await lendPart(dataDir))) return null;
  return () => keepReserve(dataDir);
}

/** Frees a part of the reserve. Returns false if less than `kept` bytes would be left. */
async function lendPart(dataDir: string, kept = keptBytes): Promise<boolean> {
  const hasBytes = await sizeOf(pathIn(dataDir));
  if (hasBytes - lentBytes < kept) return false;
  await truncate(pathIn(dataDir), hasBytes - lentBytes);
  return true;
}

export type RoomLender = ReturnType<typeof createRoomLender>;

/**
 * Lends room to runs that cannot end without it. With `forRemoval`, lends room to work that deletes what fills the
 * disk. This work may use the whole reserve, the runs only a part of it.
 */
export function createRoomLender(dataDir: string, { forRemoval = false } = {}) {
  const kept = forRemoval ? 0 : keptBytes;
  let hasLent = false;
  const isScarce = (): boolean => (freeBytesOf(dataDir) ?? Infinity) < scarceBytes;
  return {
    /** Returns whether it has freed a part of the reserve. */
    async lend(): Promise<boolean> {
      const isLent = isScarce() && (await lendPart(dataDir, kept));
      hasLent ||= isLent;
      return isLent;
    },
    /** Creates the reserve again, unless there is little room. */
    async takeBack(): Promise<void> {
      if (!hasLent || isScarce()) return;
      hasLent = false;
      await keepReserve(dataDir);
    },
  };
}

/** Lends room for work on a database that another process may have open. */
export async function withLentRoom<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  const giveBack = await lendRoom(dataDir);
  try {
    return await work();
  } finally {
    await giveBack?.();
  }
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.size ?? 0;
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'reserve');
}
