// Something that was expected of a job but has not happened (ADR 0073): a run does not end in time, a success is
// overdue, or a schedule started no run for one of its times.

/** What the `expect` of a job file says. */
export type Expectation = {
  /**
   * The longest time that a run may take, without its waits for approvals. `auto` means twice the time within which
   * 95 % of the last successes ended.
   */
  readonly durationMs: number | 'auto' | null;
  /** A time of day such as `06:00`, by which a run must have succeeded. */
  readonly by: string | null;
  /** The longest time that may pass since the last success. */
  readonly everyMs: number | null;
};

export const lateKinds = ['duration', 'by', 'every', 'missed'] as const;
export type LateKind = (typeof lateKinds)[number];

export type Late = {
  readonly tenant: string;
  readonly jobId: string;
  readonly kind: LateKind;
  /** Identifies what is late, so that flwd records it only once. */
  readonly key: string;
  readonly atMs: number;
  /** The run that takes too long; null if no single run is late. */
  readonly runId: string | null;
  readonly scheduleId: string | null;
  /** The reason, as a sentence. */
  readonly detail: string;
  /** When the run ended or the job succeeded again; null if neither has happened. */
  readonly overAtMs: number | null;
};

export const timeOfDayPattern = '^([01]\\d|2[0-3]):[0-5]\\d$';

/**
 * Returns the longest time that a run may take before it is late. `workMs` contains the times that earlier successful
 * runs took, shortest first. Returns null if there were too few such runs.
 */
export function autoDurationMs(workMs: readonly number[]): number | null {
  if (workMs.length < leastSuccesses) return null;
  const p95 = workMs[Math.ceil(workMs.length * 0.95) - 1] ?? 0;
  return Math.max(leastAutoMs, 2 * p95);
}

const leastSuccesses = 10;
/**
 * `auto` is never shorter than this. Otherwise a run that usually takes milliseconds would be late on a busy machine.
 */
const leastAutoMs = 10_000;
