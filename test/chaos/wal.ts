// Cuts SQLite's write-ahead log as a power cut would (https://sqlite.org/walformat.html): keeps only the frames that
// the server or a checkpoint of SQLite has synced.

import { closeSync, openSync, readSync, truncateSync } from 'node:fs';

/** A position in a WAL: the first `frames` frames, in the generation of the file that `salt` identifies. */
export type WalPosition = { readonly salt: string; readonly frames: number };

const indexBytes = 136;
const walHeaderBytes = 32;
const frameHeaderBytes = 24;

/** The committed frames according to the wal-index. `fd` is its file, `-shm`, which SQLite keeps mapped. */
export function committedFrames(fd: number): WalPosition {
  const index = Buffer.alloc(indexBytes);
  readSync(fd, index, 0, indexBytes, 0);
  return { salt: index.toString('hex', 32, 40), frames: index.readUInt32LE(16) };
}

/** Removes the unsynced frames from the WAL of a database that nobody has open. @returns how many */
export function cutWal(dbPath: string, synced: WalPosition | undefined): number {
  const header = readStart(`${dbPath}-wal`, walHeaderBytes);
  const index = readStart(`${dbPath}-shm`, indexBytes);
  if (header.length < walHeaderBytes || index.length < indexBytes) return 0;
  const salt = header.toString('hex', 16, 24);
  const frameBytes = frameHeaderBytes + header.readUInt32BE(8);
  // A checkpoint syncs the WAL before it copies pages. Before it begins, it records the frames, so all of these are
  // safe.
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
