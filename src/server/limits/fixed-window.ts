// Counts uses by key within a window of time. The keys that have been unused for longest are forgotten first, so a
// flood of keys cannot fill the memory (ADR 0043).

import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';

/** The count including this use, and the time until the key's window ends. */
type Use = { readonly count: number; readonly endsInMs: number };

/** The first use of a key begins its window. @returns a function that counts one use of a key */
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
    // A clock that is set back must not make the window longer.
    if (!window || Math.abs(nowMs - window.sinceMs) >= o.windowMs) {
      window = { sinceMs: nowMs, count: 0 };
      windows.set(key, window);
    }
    window.count += 1;
    return { count: window.count, endsInMs: Math.min(o.windowMs, window.sinceMs + o.windowMs - nowMs) };
  };
}
