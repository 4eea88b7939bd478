// Says in the log when the disk has no room for a run, and when it has room again. A server with little to do would
// otherwise say it only when the next run is due.

import { lackOfRoom } from '../lib/files/disk-room.ts';
import type { Logger } from '../lib/logger.ts';

const everyMs = 5_000;

export function createDiskWatch({ runsDir, log }: { readonly runsDir: string; readonly log: Logger }) {
  let isFull = false;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const lack = lackOfRoom(runsDir);
    if (lack !== null && !isFull) log.warn({ error: lack }, 'no run can start, because the data dir has no room');
    if (lack === null && isFull) log.info('runs can start again, because the data dir has room');
    isFull = lack !== null;
  }

  return {
    start(): void {
      look();
      timer = setInterval(look, everyMs).unref();
    },
    close: () => clearInterval(timer),
  };
}
