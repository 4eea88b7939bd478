// Something that was expected of a job and has not happened: a run takes too long, a success did not come, or a
// schedule started no run for one of its times (ADR 0073).

/** What `expect` of a job file says. */
export type Expectation = {
  /** How long a run may work; `auto`: twice as long as nearly all of its last successes. */
  readonly durationMs: number | 'auto' | null;
  /** A time of day such as `06:00`, by which a run must have succeeded. */
  readonly by: string | null;
  /** How old the last success may be. */
  readonly everyMs: number | null;
};

export const lateKinds = ['duration', 'by', 'every', 'missed'] as const;
export type LateKind = (typeof lateKinds)[number];

export type Late = {
  readonly tenant: string;
  readonly jobId: string;
  readonly kind: LateKind;
  /** Identifies what is late, so that it is recorded only once. */
  readonly key: string;
  readonly atMs: number;
  /** The run that takes too long. */
  readonly runId: string | null;
  readonly scheduleId: string | null;
  /** The reason, in a sentence. */
  readonly detail: string;
  /** When the run ended, or the job succeeded again. */
  readonly overAtMs: number | null;
};

export const timeOfDayPattern = '^([01]\\d|2[0-3]):[0-5]\\d$';

/**
 * Returns how long a run may work before it is late, given how long successes took, shortest first; null if there are
 * too few to tell.
 */
export function autoDurationMs(workMs: readonly number[]): number | null {
  if (workMs.length < leastSuccesses) return null;
  const p95 = workMs[Math.ceil(workMs.length * 0.95) - 1] ?? 0;
  return Math.max(leastAutoMs, 2 * p95);
}

const leastSuccesses = 10;
/** A run that usually takes milliseconds would be late on a busy machine. */
const leastAutoMs = 10_000;
