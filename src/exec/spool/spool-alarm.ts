// Decides when to look at a spool again. A watch reports new bytes at once, but it slows a job that prints all the time
// by 40 %, and calls the reader for each of its writes. So while bytes keep coming, a timer replaces the watch.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Most jobs end before a watch would pay off: creating and removing it costs as much as the rest of the reading. */
const firstMs = [10, 20, 40];
const busyMs = 2;
/** When looks this close together all find something, the timer replaces the watch. */
const closeTogetherMs = 5;
const busyLooks = 3;
/** After this many looks without a find, the watch returns. */
const quietLooks = 4;
/** How often to look at least: an event may be missed, and the system may have no free watches. */
const pollMs = 250;

export function createSpoolAlarm(path: string) {
  let watcher: FSWatcher | undefined;
  const first = firstMs.values();
  let isRinging = false;
  let wake: (() => void) | undefined;
  let foundAt = 0;
  let looks = quietLooks;

  function ring(): void {
    isRinging = true;
    wake?.();
  }

  async function wait(ms: number): Promise<void> {
    if (!isRinging) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
    }
    isRinging = false;
  }

  function disarm(): void {
    watcher?.close();
    watcher = undefined;
  }

  async function nextByWatch(hasFound: boolean): Promise<void> {
    if (hasFound) {
      const atMs = performance.now();
      looks = atMs - foundAt < closeTogetherMs ? looks + 1 : 0;
      foundAt = atMs;
    }
    if (looks < busyLooks) return wait(pollMs);
    disarm();
    looks = 0;
    return wait(busyMs);
  }

  async function nextByTimer(hasFound: boolean): Promise<void> {
    const { value: beginningMs } = first.next();
    if (beginningMs !== undefined && !hasFound) return wait(beginningMs);
    looks = hasFound ? 0 : looks + 1;
    if (looks < quietLooks) return wait(busyMs);
    watcher = watchFolder(path, ring);
    if (!watcher) return wait(pollMs);
    // Look at once: the watch does not report what was written before.
    looks = 0;
  }

  return {
    /** Resolves when it is time to look again. `hasFound` says whether the last look found anything. */
    next: (hasFound: boolean): Promise<void> => (watcher ? nextByWatch(hasFound) : nextByTimer(hasFound)),
    ring,
    close: disarm,
  };
}

/** Watches the folder, since the file may not exist yet. */
function watchFolder(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dirname(path), (_, name) => {
      if (name === null || name === basename(path)) onChange();
    });
    return watcher.on('error', () => undefined);
  } catch {
    return undefined;
  }
}
