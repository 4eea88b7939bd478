// Keeps what was used last, up to a total size. Losing an entry costs time, never truth.

export type BoundedCache<Key, Value> = {
  readonly get: (key: Key) => Value | undefined;
  readonly set: (key: Key, value: Value, size: number) => void;
};

export function createBoundedCache<Key, Value>(maxSize: number): BoundedCache<Key, Value> {
  /** From the least to the most recently used. */
  const entries = new Map<Key, { readonly value: Value; readonly size: number }>();
  let total = 0;

  return {
    get(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, size) {
      total += size - (entries.get(key)?.size ?? 0);
      entries.delete(key);
      entries.set(key, { value, size });
      for (const [oldest, entry] of entries) {
        if (total <= maxSize) break;
        entries.delete(oldest);
        total -= entry.size;
      }
    },
  };
}
