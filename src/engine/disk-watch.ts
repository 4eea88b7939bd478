// Watches the disk of the runs. Says in the log when it has no room for a run, and when it has room again. A server
// with little to do would otherwise say it only when the next run is due. Remembers when scripts could print no more.

import { freeBytesOf, lackOfRoom } from '../lib/files/disk-room.ts';
import type { Logger } from '../lib/logger.ts';

const everyMs = 1_000;
/** With less, a script cannot print a page of output. */
const leastBytes = 64 * 1024;
/** With less, a line in the log of a run could keep the run from ending: a log takes more than 1 MiB at a time. */
const roomyBytes = 4 * 2 ** 20;

export type DiskWatch = ReturnType<typeof createDiskWatch>;

export function createDiskWatch({ runsDir, log }: { readonly runsDir: string; readonly log: Logger }) {
  let isFull = false;
  let exhaustedAtMs = Number.NEGATIVE_INFINITY;

  function look(): void {
    if ((freeBytesOf(runsDir) ?? leastBytes) < leastBytes) exhaustedAtMs = performance.now();
    const lack = lackOfRoom(runsDir);
    if (lack !== null && !isFull) log.warn({ error: lack }, 'no run can start, because the data dir has no room');
    if (lack === null && isFull) log.info('runs can start again, because the data dir has room');
    isFull = lack !== null;
  }

  look();
  const timer = setInterval(look, everyMs).unref();
  return {
    close: () => clearInterval(timer),
    /**
     * Whether output of scripts may have been lost since `atMs`, a time of `performance.now`. False while there is no
     * room to say so in a log.
     */
    wasExhaustedSince(atMs: number): boolean {
      look();
      return exhaustedAtMs >= atMs && (freeBytesOf(runsDir) ?? roomyBytes) >= roomyBytes;
    },
  };
}
