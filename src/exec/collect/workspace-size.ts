// Watches how large a workspace grows. No file system has to help, so it is found after the fact, and the overshoot is stated
// (ADR 0010). A walk in twenty times its own time: a large workspace is looked at less often. So it is with what the processes have open,
// each by itself: thousands of descriptors must not put off the walk.

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../lib/error-code.ts';
import { isShortage } from '../../lib/shortage.ts';
import { createYielder, type Yielder } from '../../lib/yielder.ts';
import { killDomainOf } from '../proc/kill-domain.ts';
import { readStatus } from '../proc/shim-status.ts';
import { namelessBytes } from './deleted-files.ts';
import { entryOf, isWithin, type PinnedFolder, pinFolder } from './pinned-folder.ts';

const leastPauseMs = 250;
const mostPauseMs = 60_000;
/** Of the time that is not spent walking, for each part that is: a walk takes a twentieth. */
const pausesPerWalk = 19;
const blockBytes = 512;
/** An empty file, a folder or a link has an inode, of which a file system has only so many: mostly one for each 16 KiB. */
const leastBytes = 4096;
/** It has folders deeper than a path can name, or more is open than a look can read: it is not held to any limit. */
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
  /** The folders of the run's attempts: each can write to its `out`, too. */
  readonly attemptDirs: () => Promise<readonly string[]>;
  readonly limitBytes: number;
  readonly onOver: (foundBytes: number) => void;
  readonly onError: (error: unknown) => void;
}): WorkspaceWatch {
  const closing = new AbortController();
  const { signal } = closing;

  async function measureNamed(attemptDirs: readonly string[], maybeYield: Yielder): Promise<number> {
    let foundBytes = 0;
    for (const dir of [o.dir, ...attemptDirs.map(outOf)]) {
      foundBytes += await measureWorkspace(dir, o.limitBytes - foundBytes, { signal, maybeYield });
      if (foundBytes > o.limitBytes || signal.aborted) return foundBytes;
    }
    return foundBytes;
  }

  let nameless = { bytes: 0, nextAtMs: 0 };

  /** As it was last found, while that fits into `roomBytes` and it is not time for another look. */
  async function measureNameless(attemptDirs: readonly string[], roomBytes: number): Promise<number> {
    if (nameless.bytes <= roomBytes && performance.now() < nameless.nextAtMs) return nameless.bytes;
    const stopwatch = startStopwatch();
    const processes = attemptDirs.flatMap((dir) => killDomainOf(dir, readStatus(dir))?.glance() ?? []);
    const folders = ['/workspace', '/run/flwd/out', o.dir, ...attemptDirs.map(outOf)];
    const bytes = await namelessBytes(processes, folders, stopwatch.maybeYield);
    nameless = { bytes, nextAtMs: performance.now() + pauseAfter(stopwatch) };
    return bytes;
  }

  async function watch(): Promise<void> {
    for (let pauseMs = leastPauseMs; ; ) {
      await delay(pauseMs, undefined, { signal, ref: false });
      const stopwatch = startStopwatch();
      let foundBytes = 0;
      try {
        const attemptDirs = await o.attemptDirs();
        foundBytes = await measureNamed(attemptDirs, stopwatch.maybeYield);
        pauseMs = pauseAfter(stopwatch);
        if (foundBytes <= o.limitBytes && !signal.aborted)
          foundBytes += await measureNameless(attemptDirs, o.limitBytes - foundBytes);
      } catch (error) {
        // A later look will do.
        if (!isShortage(error)) throw error;
        pauseMs = pauseAfter(stopwatch);
      }
      if (signal.aborted) return;
      if (foundBytes > o.limitBytes) return o.onOver(foundBytes);
    }
  }

  watch().catch((error: unknown) => {
    if (!signal.aborted) o.onError(error);
  });
  return { close: () => closing.abort() };
}

function outOf(attemptDir: string): string {
  return join(attemptDir, 'out');
}

type Stopwatch = { readonly maybeYield: Yielder; readonly workMs: () => number };

function pauseAfter({ workMs }: Stopwatch): number {
  return Math.min(mostPauseMs, Math.max(leastPauseMs, pausesPerWalk * workMs()));
}

/**
 * A yielder, and how long the work itself has taken: a busy server must not look less often because others have their
 * turn.
 */
function startStopwatch(): Stopwatch {
  const maybeYield = createYielder();
  const sinceMs = performance.now();
  let othersMs = 0;
  return {
    maybeYield() {
      const yielding = maybeYield();
      if (!yielding) return undefined;
      const leftMs = performance.now();
      return yielding.then(() => {
        othersMs += performance.now() - leftMs;
      });
    },
    workMs: () => performance.now() - sinceMs - othersMs,
  };
}

/**
 * `unmeasurable`, or what it takes on the disk: blocks, a file with several names once, links as themselves, and nothing as
 * less than 4 KiB. Stops as soon as it is over the limit. What cannot be read, or is gone by then, counts as nothing; so does what is
 * reached through a folder that was swapped for a link meanwhile. Reads at once, as walkWorkspace does: with a thread for each look, a
 * walk through 4,000 files took 0.3 s, in which more came than it had counted.
 */
export async function measureWorkspace(
  dir: string,
  limitBytes: number,
  o: { readonly signal?: AbortSignal; readonly maybeYield?: Yielder } = {},
): Promise<number> {
  const { signal, maybeYield = createYielder() } = o;
  const folders: Buffer[] = [Buffer.from(dir)];
  const linked = new Set<string>();
  let foundBytes = 0;
  let root: PinnedFolder['place'] | undefined;
  const count = (path: string | Buffer): void => {
    const stats = look(() => lstatSync(path, { throwIfNoEntry: false }));
    if (!stats) return;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (linked.has(identity)) return;
      linked.add(identity);
    }
    foundBytes += Math.max(leastBytes, stats.blocks * blockBytes);
  };

  async function countFolder(pinned: PinnedFolder, folder: Buffer): Promise<void> {
    root ??= pinned.place;
    if (!isWithin(pinned.place, root)) return;
    for (const entry of pinned.entries()) {
      await maybeYield();
      count(entryOf(pinned.path, entry.name));
      if (entry.isDirectory()) folders.push(entryOf(folder, entry.name));
      if (foundBytes > limitBytes || signal?.aborted) return;
    }
  }

  count(dir);
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    const pinned = openFolder(folder);
    if (pinned === 'too-deep') return unmeasurable;
    if (pinned === undefined) continue;
    try {
      await countFolder(pinned, folder);
    } finally {
      pinned.close();
    }
    if (foundBytes > limitBytes || signal?.aborted) break;
  }
  return foundBytes;
}

function openFolder(folder: Buffer): PinnedFolder | 'too-deep' | undefined {
  try {
    return pinFolder(folder);
  } catch (error) {
    if (isShortage(error)) throw error;
    return errorCode(error) === 'ENAMETOOLONG' ? 'too-deep' : undefined;
  }
}

/** undefined for what is not there, or cannot be seen. */
function look<T>(at: () => T): T | undefined {
  try {
    return at();
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined;
  }
}
