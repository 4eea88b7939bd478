// Keeps what was read or written last, up to a total size; what was asked for longest ago goes first. Losing an entry costs
// time, never truth.

export type BoundedCache<Key, Value> = {
  readonly get: (key: Key) => Value | undefined;
  readonly set: (key: Key, value: Value, size: number) => void;
  /** For a value that has grown since; of no effect when it is gone. */
  readonly grow: (key: Key, value: Value, added: number) => void;
  readonly delete: (key: Key, value: Value) => void;
};

export function createBoundedCache<Key, Value>(maxSize: number): BoundedCache<Key, Value> {
  const entries = new Map<Key, { value: Value; size: number }>();
  let total = 0;

  function remove(key: Key): void {
    total -= entries.get(key)?.size ?? 0;
    entries.delete(key);
  }

  function evict(): void {
    for (const key of entries.keys()) {
      if (total <= maxSize) return;
      remove(key);
    }
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, size) {
      remove(key);
      entries.set(key, { value, size });
      total += size;
      evict();
    },
    grow(key, value, added) {
      const entry = entries.get(key);
      if (entry?.value !== value) return;
      entry.size += added;
      total += added;
      evict();
    },
    delete(key, value) {
      if (entries.get(key)?.value === value) remove(key);
    },
  };
}
