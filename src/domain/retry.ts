// Decides whether a failed attempt is retried, and when.

import type { RetryPolicy } from './job.ts';
import type { StepReason } from './run.ts';

/** EX_TEMPFAIL (sysexits.h): the script itself asks for a retry. */
const askedForExitCode = 75;
/** A run whose machine dies under every attempt must not be retried forever. */
const mostLosses = 3;

/**
 * Milliseconds until the next attempt; undefined when there is no other attempt.
 * @param attempt the failed attempt, counted from 1
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
