// Identifiers that sort by creation: a prefix and an upper-case ULID (https://github.com/ulid/spec).

import { randomFillSync } from 'node:crypto';
import { monotonicFactory } from 'ulid';

/**
 * Random bytes for many ids. Asking the system's generator for each of the 16 random characters takes 80 µs per id,
 * twice as long as a short answer.
 */
const pool = Buffer.alloc(4096);
let used = pool.length;

const nextUlid = monotonicFactory(() => {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
});

export function createId(
  prefix: 'run' | 'artifact' | 'schedule' | 'backfill' | 'webhook' | 'delivery' | 'notice' | 'token' | 'req' | 'check',
  nowMs: number,
): string {
  return `${prefix}_${nextUlid(nowMs)}`;
}

/**
 * Returns the last two characters of an id, to spread files over 1,024 folders. The last characters of a ULID are the
 * most random.
 */
export function shardOf(id: string): string {
  return id.slice(-2);
}

export function isShard(name: string): boolean {
  return /^\w\w$/.test(name);
}

/** Whether a folder with this name belongs to a run or to a trigger's check. */
export function isRunFolder(name: string): boolean {
  return /^(?:run|check)_/.test(name);
}
