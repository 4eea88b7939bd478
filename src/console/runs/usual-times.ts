// How long runs of a job usually take: the median of the runs of 30 days that succeeded.

import { useMemo } from 'react';
import { useAnswer } from '../session/answers.tsx';
import type { RunRow } from '../words.ts';

const staleMs = 300_000;
const mostJobs = 150;

/**
 * The usual duration by job. null: the job has no usual duration. If a job is missing, its usual duration is not known
 * yet.
 */
export type UsualTimes = ReadonlyMap<string, number | null>;

export function useUsualTimes(rows: readonly RunRow[]): UsualTimes | undefined {
  const ids = useMemo(() => firstJobs(rows).toSorted().join(','), [rows]);
  const { data } = useAnswer(
    ['usual times', ids],
    (client, signal) => client.call('getJobStats', { query: { ids }, signal }),
    { enabled: ids !== '', staleTime: staleMs, placeholderData: (before) => before },
  );
  return useMemo(() => data && new Map(data.jobs.map(({ job_id: id, duration }) => [id, duration.p50_ms])), [data]);
}

/** Returns the jobs of the first rows. Stops when there are enough jobs, because there may be thousands of rows. */
function firstJobs(rows: readonly RunRow[]): string[] {
  const ids = new Set<string>();
  for (const { job_id: id } of rows) {
    ids.add(id);
    if (ids.size === mostJobs) break;
  }
  return [...ids];
}
