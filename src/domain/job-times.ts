// Computes how long the last runs of a job, and their steps, were actually running. The time that they waited for a
// slot, an approval or the next attempt does not count.

import type { RunStatus, StepKind, StepStatus } from './run.ts';

export type RunTime = {
  readonly run_id: string;
  readonly status: RunStatus;
  readonly created_at: string;
  readonly finished_at: string;
  /** The time during which at least one step was running. */
  readonly work_ms: number;
  /** True if the run kept the results of steps from an earlier run. Such a run takes less time than a full run. */
  readonly kept_steps: boolean;
  readonly revision: string;
};

export type StepTime = {
  readonly step_id: string;
  /**
   * For a step with several instances, the instance with the longest median. The times below are the times of this
   * instance.
   */
  readonly slowest_instance: string | null;
  readonly instances: number;
  /** How many of the runs executed this step. */
  readonly runs: number;
  readonly failed: number;
  readonly median_ms: number;
  readonly p95_ms: number;
};

export type JobTimes = {
  /** Only runs that have started and ended, newest first. */
  readonly runs: readonly RunTime[];
  readonly steps: readonly StepTime[];
  /** True if the job has more runs than these. */
  readonly more: boolean;
};

/** An attempt that has started and ended. */
export type TimedAttempt = {
  readonly runId: string;
  readonly stepId: string;
  readonly instanceOf: string | null;
  readonly kind: StepKind;
  readonly status: StepStatus;
  readonly attempt: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
};

export function isWork({ kind }: Pick<TimedAttempt, 'kind'>): boolean {
  return kind === 'command' || kind === 'job';
}

/** Returns the time that the intervals cover together. Time that several intervals cover counts once. */
export function unionMs(times: readonly Pick<TimedAttempt, 'startedAtMs' | 'finishedAtMs'>[]): number {
  let sum = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { startedAtMs, finishedAtMs } of times.toSorted((a, b) => a.startedAtMs - b.startedAtMs)) {
    sum += Math.max(0, finishedAtMs - Math.max(startedAtMs, until));
    until = Math.max(until, finishedAtMs);
  }
  return sum;
}

/** @param attempts the attempts of several runs. Only the last attempt of a step in a run counts. */
export function stepTimes(attempts: readonly TimedAttempt[]): StepTime[] {
  const last = new Map<string, TimedAttempt>();
  for (const attempt of attempts) {
    const key = `${attempt.runId} ${attempt.stepId}`;
    if ((last.get(key)?.attempt ?? 0) < attempt.attempt) last.set(key, attempt);
  }
  const bySteps = Map.groupBy(last.values(), ({ stepId, instanceOf }) => instanceOf ?? stepId);
  return [...bySteps].map(([id, own]) => stepTime(id, own)).toSorted((a, b) => b.median_ms - a.median_ms);
}

function stepTime(id: string, own: readonly TimedAttempt[]): StepTime {
  const instances = [...Map.groupBy(own, ({ stepId }) => stepId)].map(([stepId, of]) => ({
    stepId,
    tookMs: of.map(({ startedAtMs, finishedAtMs }) => finishedAtMs - startedAtMs).toSorted((a, b) => a - b),
  }));
  const [slowest] = instances.toSorted((a, b) => quantile(b.tookMs, 0.5) - quantile(a.tookMs, 0.5));
  const failed = new Set(own.flatMap(({ status, runId }) => (status === 'failed' ? [runId] : [])));
  return {
    step_id: id,
    slowest_instance: slowest && slowest.stepId !== id ? slowest.stepId : null,
    instances: instances.length,
    runs: new Set(own.map(({ runId }) => runId)).size,
    failed: failed.size,
    median_ms: quantile(slowest?.tookMs ?? [], 0.5),
    p95_ms: quantile(slowest?.tookMs ?? [], 0.95),
  };
}

/**
 * @param sorted the values, smallest first
 * @param share for example 0.95
 * @returns the smallest value that is greater than or equal to this share of the values
 */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
