// Loaded into the server before it (node --import): keeps in CHAOS_SYNCS how much of the WAL has been synced, and in
// CHAOS_SYNCED_FILES how much of which other file. What was there when a sync began is safe when it has ended; what came
// meanwhile is not.

import fs, { fstatSync, openSync, readlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { committedFrames } from '../wal.ts';

/** One write of one length: a kill leaves the old record or the new one. */
const record = openSync(process.env.CHAOS_SYNCS ?? '', 'r+');
const recordBytes = 80;
const files = openSync(process.env.CHAOS_SYNCED_FILES ?? '', 'a');
const syncFile = fs.fdatasync;
/** Never closed: that would end the locks that SQLite has on the file in this process. */
let index: number | undefined;

/** @returns what notes that a sync which begins now has succeeded */
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
