// What was read or written last, up to a number of bytes; what was asked for longest ago goes first.

export type Cache<T> = {
  readonly get: (key: string) => T | undefined;
  readonly set: (key: string, value: T, sizeBytes: number) => void;
  /** For a value that has grown since; of no effect when it is gone. */
  readonly grow: (key: string, value: T, addedBytes: number) => void;
  readonly delete: (key: string, value: T) => void;
};

export function createCache<T>(maxBytes: number): Cache<T> {
  const entries = new Map<string, { value: T; sizeBytes: number }>();
  let totalBytes = 0;

  function remove(key: string): void {
    totalBytes -= entries.get(key)?.sizeBytes ?? 0;
    entries.delete(key);
  }

  function evict(): void {
    for (const key of entries.keys()) {
      if (totalBytes <= maxBytes) return;
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
    set(key, value, sizeBytes) {
      remove(key);
      entries.set(key, { value, sizeBytes });
      totalBytes += sizeBytes;
      evict();
    },
    grow(key, value, addedBytes) {
      const entry = entries.get(key);
      if (entry?.value !== value) return;
      entry.sizeBytes += addedBytes;
      totalBytes += addedBytes;
      evict();
    },
    delete(key, value) {
      if (entries.get(key)?.value === value) remove(key);
    },
  };
}
