// Limits which jobs a caller may use (ADR 0067).

import { matchesJob } from '../notification.ts';

/**
 * The jobs that a caller may see. All other jobs, and what belongs to them, look to this caller as if they did not
 * exist.
 */
export type JobLimit = Readonly<ReturnType<typeof createJobLimit>>;

const tagPrefix = 'tag:';

/** For example `tag:agent`, `reports/**` or `backup/daily`. */
export const jobLimitPattern = '^(tag:[^\\s,]{1,64}|[A-Za-z0-9._*-]+(/[A-Za-z0-9._*-]+)*)$';

/**
 * @param only `tag:NAME`, or patterns of job ids
 * @param tagsOf returns the tags of a job; an empty list if the job does not come from a trusted source
 */
export function createJobLimit(only: readonly string[], tagsOf: (jobId: string) => readonly string[]) {
  const tags = only.filter((one) => one.startsWith(tagPrefix)).map((one) => one.slice(tagPrefix.length));
  const patterns = only.filter((one) => !one.startsWith(tagPrefix));
  return {
    only,
    has: (jobId: string): boolean =>
      patterns.some((pattern) => matchesJob(pattern, jobId)) ||
      (tags.length > 0 && tagsOf(jobId).some((tag) => tags.includes(tag))),
  };
}
