// Loaded into the server before it (node --import): keeps in the file CHAOS_SYNCS how much of the WAL has been synced.
// What was committed when a sync began is safe when it has ended; what came meanwhile is not.

import fs, { openSync, readlinkSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { committedFrames } from '../wal.ts';

/** One write of one length: a kill leaves the old record or the new one. */
const record = openSync(process.env.CHAOS_SYNCS ?? '', 'r+');
const recordBytes = 80;
const syncFile = fs.fdatasync;
/** Never closed: that would end the locks that SQLite has on the file in this process. */
let index: number | undefined;

fs.fdatasync = ((fd: number, callback: (error: NodeJS.ErrnoException | null) => void) => {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  if (!path.endsWith('-wal')) return syncFile(fd, callback);
  index ??= openSync(path.replace(/-wal$/, '-shm'), 'r');
  const position = committedFrames(index);
  syncFile(fd, (error) => {
    if (!error) writeSync(record, JSON.stringify(position).padEnd(recordBytes), 0);
    callback(error);
  });
}) as typeof fs.fdatasync;
syncBuiltinESMExports();
