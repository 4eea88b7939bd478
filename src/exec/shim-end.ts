// Waits for the end of a shim. Whoever may tell of it tells sooner; the status file and /proc have the last word, since a
// shim that is killed tells nothing.

import { setTimeout as delay } from 'node:timers/promises';
import { isShortage } from '../lib/shortage.ts';
import type { ShimNews } from './fork-server.ts';
import { isAlive, isArgumentOfAny } from './process-table.ts';
import { giveUp, readStatus } from './shim-status.ts';

const pollMs = 500;
/** From the order to start to the first line of the status file. The host may have hundreds to start. */
const beginningMs = 30_000;

/** Resolves when the shim has ended, or never will begin. Rejects when `told` does. */
export async function untilShimEnds(attemptDir: string, told: Promise<ShimNews>): Promise<void> {
  const over = new AbortController();
  const untilGone = async (patienceMs: number): Promise<void> => {
    const sinceMs = performance.now();
    while (!over.signal.aborted && !isGone(attemptDir, performance.now() - sinceMs > patienceMs)) {
      await delay(pollMs, undefined, { ref: false, signal: over.signal }).catch(() => undefined);
    }
  };
  const heard = told.then((news) => (news === 'ended' ? undefined : untilGone(0)));
  try {
    await Promise.race([heard, untilGone(beginningMs)]);
  } finally {
    over.abort();
  }
}

function isGone(attemptDir: string, isLate: boolean): boolean {
  try {
    const status = readStatus(attemptDir);
    if (status?.shim) return !isAlive(status.shim);
    if (!isLate) return false;
    // One that has made the file, and has not said who it is, may only be slow.
    return status ? status.isGivenUp === true || !isArgumentOfAny(attemptDir) : giveUp(attemptDir);
  } catch (error) {
    if (isShortage(error)) return false;
    throw error;
  }
}
