// A failure of a job: all of its runs that failed for the same reason with the same message.

import type { RunReason } from '../run.ts';

/** `fixed`: the job has succeeded since; `regressed`: it was fixed, and came back. */
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
  /** The job's files at the first run. null: an earlier version of flwd did not record it. */
  readonly firstRevision: string | null;
  readonly lastRunId: string;
  readonly lastAtMs: number;
};
