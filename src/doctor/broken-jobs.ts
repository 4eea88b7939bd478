// Names the jobs that have errors in their config.yaml. flwd neither runs a broken job nor reads its schedules.

import { type HostCheck, warn } from '../domain/host-check.ts';
import { listSome } from '../lib/list-some.ts';

/** @param broken the ids of the broken jobs; several jobs with the same id are all broken */
export function checkJobs({
  valid,
  broken,
}: {
  readonly valid: number;
  readonly broken: readonly string[];
}): HostCheck[] {
  if (broken.length === 0) return [];
  const are = broken.length === 1 ? 'is' : 'are';
  const all = valid + broken.length;
  const detail = `${broken.length} of ${all} ${all === 1 ? 'job' : 'jobs'} ${are} broken: ${listSome([...new Set(broken)])}`;
  return [warn('jobs', detail, 'run flwd jobs, which shows their errors')];
}
