// Watches how large a workspace grows. No file system has to help, so it is found after the fact, and the overshoot is stated
// (ADR 0010). A walk in twenty times its own time: a large workspace is looked at less often.

import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isShortage } from '../lib/shortage.ts';

const leastPauseMs = 250;
const mostPauseMs = 60_000;
/** Of the time that is not spent walking, for each part that is: a walk takes a twentieth. */
const pausesPerWalk = 19;
const blockBytes = 512;

export type WorkspaceWatch = {
  /** `onOver` is not called any more. */
  readonly close: () => void;
};

/**
 * @param o.onOver called once, with the bytes found until the limit was passed: there may be more
 * @param o.onFault a bug, or a file system that fails: the workspace is watched no longer
 */
export function watchWorkspace(o: {
  readonly dir: string;
  readonly limitBytes: number;
  readonly onOver: (foundBytes: number) => void;
  readonly onFault: (error: unknown) => void;
}): WorkspaceWatch {
  const closing = new AbortController();
  const { signal } = closing;

  async function watch(): Promise<void> {
    for (let pauseMs = leastPauseMs; ; ) {
      await delay(pauseMs, undefined, { signal, ref: false });
      const sinceMs = performance.now();
      const foundBytes = await measureWorkspace(o.dir, o.limitBytes, signal).catch((error: unknown) => {
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
 * What it takes on the disk, as du(1) counts: blocks, a file with several names once, links as themselves. Stops as soon as it is
 * over the limit. What cannot be read, or is gone by then, counts as nothing.
 */
export async function measureWorkspace(dir: string, limitBytes: number, signal?: AbortSignal): Promise<number> {
  const folders = [Buffer.from(dir)];
  const linked = new Set<string>();
  let foundBytes = 0;
  const count = (stats: Stats | undefined): void => {
    if (!stats) return;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (linked.has(identity)) return;
      linked.add(identity);
    }
    foundBytes += stats.blocks * blockBytes;
  };
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    count(await statsOf(folder));
    const entries = await opendir(folder, { encoding: 'latin1', bufferSize: 256 }).catch(passingNothing);
    if (!entries) continue;
    // Names are bytes. One by one: a job may leave more names in a folder than memory holds.
    for await (const entry of entries) {
      const path = Buffer.concat([folder, Buffer.from(`/${entry.name}`, 'latin1')]);
      if (entry.isDirectory()) folders.push(path);
      else count(await statsOf(path));
      if (foundBytes > limitBytes || signal?.aborted) return foundBytes;
    }
  }
  return foundBytes;
}

function statsOf(path: Buffer): Promise<Stats | undefined> {
  return lstat(path).catch(passingNothing);
}

function passingNothing(error: unknown): undefined {
  if (isShortage(error)) throw error;
}
