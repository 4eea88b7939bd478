// Decides whether a failed attempt is retried, and when.

import type { RetryPolicy } from './job.ts';
import type { StepReason } from './run.ts';

/** EX_TEMPFAIL (sysexits.h): with this exit code, a script asks for a retry. */
const askedForExitCode = 75;
/**
 * How often a step is attempted again because its machine died, unless the step's own retry limit is higher. Without
 * this bound, a step that makes the machine die would be attempted forever.
 */
const mostLosses = 3;

/**
 * Returns the milliseconds until the next attempt; undefined if the step is not attempted again.
 * @param attempt the number of the failed attempt, from 1
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failed: {
    readonly attempt: number;
    readonly reason: StepReason | null;
    readonly exitCode: number | null;
    /** True if the job says `on_lost: retry`. */
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
