// Counts by key, anew in each window of time. Whoever was seen longest ago is forgotten first, so a flood of keys takes
// no more memory than so many.

import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';

/** The count with this one in it, and when the key's window is over. */
type Use = { readonly count: number; readonly endsInMs: number };

/** The first of a key begins its window. @returns counts one */
export function createFixedWindow(o: {
  readonly windowMs: number;
  readonly mostKeys: number;
  readonly clock: Clock;
}): (key: string) => Use {
  const windows = new LRUCache<string, { readonly sinceMs: number; count: number }>({
    maxSize: o.mostKeys,
    sizeCalculation: () => 1,
  });

  return (key) => {
    const nowMs = o.clock.now();
    let window = windows.get(key);
    // A clock that was set back must not make a window longer.
    if (!window || Math.abs(nowMs - window.sinceMs) >= o.windowMs) {
      window = { sinceMs: nowMs, count: 0 };
      windows.set(key, window);
    }
    window.count += 1;
    return { count: window.count, endsInMs: Math.min(o.windowMs, window.sinceMs + o.windowMs - nowMs) };
  };
}
