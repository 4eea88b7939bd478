// Waits for the end of a shim. A report is the fastest way to learn of it. The status file and /proc decide, because a
// shim that is killed reports nothing.

import { existsSync } from 'node:fs';
import { isShortage } from '../../lib/shortage.ts';
import type { ShimNews } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { attendantsOf, bwrapsOf, isAlive, isChildOf, send } from './process-table.ts';
import { giveUp, readStatus, type ShimStatus } from './shim-status.ts';

const pollMs = 500;
/** The time from the order to start to the first line of the status file. The host may have hundreds to start. */
const beginningMs = 30_000;

/** Resolves when the shim has ended, or when it will never begin. Rejects when `told` rejects. */
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
    // Without a sandbox, a process that the script left behind may hold its output open, and the shim waits until it is
    // closed.
    if (status?.script && status.exitCode !== undefined) killDomainOf(attemptDir, status)?.kill();
    if (status?.shim && !isAlive(status.shim)) return true;
    if (status?.shim) {
      if (hasLostBwrap(status)) for (const pid of bwrapsOf(attemptDir)) send(pid, 'SIGKILL');
      return false;
    }
    // The folder existed before the order to start, so somebody has removed it.
    if (!existsSync(attemptDir)) return true;
    if (!isLate) return false;
    // A shim that has created the file but not identified itself may only be slow.
    return status ? status.isGivenUp === true || attendantsOf(attemptDir).length === 0 : giveUp(attemptDir);
  } catch (error) {
    if (isShortage(error)) return false;
    throw error;
  }
}

/**
 * When something kills bwrap before the script begins, the first process of the namespace is not yet set to die with
 * it: it waits forever, or runs the script. It also holds stderr open, and the shim waits until stderr is closed.
 */
function hasLostBwrap({ shim, bwrapPid, isOver }: ShimStatus): boolean {
  return shim !== undefined && bwrapPid !== undefined && !isOver && !isChildOf(bwrapPid, shim.pid);
}
