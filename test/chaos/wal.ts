// What a power cut leaves of SQLite's write-ahead log (https://sqlite.org/walformat.html): the frames that had been synced,
// by the server or by a checkpoint of SQLite's own, and nothing behind them.

import { closeSync, openSync, readSync, truncateSync } from 'node:fs';

/** How far a WAL has come: its frames up to `frames`, in the life of the file that `salt` names. */
export type WalPosition = { readonly salt: string; readonly frames: number };

const indexBytes = 136;
const walHeaderBytes = 32;
const frameHeaderBytes = 24;

/** The committed frames, as the wal-index says. `fd` is its file, `-shm`, which SQLite keeps mapped. */
export function committedFrames(fd: number): WalPosition {
  const index = Buffer.alloc(indexBytes);
  readSync(fd, index, 0, indexBytes, 0);
  return { salt: index.toString('hex', 32, 40), frames: index.readUInt32LE(16) };
}

/** Takes from the WAL of a database that nobody has open what was not synced. @returns how many frames that were */
export function cutWal(dbPath: string, synced: WalPosition | undefined): number {
  const header = readStart(`${dbPath}-wal`, walHeaderBytes);
  const index = readStart(`${dbPath}-shm`, indexBytes);
  if (header.length < walHeaderBytes || index.length < indexBytes) return 0;
  const salt = header.toString('hex', 16, 24);
  const frameBytes = frameHeaderBytes + header.readUInt32BE(8);
  // A checkpoint syncs the WAL before it copies a page, so what it has begun to copy is safe. It says so before it begins.
  const copied = index.readUInt32LE(128);
  const written = index.toString('hex', 32, 40) === salt ? index.readUInt32LE(16) : 0;
  const kept = Math.max(copied, synced?.salt === salt ? synced.frames : 0);
  truncateSync(`${dbPath}-wal`, walHeaderBytes + kept * frameBytes);
  return Math.max(0, written - kept);
}

function readStart(path: string, length: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const start = Buffer.alloc(length);
    return start.subarray(0, readSync(fd, start, 0, length, 0));
  } finally {
    closeSync(fd);
  }
}
