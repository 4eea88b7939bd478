// Waits for the end of a shim. The shim reports it, but a shim that is killed cannot. So the status file and /proc are
// checked as well.

import { existsSync } from 'node:fs';
import { isShortage } from '../../lib/shortage.ts';
import type { ShimNews } from './fork-server.ts';
import { killDomainOf } from './kill-domain.ts';
import { bwrapsOf, helpersOf, isAlive, isChildOf, send } from './process-table.ts';
import { giveUp, readStatus, type ShimStatus } from './shim-status.ts';

const pollMs = 500;
/**
 * How long a shim may take until it writes the first line of its status file. The host may have to start hundreds of
 * shims.
 */
const beginningMs = 30_000;

/** Resolves when the shim has ended, or if it can no longer begin. Rejects if `told` rejects. */
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
    // Without a sandbox, a process that the script left behind may have the script's output open. The shim would wait
    // for this process, so it is killed.
    if (status?.script && status.exitCode !== undefined) killDomainOf(attemptDir, status)?.kill();
    if (status?.shim && !isAlive(status.shim)) return true;
    if (status?.shim) {
      if (hasLostBwrap(status)) for (const pid of bwrapsOf(attemptDir)) send(pid, 'SIGKILL');
      return false;
    }
    // The folder existed before the start of the shim was requested, so somebody has removed it.
    if (!existsSync(attemptDir)) return true;
    if (!isLate) return false;
    // A shim that has created the file but has not identified itself may simply be slow, so this looks for its process.
    return status ? status.isGivenUp === true || helpersOf(attemptDir).length === 0 : giveUp(attemptDir);
  } catch (error) {
    if (isShortage(error)) return false;
    throw error;
  }
}

/**
 * Whether bwrap was killed before the script began. At that time, the first process of the namespace has not yet asked
 * the kernel to kill it together with bwrap. So it waits forever or runs the script. It has stderr open, and the shim
 * waits until stderr is closed.
 */
function hasLostBwrap({ shim, bwrapPid, isOver }: ShimStatus): boolean {
  return shim !== undefined && bwrapPid !== undefined && !isOver && !isChildOf(bwrapPid, shim.pid);
}
