// Groups failed runs by their message, whatever their job. Messages are compared as on the page of failures.

import { withoutDetails } from '../../domain/outcome/failure-words.ts';
import { errorWords, type RunRow, reasonWords } from '../words.ts';

export type FailureGroup = {
  /** The message of the newest run. */
  readonly message: string;
  readonly jobIds: readonly string[];
  /** Newest first. */
  readonly runs: readonly RunRow[];
  /** Every job of the group has succeeded since. */
  readonly isFixed: boolean;
};

/** The groups with the most runs come first. @param fixed the last run of each failure that is fixed */
export function groupFailures(runs: readonly RunRow[], fixed: ReadonlySet<string> = new Set()): FailureGroup[] {
  const groups = Map.groupBy(runs, (run) => withoutDetails(messageOf(run)));
  return [...groups.values()]
    .map((of) => ({
      message: of[0] ? messageOf(of[0]) : '',
      runs: of,
      jobIds: [...new Set(of.map(({ job_id: id }) => id))],
      isFixed: lastOfJobs(of).every(({ run_id: id }) => fixed.has(id)),
    }))
    .toSorted((a, b) => b.runs.length - a.runs.length);
}

/** The newest run of each job in each tenant. @param runs newest first */
function lastOfJobs(runs: readonly RunRow[]): readonly RunRow[] {
  const last = new Map<string, RunRow>();
  for (const run of runs.toReversed()) last.set(`${run.tenant} ${run.job_id}`, run);
  return [...last.values()];
}

function messageOf({ error, reason }: RunRow): string {
  return error ? errorWords(error.message) : reasonWords(reason);
}

/** How many runs failed in each hour of the last day. The current hour is the last. */
export function byHour(runs: readonly RunRow[], nowMs: number): number[] {
  const hourMs = 3_600_000;
  const hours = Array.from({ length: 24 }, () => 0);
  for (const { finished_at: at, created_at: createdAt } of runs) {
    const hour = 23 - Math.floor((nowMs - Date.parse(at ?? createdAt)) / hourMs);
    if (hour >= 0 && hour < 24) hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return hours;
}
