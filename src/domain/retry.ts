// Whether an attempt that failed is tried again, and when.

import type { RetryPolicy } from './job.ts';
import type { StepReason } from './run.ts';

/** EX_TEMPFAIL (sysexits.h): the script itself asks for a retry. */
const askedForExitCode = 75;
/** A machine that dies under every attempt must not be tried for ever. */
const mostLosses = 3;

/**
 * Milliseconds until the next attempt; undefined when there is none.
 * @param attempt the one that failed, from 1
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failed: {
    readonly attempt: number;
    readonly reason: StepReason | null;
    readonly exitCode: number | null;
    /** The job says `on_lost: retry`. */
    readonly retriesLost: boolean;
  },
): number | undefined {
  const { attempt, reason, exitCode } = failed;
  if (reason === 'lost') {
    return failed.retriesLost && attempt <= Math.max(mostLosses, policy.limit) ? 0 : undefined;
  }
  if (attempt > policy.limit) return undefined;
  const isListed =
    policy.on === null || (exitCode !== null && (exitCode === askedForExitCode || policy.on.includes(exitCode)));
  if (!isListed) return undefined;
  if (policy.backoff === 'fixed') return policy.delayMs;
  return Math.min(policy.maxDelayMs, policy.delayMs * 2 ** (attempt - 1));
}
