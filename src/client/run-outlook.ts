// Says how far a run is, and how much time it still needs. Both are estimated from the progress that the run reports.
// Without such a report, they are estimated from how long runs of the job usually take.

import type { AnswerOf } from '../contract/operations.ts';
import { secondsWords, workMs } from './took.ts';

type RunRow = AnswerOf<'listRuns'>['runs'][number];

export type RunOutlook = {
  /** The share of the run that is done, from 0 to 1; null if it is not known. */
  readonly share: number | null;
  readonly words: string;
  readonly isLong: boolean;
};

type WorkingRun = Pick<RunRow, 'started_at' | 'finished_at' | 'waiting_approval' | 'approval_ms' | 'progress'>;

/** The least progress from which the remaining time is estimated. */
const leastPercent = 5;
const mostShare = 0.97;
const earlyShare = 0.1;

/**
 * @param usualMs - how long runs of the job usually take. null: this is not known. undefined: it is not known yet, so
 * nothing is said about the remaining time.
 */
export function outlookOf(run: WorkingRun, usualMs: number | null | undefined, nowMs: number): RunOutlook {
  const elapsedMs = workMs(run, nowMs) ?? 0;
  const percent = run.progress?.percent ?? 0;
  if (usualMs === undefined) return { share: percent >= leastPercent ? percent / 100 : null, words: '', isLong: false };
  if (percent >= leastPercent) {
    // A run that has just started may report progress that it took over from an earlier run.
    const isEarly = usualMs !== null && elapsedMs < usualMs * earlyShare;
    const leftMs = ((isEarly ? (usualMs * percent) / 100 : elapsedMs) * (100 - percent)) / percent;
    return { share: percent / 100, words: leftWords(leftMs), isLong: false };
  }
  if (usualMs === null) return { share: null, words: '', isLong: false };
  if (elapsedMs > usualMs)
    return { share: null, words: `${whole(elapsedMs - usualMs, 'a little')} longer than usual`, isLong: true };
  return { share: Math.min(mostShare, elapsedMs / usualMs), words: leftWords(usualMs - elapsedMs), isLong: false };
}

function leftWords(ms: number): string {
  return `${ms < 1_000 ? '' : 'about '}${whole(ms, 'less than 1 s')} left`;
}

/** Rounds an estimate. Only estimates below ten seconds are precise to the second. */
function whole(ms: number, lessThanOne: string): string {
  if (ms < 1_000) return lessThanOne;
  const stepMs = ms < 10_000 ? 1_000 : ms < 60_000 ? 5_000 : ms < 600_000 ? 10_000 : 60_000;
  return secondsWords(Math.round(ms / stepMs) * stepMs);
}
