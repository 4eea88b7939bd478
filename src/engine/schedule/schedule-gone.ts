// Warns about schedules that no source has any more. If they are missing when a server starts, perhaps it was started
// in another folder, or with other sources, or their jobs are broken. If they disappear later, somebody has removed the
// job or moved its folder.

import { type Catalog, entryOrNone } from '../../catalog/catalog.ts';
import type { Schedule, ScheduleState } from '../../domain/schedule.ts';
import { listSome } from '../../lib/list-some.ts';
import type { Logger } from '../../lib/logger.ts';

/**
 * Names jobs that have lost all their schedules.
 * @param gone the states of the schedules that were active when the last server stopped, and that no longer exist
 * @param present all schedules that exist now
 */
export function warnOfGone(
  gone: readonly ScheduleState[],
  present: Iterable<Schedule>,
  log: Pick<Logger, 'warn'>,
): void {
  const withSchedule = new Set([...present].map(({ jobId }) => jobId));
  const lost = new Set(gone.flatMap(({ jobId }) => (jobId === null || withSchedule.has(jobId) ? [] : jobId)));
  if (lost.size === 0) return;
  log.warn(
    { jobs: listSome([...lost].toSorted()) },
    'schedules of the last server are gone, so nothing starts their jobs',
  );
}

/** Names the jobs that are broken at the start. When a job breaks later, the catalog logs that. */
export function warnOfBroken(jobs: readonly string[], log: Pick<Logger, 'warn'>): void {
  if (jobs.length === 0) return;
  log.warn({ jobs: listSome(jobs) }, 'the schedules of these jobs start nothing until the jobs are corrected');
}

/**
 * Names the jobs that are gone with their schedules. A schedule that somebody removed from a config.yaml is not worth a
 * warning.
 */
export function warnOfRemoved(
  removed: readonly Schedule[],
  { catalog, log }: { readonly catalog: Catalog; readonly log: Logger },
): void {
  const jobs = [...new Set(removed.map(({ jobId }) => jobId))].filter((jobId) => !entryOrNone(jobId, catalog));
  if (jobs.length === 0) return;
  log.warn(
    { jobs: listSome(jobs.toSorted()) },
    'jobs with schedules are gone from their source, so nothing starts them',
  );
}
