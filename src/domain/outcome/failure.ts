// A failure of a job stands for all runs of the job that failed for the same reason with the same message.

import type { RunReason } from '../run.ts';

/**
 * `fixed` means that the job has succeeded since. `regressed` means that the failure was fixed and has occurred again.
 */
export const failureStates = ['open', 'fixed', 'regressed'] as const;
export type FailureState = (typeof failureStates)[number];

export type Failure = {
  readonly jobId: string;
  readonly tenant: string;
  readonly fingerprint: string;
  readonly reason: RunReason;
  /** The message of the last failure. */
  readonly sample: string;
  readonly state: FailureState;
  readonly count: number;
  readonly firstRunId: string;
  readonly firstAtMs: number;
  /**
   * The revision of the job's files in the first run that failed; null if an earlier version of flwd recorded the
   * failure.
   */
  readonly firstRevision: string | null;
  readonly lastRunId: string;
  readonly lastAtMs: number;
};
