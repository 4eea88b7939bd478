// Notices when the server is overloaded: memory is nearly used up, or timers are seconds late (ADR 0019). New work is
// then refused, so that current work can finish and the operator can still reach the server.

import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { isShortage } from '../../lib/shortage.ts';

export type Load = {
  /** The reason for the overload, in words; null if there is no overload. */
  readonly complaint: () => string | null;
};

const everyMs = 250;
const looksInARow = 2;
const mostOfHeap = 0.9;
const mostOfMemory = 0.75;
const latestMs = 2_000;

type Watched = Load & { readonly close: () => void };

export function watchLoad(): Watched {
  // Without a cgroup limit, this is 0, or more than any machine has.
  const constrained = process.constrainedMemory();
  const memoryBytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  let dueAtMs = performance.now() + everyMs;
  let looks = 0;
  let complaint: string | null = null;

  function measure(lateMs: number): string | null {
    const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
    const ofHeap = heapBytes / heapLimitBytes;
    if (ofHeap > mostOfHeap) return `the heap is ${percent(ofHeap)} full`;
    const ofMemory = residentBytes() / memoryBytes;
    if (Number.isNaN(ofMemory))
      return 'the server has no file descriptors or memory left; raise `ulimit -n`, or LimitNOFILE in systemd';
    if (ofMemory > mostOfMemory) return `the server uses ${percent(ofMemory)} of its memory`;
    return lateMs > latestMs ? `timers are ${Math.round(lateMs / 1000)} s late` : null;
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    const found = measure(nowMs - dueAtMs);
    dueAtMs = nowMs + everyMs;
    // A single measurement can be a coincidence: the machine may have slept, or garbage was about to be collected.
    looks = found === null ? 0 : looks + 1;
    complaint = looks >= looksInARow ? found : null;
  }, everyMs);
  timer.unref();
  return { complaint: () => complaint, close: () => clearInterval(timer) };
}

/** Returns NaN if there is no file descriptor or no memory left to read it. */
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
