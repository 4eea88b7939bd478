// Numbers for the charts of a job, from its last runs.

import { quantile } from '../../domain/job-times.ts';
import { isWhole, type RunTime, wholeWorkMs } from './job-times.ts';

/** A point of the lines: the median and p95 of the last runs up to this time. */
export type Moving = { readonly at: number; readonly medianMs: number; readonly p95Ms: number };

const runsPerPoint = 15;

/** @param runs oldest first */
export function movingOf(runs: readonly RunTime[]): readonly Moving[] {
  const done = runs.filter(isWhole);
  return done.map((run, at) => {
    const sorted = done
      .slice(Math.max(0, at - runsPerPoint + 1), at + 1)
      .map(({ work_ms: ms }) => ms)
      .toSorted((a, b) => a - b);
    return { at: Date.parse(run.created_at), medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95) };
  });
}

export type RevisionChange = { readonly at: number; readonly revision: string };

/** The first run of each new revision. @param runs oldest first */
export function revisionChanges(runs: readonly RunTime[]): readonly RevisionChange[] {
  return runs.flatMap(({ revision, created_at: at }, index) => {
    const before = runs[index - 1];
    return before && before.revision !== revision ? [{ at: Date.parse(at), revision }] : [];
  });
}

/** Three or four round numbers from 0 to at least `most`. */
export function ticksUpTo(most: number): readonly number[] {
  const step = steps.find((one) => most / one <= 4) ?? Math.ceil(most / 4);
  const count = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: count + 1 }, (_, n) => n * step);
}

const milliseconds = 1;
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const steps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n * milliseconds),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * secondMs),
  ...[1, 2, 4, 5, 10, 15, 30].map((n) => n * minuteMs),
  ...[1, 2, 4, 6, 12, 24, 48].map((n) => n * hourMs),
];

export type Figures = {
  readonly runs: number;
  readonly failed: number;
  readonly successRate: number | null;
  readonly medianMs: number | null;
  readonly p95Ms: number | null;
};

/** Cancelled runs are left out, because they say nothing about success. */
export function figuresOf(runs: readonly RunTime[]): Figures {
  const succeeded = runs.filter(({ status }) => status === 'success').length;
  const failed = runs.filter(({ status }) => status === 'failed').length;
  const sorted = wholeWorkMs(runs);
  const judged = succeeded + failed;
  return {
    runs: runs.length,
    failed,
    successRate: judged === 0 ? null : succeeded / judged,
    medianMs: sorted.length === 0 ? null : quantile(sorted, 0.5),
    p95Ms: sorted.length === 0 ? null : quantile(sorted, 0.95),
  };
}
