// Lets callers share one read: all that ask at the same time, or all that ask within a while.

import type { Clock } from './clock.ts';

/**
 * Callers that ask during a read share the next read, which begins after the current one. Rejects if that next read
 * rejects.
 */
export function createSharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const reading = read();
      running = reading.catch(() => undefined);
      return reading;
    });
    return next;
  };
}

/** Caches the result of `find` for a time. An error is not cached. */
export function cached<T>(clock: Clock, forMs: number, find: () => Promise<T>): () => Promise<T> {
  let known: { readonly atMs: number; readonly value: Promise<T> } | undefined;
  return () => {
    const atMs = clock.now();
    if (known && atMs - known.atMs < forMs) return known.value;
    const value = find();
    known = { atMs, value };
    value.catch(() => {
      known = undefined;
    });
    return value;
  };
}
