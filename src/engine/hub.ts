// Hands committed journal entries to listeners, in the order of their ids, and keeps the latest ones in memory.

import type { JournalEntry } from '../domain/event.ts';

export type Hub = ReturnType<typeof createHub>;

/** How many entries are kept: a follower that is a second behind needs no query. */
const ringSize = 8192;

export function createHub(latestId: number) {
  const listeners = new Set<(entries: readonly JournalEntry[]) => void>();
  let ring: JournalEntry[] = [];
  let latest = latestId;
  /** Every entry with a higher id is in the ring. */
  let floor = latestId;

  return {
    get latestId(): number {
      return latest;
    },
    /** Calls the listener once for each commit, synchronously. It must not throw. */
    onEvents: (listener: (entries: readonly JournalEntry[]) => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /**
     * Entries with an id after `afterId`; undefined when some of them are no longer in memory: read the journal
     * instead.
     */
    recent(afterId: number): readonly JournalEntry[] | undefined {
      if (afterId >= latest) return [];
      if (afterId < floor) return undefined;
      return ring.slice(firstAfter(ring, afterId));
    },
    publish(entries: readonly JournalEntry[]): void {
      const last = entries.at(-1);
      if (!last) return;
      ring.push(...entries);
      latest = lastIdOf(last);
      if (ring.length > 2 * ringSize) {
        const dropped = ring.length - ringSize;
        const newest = ring[dropped - 1];
        if (newest) floor = lastIdOf(newest);
        ring = ring.slice(dropped);
      }
      for (const listener of listeners) listener(entries);
    },
  };
}

export function lastIdOf(entry: JournalEntry): number {
  return entry.id + entry.count - 1;
}

/** The index of the first entry with an id after `afterId`. */
function firstAfter(entries: readonly JournalEntry[], afterId: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry && lastIdOf(entry) <= afterId) low = middle + 1;
    else high = middle;
  }
  return low;
}
