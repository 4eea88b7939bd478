// How long the last runs of a job took, for its form, its graph and its statistics.

import type { QueryKey } from '@tanstack/react-query';
import type { AnswerOf } from '../../contract/operations.ts';
import { quantile } from '../../domain/job-times.ts';
import { type Answer, useAnswer, useRefresh } from '../session/answers.tsx';
import { useRunEvents } from '../session/streams.ts';

export type JobTimes = AnswerOf<'getJobTimes'>;
export type RunTime = JobTimes['runs'][number];

const dayMs = 86_400_000;
export const ranges = { '7d': 7, '30d': 30, '90d': 90 } as const;
export type Range = keyof typeof ranges;

const most = 500;
/** The numbers of a job that runs all the time are read at most this often. */
const settleMs = 2_000;

/** Refreshes an answer about a job when the job's runs change. */
export function useRefreshAfterRuns(queryKey: QueryKey, jobId: string): void {
  const refresh = useRefresh();
  useRunEvents({ jobId, settleMs }, { change: () => refresh({ queryKey }) });
}

export function useJobTimes(jobId: string, range: Range): Answer<JobTimes> {
  const queryKey = ['times of a job', jobId, range];
  useRefreshAfterRuns(queryKey, jobId);
  return useAnswer(
    queryKey,
    (client, signal) => {
      return client.call('getJobTimes', { query: { job_id: jobId, since: sinceOf(range), limit: most }, signal });
    },
    { staleTime: 10_000 },
  );
}

/**
 * The start of the range, rounded to a whole day. So a page that is opened again makes the same request, whose answer
 * is cached.
 */
function sinceOf(range: Range): string {
  return new Date(Math.floor(Date.now() / dayMs - ranges[range] + 1) * dayMs).toISOString();
}

/** With fewer runs, a difference may be chance. */
const leastBefore = 5;

/**
 * The numbers of the span before the selected range. Both are equally long. undefined: the earlier span had too few
 * runs.
 */
export function useBefore(jobId: string, range: Range): AnswerOf<'getStats'>['before'] | undefined {
  const { data } = useAnswer(
    ['stats of a job', jobId, range],
    (client, signal) => client.call('getStats', { query: { job_id: jobId, since: sinceOf(range) }, signal }),
    { staleTime: 60_000 },
  );
  return data && data.before.runs >= leastBefore ? data.before : undefined;
}

/**
 * How long the successful runs worked. Runs that kept steps of an earlier run are left out, because they took less
 * time.
 */
export function wholeWorkMs(runs: readonly RunTime[]): number[] {
  return runs.flatMap((run) => (isWhole(run) ? [run.work_ms] : [])).toSorted((a, b) => a - b);
}

export function isWhole({ status, kept_steps: kept }: RunTime): boolean {
  return status === 'success' && !kept;
}

/** The median of `wholeWorkMs`; null if no run counts. */
export function usualWorkMs(runs: readonly RunTime[]): number | null {
  const sorted = wholeWorkMs(runs);
  return sorted.length === 0 ? null : quantile(sorted, 0.5);
}
