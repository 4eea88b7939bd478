// Gives the disk blocks of what is read back to the file system while the job goes on writing behind it.

import { execFile } from 'node:child_process';

const batchBytes = 64 * 1024 * 1024;
const blockBytes = 4096;

/**
 * Returns a function that frees the blocks below an offset, once there are 64 MiB of them. It does so in the background,
 * and not at all where the file system or util-linux cannot: the spool then keeps its size until the run is over.
 */
export function createPuncher(path: string): (endOffset: number) => void {
  let freedBytes = 0;
  let isBusy = false;
  return (endOffset) => {
    const length = Math.floor((endOffset - freedBytes) / blockBytes) * blockBytes;
    if (isBusy || length < batchBytes) return;
    isBusy = true;
    const range = ['--offset', String(freedBytes), '--length', String(length)];
    execFile('fallocate', ['--punch-hole', '--keep-size', ...range, path], (error) => {
      freedBytes += length;
      // Once it has failed it would fail again.
      isBusy = error !== null;
    });
  };
}
