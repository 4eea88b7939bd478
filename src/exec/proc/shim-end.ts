// Waits for the end of a shim. Whoever may tell of it tells sooner; the status file and /proc have the last word, since a
// shim that is killed tells nothing.

import { existsSync } from 'node:fs';
import { isShortage } from '../../lib/shortage.ts';
import type { ShimNews } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { attendantsOf, isAlive } from './process-table.ts';
import { giveUp, readStatus } from './shim-status.ts';

const pollMs = 500;
/** From the order to start to the first line of the status file. The host may have hundreds to start. */
const beginningMs = 30_000;

/** Resolves when the shim has ended, or never will begin. Rejects when `told` does. */
export async function untilShimEnds(attemptDir: string, told: Promise<ShimNews>): Promise<void> {
  const { promise: gone, resolve: end, reject } = Promise.withResolvers<void>();
  const sinceMs = performance.now();
  let timeoutMs = beginningMs;
  const look = (): void => {
    try {
      if (isGone(attemptDir, performance.now() - sinceMs > timeoutMs)) end();
    } catch (error) {
      reject(error);
    }
  };
  const poll = setInterval(look, pollMs).unref();
  const heard = told.then((news) => {
    if (news === 'ended') return end();
    timeoutMs = 0;
    look();
  });
  try {
    await Promise.race([gone, heard.then(() => gone)]);
  } finally {
    clearInterval(poll);
  }
}

function isGone(attemptDir: string, isLate: boolean): boolean {
  try {
    const status = readStatus(attemptDir);
    // What a script leaves behind without a sandbox may hold its output open, and the shim waits for the end of that.
    if (status?.script && status.exitCode !== undefined) killDomainOf(attemptDir, status)?.kill();
    if (status?.shim) return !isAlive(status.shim);
    // It was there before the order to start: somebody has removed it.
    if (!existsSync(attemptDir)) return true;
    if (!isLate) return false;
    // One that has made the file, and has not said who it is, may only be slow.
    return status ? status.isGivenUp === true || attendantsOf(attemptDir).length === 0 : giveUp(attemptDir);
  } catch (error) {
    if (isShortage(error)) return false;
    throw error;
  }
}
