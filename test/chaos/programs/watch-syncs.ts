// Preloaded into the server (node --import). Records in CHAOS_SYNCS how much of the WAL was synced, and in
// CHAOS_SYNCED_FILES how much of each other file. After a sync, bytes from before its start are safe. Bytes written
// during the sync are not.

import fs, { fstatSync, openSync, readlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { committedFrames } from '../wal.ts';

/** A single write of fixed length, so that a kill leaves either the old record or the new one. */
const record = openSync(process.env.CHAOS_SYNCS ?? '', 'r+');
const recordBytes = 80;
const files = openSync(process.env.CHAOS_SYNCED_FILES ?? '', 'a');
const syncFile = fs.fdatasync;
/** Never closed, because closing it would release SQLite's locks on the file in this process. */
let index: number | undefined;

/** @returns a function to call when a sync that begins now has succeeded */
function begin(fd: number): () => void {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  if (!path.endsWith('-wal')) {
    const { ino, size } = fstatSync(fd);
    return () => writeSync(files, `${ino} ${size}\n`);
  }
  index ??= openSync(path.replace(/-wal$/, '-shm'), 'r');
  const position = committedFrames(index);
  return () => writeSync(record, JSON.stringify(position).padEnd(recordBytes), 0);
}

fs.fdatasync = ((fd: number, callback: (error: NodeJS.ErrnoException | null) => void) => {
  const note = begin(fd);
  syncFile(fd, (error) => {
    if (!error) note();
    callback(error);
  });
}) as typeof fs.fdatasync;

const handle = await open('/dev/null');
const prototype: FileHandle = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['sync', 'datasync'] as const) {
  const syncHandle = prototype[name];
  prototype[name] = async function (this: FileHandle) {
    const note = begin(this.fd);
    await syncHandle.call(this);
    note();
  };
}
syncBuiltinESMExports();
