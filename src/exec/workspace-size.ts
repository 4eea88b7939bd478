// Watches how large a workspace grows. No file system has to help, so it is found after the fact, and the overshoot is stated
// (ADR 0010). A walk in twenty times its own time: a large workspace is looked at less often.

import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../lib/error-code.ts';
import { isShortage } from '../lib/shortage.ts';

const leastPauseMs = 250;
const mostPauseMs = 60_000;
/** Of the time that is not spent walking, for each part that is: a walk takes a twentieth. */
const pausesPerWalk = 19;
const blockBytes = 512;
/** An empty file, a folder or a link has an inode, of which a file system has only so many: mostly one for each 16 KiB. */
const leastBytes = 4096;
/** It has folders deeper than a path can name: whatever lies there, it is not held to any limit. */
const unmeasurable = Infinity;

export type WorkspaceWatch = {
  /** `onOver` is not called any more. */
  readonly close: () => void;
};

/**
 * @param o.onOver called once, with the bytes found until the limit was passed: there may be more; or with `unmeasurable`
 * @param o.onFault a bug, or a file system that fails: the workspace is watched no longer
 */
export function watchWorkspace(o: {
  readonly dir: string;
  /** Other folders that the run can write to. */
  readonly besides: () => Promise<readonly string[]>;
  readonly limitBytes: number;
  readonly onOver: (foundBytes: number) => void;
  readonly onFault: (error: unknown) => void;
}): WorkspaceWatch {
  const closing = new AbortController();
  const { signal } = closing;

  async function measureAll(): Promise<number> {
    let foundBytes = 0;
    for (const dir of [o.dir, ...(await o.besides())]) {
      foundBytes += await measureWorkspace(dir, o.limitBytes - foundBytes, signal);
      if (foundBytes > o.limitBytes) break;
    }
    return foundBytes;
  }

  async function watch(): Promise<void> {
    for (let pauseMs = leastPauseMs; ; ) {
      await delay(pauseMs, undefined, { signal, ref: false });
      const sinceMs = performance.now();
      const foundBytes = await measureAll().catch((error: unknown) => {
        // A later look will do.
        if (isShortage(error)) return 0;
        throw error;
      });
      if (signal.aborted) return;
      if (foundBytes > o.limitBytes) return o.onOver(foundBytes);
      pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, pausesPerWalk * (performance.now() - sinceMs)));
    }
  }

  watch().catch((error: unknown) => {
    if (!signal.aborted) o.onFault(error);
  });
  return { close: () => closing.abort() };
}

/**
 * `unmeasurable`, or what it takes on the disk: blocks, a file with several names once, links as themselves, and nothing as
 * less than 4 KiB. Stops as soon as it is over the limit. What cannot be read, or is gone by then, counts as nothing; so does what is reached through a folder that was
 * swapped for a link meanwhile.
 */
export async function measureWorkspace(dir: string, limitBytes: number, signal?: AbortSignal): Promise<number> {
  const folders: Buffer[] = [Buffer.from(dir)];
  const linked = new Set<string>();
  let foundBytes = 0;
  let root: Buffer | undefined;
  const count = (stats: Stats | undefined): void => {
    if (!stats) return;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (linked.has(identity)) return;
      linked.add(identity);
    }
    foundBytes += Math.max(leastBytes, stats.blocks * blockBytes);
  };

  /** By way of its descriptor, which stays at the folder whatever becomes of the path. */
  async function countFolder({ fd }: FileHandle, folder: Buffer): Promise<void> {
    const pinned = Buffer.from(`/proc/self/fd/${fd}`);
    const place = await readlink(pinned, 'buffer').catch(passingNothing);
    if (!place) return;
    root ??= place;
    if (!isWithin(place, root)) return;
    const entries = await opendir(pinned, { encoding: 'latin1', bufferSize: 256 }).catch(passingNothing);
    // Names are bytes. One by one: a job may leave more names in a folder than memory holds.
    for await (const entry of entries ?? []) {
      count(await lstat(entryOf(pinned, entry.name)).catch(passingNothing));
      if (entry.isDirectory()) folders.push(entryOf(folder, entry.name));
      if (foundBytes > limitBytes || signal?.aborted) return;
    }
  }

  count(await lstat(dir).catch(passingNothing));
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    const opened = await open(folder, folderFlags).catch((error: unknown) =>
      errorCode(error) === 'ENAMETOOLONG' ? ('too-deep' as const) : passingNothing(error),
    );
    if (opened === 'too-deep') return unmeasurable;
    try {
      if (opened) await countFolder(opened, folder);
    } finally {
      await opened?.close();
    }
    if (foundBytes > limitBytes || signal?.aborted) break;
  }
  return foundBytes;
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const slash = 0x2f;

function isWithin(place: Buffer, root: Buffer): boolean {
  if (place.compare(root, 0, root.length, 0, Math.min(root.length, place.length)) !== 0) return false;
  return place.length === root.length || place[root.length] === slash;
}

function entryOf(folder: Buffer, name: string): Buffer {
  return Buffer.concat([folder, Buffer.from(`/${name}`, 'latin1')]);
}

function passingNothing(error: unknown): undefined {
  if (isShortage(error)) throw error;
}
