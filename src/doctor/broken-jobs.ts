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
  const all = `${valid + broken.length} ${valid + broken.length === 1 ? 'job' : 'jobs'}`;
  const [are, them] = broken.length === 1 ? ['is', 'it'] : ['are', 'them'];
  const affected = `neither a schedule nor a person can start ${them}`;
  const detail = `${broken.length} of ${all} ${are} broken, so ${affected}: ${listSome([...new Set(broken)])}`;
  return [warn('jobs', detail, 'run flwd jobs, which shows their errors')];
}
