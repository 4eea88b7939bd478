// Whether the server has more to do than it can: memory near its end, or timers that come seconds late (ADR 0019). What
// costs is then refused before it begins, so that what is under way, and whoever looks after the server, goes on.

import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { isShortage } from '../../lib/shortage.ts';

export type Load = {
  /** What there is too much of, in words; null while all is well. */
  readonly complaint: () => string | null;
};

const everyMs = 250;
const looksInARow = 2;
const mostOfHeap = 0.9;
const mostOfMemory = 0.75;
const latestMs = 2_000;

type Watched = Load & { readonly close: () => void };

export function watchLoad(): Watched {
  // Of a process without a cgroup it is 0, or more than any machine has.
  const constrained = process.constrainedMemory();
  const memoryBytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  let dueAtMs = performance.now() + everyMs;
  let looks = 0;
  let complaint: string | null = null;

  function measure(lateMs: number): string | null {
    const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
    const ofHeap = heapBytes / heapLimitBytes;
    if (ofHeap > mostOfHeap) return `the heap holds ${percent(ofHeap)} of what it may`;
    const ofMemory = residentBytes() / memoryBytes;
    if (Number.isNaN(ofMemory))
      return 'the server has no file descriptors or memory left: for descriptors, raise ulimit -n (LimitNOFILE of systemd)';
    if (ofMemory > mostOfMemory) return `the server takes ${percent(ofMemory)} of the memory that it may`;
    return lateMs > latestMs ? `the server is ${Math.round(lateMs / 1000)} s behind` : null;
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    const found = measure(nowMs - dueAtMs);
    dueAtMs = nowMs + everyMs;
    // One look may fall on a moment: the machine slept, or garbage was about to be collected.
    looks = found === null ? 0 : looks + 1;
    complaint = looks >= looksInARow ? found : null;
  }, everyMs);
  timer.unref();
  return { complaint: () => complaint, close: () => clearInterval(timer) };
}

/** NaN where the server lacks the descriptor or the memory to read it. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch (error) {
    if (!isShortage(error)) throw error;
    return Number.NaN;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
