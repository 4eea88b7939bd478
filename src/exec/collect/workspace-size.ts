// Watches the size of a workspace on any file system. It notices only afterwards that a job has written too much, and
// reports how much (ADR 0010). After each walk it pauses for nineteen times as long as the walk took, so it measures a
// large workspace less often. It measures open files of processes separately, so that thousands of descriptors do not
// delay the walk.

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
/** The pause is this many times the duration of the walk, so walking takes a twentieth of the time. */
const pausesPerWalk = 19;
const blockBytes = 512;
/**
 * The size that an empty file, a folder or a link counts as. Each takes an inode, and a file system has a limited
 * number of inodes, usually one for each 16 KiB.
 */
const leastBytes = 4096;
/**
 * The size of a workspace that cannot be measured: its folders are deeper than the longest path, or it has more open
 * files than one measurement can read. Such a workspace is over every limit.
 */
const unmeasurable = Infinity;

export type WorkspaceWatch = ReturnType<typeof watchWorkspace>;

/**
 * @param o.onOver called once, with the number of bytes that were found before the walk stopped at the limit, or with
 * `unmeasurable`
 * @param o.onError called with a bug or an error of the file system. After that, the workspace is no longer watched.
 */
export function watchWorkspace(o: {
  readonly dir: string;
  /** The folders of the run's attempts, because each attempt can also write to its `out`. */
  readonly attemptDirs: () => Promise<readonly string[]>;
  readonly limitBytes: number;
  readonly onOver: (foundBytes: number) => void;
  readonly onError: (error: unknown) => void;
}) {
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

  /**
   * Measures the nameless files. Returns the last result instead if it fits into `roomBytes` and it is too early to
   * measure again.
   */
  async function measureNameless(attemptDirs: readonly string[], roomBytes: number): Promise<number> {
    if (nameless.bytes <= roomBytes && performance.now() < nameless.nextAtMs) return nameless.bytes;
    const stopwatch = startStopwatch();
    const processes = attemptDirs.flatMap((dir) => killDomainOf(dir, readStatus(dir))?.quickMembers() ?? []);
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
        // The host lacked descriptors or memory. The workspace is measured later.
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
  /** `onOver` is not called after `close`. */
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
 * A yielder that measures only the time of its own work. Other work that runs in between must not make the pauses
 * longer, or a busy server would measure less often.
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
 * Returns the disk space in use, or `unmeasurable`. It counts blocks, at least 4 KiB for each entry. A file with
 * several names counts once, and a link is not followed. Entries that cannot be read, that have disappeared, or whose
 * folder was replaced by a link, count as nothing. The walk stops as soon as the limit is exceeded. It is synchronous
 * like walkWorkspace: an earlier version that used a thread for each read took 0.3 s for 4,000 files, and more files
 * appeared in that time than it had counted.
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

/** Returns undefined for an entry that does not exist or cannot be seen. */
function look<T>(at: () => T): T | undefined {
  try {
    return at();
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined;
  }
}
