// Failed runs with the same message, whatever their job. Messages are compared as on the page of failures.

import { withoutDetails } from '../../domain/outcome/failure-words.ts';
import { errorWords, type RunRow, reasonWords } from '../words.ts';

export type FailureGroup = {
  /** That of the newest run. */
  readonly message: string;
  readonly jobIds: readonly string[];
  /** Newest first. */
  readonly runs: readonly RunRow[];
};

/** Most runs first. */
export function groupFailures(runs: readonly RunRow[]): FailureGroup[] {
  const groups = Map.groupBy(runs, (run) => withoutDetails(messageOf(run)));
  return [...groups.values()]
    .map((of) => ({
      message: of[0] ? messageOf(of[0]) : '',
      runs: of,
      jobIds: [...new Set(of.map(({ job_id: id }) => id))],
    }))
    .toSorted((a, b) => b.runs.length - a.runs.length);
}

function messageOf({ error, reason }: RunRow): string {
  return error ? errorWords(error.message) : reasonWords(reason);
}

/** How many runs failed in each hour of the last day, the current hour last. */
export function byHour(runs: readonly RunRow[], nowMs: number): number[] {
  const hourMs = 3_600_000;
  const hours = Array.from({ length: 24 }, () => 0);
  for (const { finished_at: at, created_at: createdAt } of runs) {
    const hour = 23 - Math.floor((nowMs - Date.parse(at ?? createdAt)) / hourMs);
    if (hour >= 0 && hour < 24) hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return hours;
}
