// Watches the disk of the runs and the folders of the data dir. Logs when a problem with the disk or a folder keeps all
// runs from starting, and when runs can start again. Without this watch, a server with little to do would log the
// problem only when the next run is due. Also remembers when the disk had no room for the output of scripts.

import { freeBytesOf, lackOfRoom } from '../lib/files/disk-room.ts';
import { unusableFolder } from '../lib/files/unusable-folder.ts';
import type { Logger } from '../lib/logger.ts';

const everyMs = 1_000;
/** With less free space than this, a script cannot print a page of output. */
const leastBytes = 64 * 1024;
/**
 * With less free space than this, a line in the log of a run could take the room that the run needs to end. A log may
 * grow by more than 1 MiB at a time.
 */
const roomyBytes = 4 * 2 ** 20;

export type DiskWatch = ReturnType<typeof createDiskWatch>;

/** Where a server keeps its files. */
type Folders = {
  readonly runsDir: string;
  /** All folders that the server needs to run jobs. */
  readonly ownFolders: readonly string[];
};

/** Looks at the disk and the folders, and says why no run can start; null when runs can start. */
export function whyNoRunStarts({ runsDir, ownFolders }: Folders): string | null {
  return unusableFolder(ownFolders) ?? lackOfRoom(runsDir);
}

export function createDiskWatch(o: Folders & { readonly log: Logger }) {
  const { runsDir, ownFolders, log } = o;
  let isFull = false;
  let unusable: string | null = null;
  let exhaustedAtMs = Number.NEGATIVE_INFINITY;

  function look(): void {
    if ((freeBytesOf(runsDir) ?? leastBytes) < leastBytes) exhaustedAtMs = performance.now();
    const lack = lackOfRoom(runsDir);
    if (lack !== null && !isFull) log.warn({ error: lack }, 'no run can start, because the data dir has no room');
    if (lack === null && isFull) log.info('runs can start again, because the data dir has room');
    isFull = lack !== null;
    lookAtFolders();
  }

  function lookAtFolders(): void {
    const found = unusableFolder(ownFolders);
    if (found === unusable) return;
    if (found !== null)
      log.error({ error: found }, 'no run can start, because a folder of the data dir cannot be used');
    else log.info('runs can start again, because the folders of the data dir can be used');
    unusable = found;
  }

  look();
  const timer = setInterval(look, everyMs).unref();
  return {
    close: () => clearInterval(timer),
    /**
     * Says why no run can start; null if runs can. The folders were checked at most a second ago, so that a request
     * costs few system calls.
     */
    whyNoRunStarts: (): string | null => unusable ?? lackOfRoom(runsDir),
    /**
     * Whether output of scripts may have been lost since `atMs`, a time of `performance.now`. Also returns false while
     * the disk has no room for a log line about the loss.
     */
    wasExhaustedSince(atMs: number): boolean {
      look();
      return exhaustedAtMs >= atMs && (freeBytesOf(runsDir) ?? roomyBytes) >= roomyBytes;
    },
  };
}
