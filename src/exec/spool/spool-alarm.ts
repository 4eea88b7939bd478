// Decides when to look at a spool again. A watch reports new bytes at once. But it makes a job that prints all the time
// 40 % slower, and wakes the reader for each write. So while a job prints all the time, a timer replaces the watch.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * The pauses before the first checks of the spool. There is no watch during these pauses, because most jobs end within
 * them, and creating and removing a watch takes as long as all other work of reading.
 */
const firstMs = [10, 20, 40];
const busyMs = 2;
/** If several checks in a row find new bytes, at intervals no longer than this, a timer replaces the watch. */
const closeTogetherMs = 5;
const busyLooks = 3;
/** After this many checks in a row without new bytes, the watch replaces the timer. */
const quietLooks = 4;
/** How often to look at least, because an event may be missed, and the system may have no free watches. */
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
    // Check again at once, because the watch does not report earlier writes.
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
