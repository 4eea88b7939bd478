// Tells when to look at a spool again. A watch on it tells at once, but it costs a job that prints without a pause 40 % of
// its speed, and the reader a callback for each of its writes: while bytes keep coming a timer stands in for it.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export type SpoolAlarm = {
  /** Resolves when to look again, given whether the last look found anything. */
  next(hasFound: boolean): Promise<void>;
  ring(): void;
  close(): void;
};

/** Most jobs are over before a watch would pay: to set it up and take it down costs as much as the rest of the reading. */
const firstMs = [10, 20, 40];
const busyMs = 2;
/** Looks that found something this close together, and the watch makes way for the timer. */
const closeTogetherMs = 5;
const busyLooks = 3;
/** Looks in vain, and the watch is back. */
const quietLooks = 4;
/** For events that were missed, and where no more watches are to be had. */
const pollMs = 250;

export function createSpoolAlarm(path: string): SpoolAlarm {
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
    // At once: of what came before, the watch tells nothing.
    looks = 0;
  }

  return {
    next: (hasFound) => (watcher ? nextByWatch(hasFound) : nextByTimer(hasFound)),
    ring,
    close: disarm,
  };
}

/** The folder, since the file may be yet to come. */
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
