// Finds jobs of an earlier import whose line, timer or file has changed since then. The changed line becomes a new job,
// and nobody should start both jobs.

import { basename } from 'node:path';
import type { Found, FoundJob } from './found-job.ts';
import { originLines } from './job-draft.ts';
import { type ImportRecord, isExport, keyOf, type Recorded } from './record.ts';

/** What `origin.place` contains for lines that were read from standard input. */
export const standardInput = 'standard input';

type Named = {
  readonly keyOf: (one: Found) => string;
  /** Keys of lines that a takeover has turned into comments. They are still in the crontab. */
  readonly kept: readonly string[];
  /** The folder for a job with this name, before a number is added because the folder is taken. */
  readonly folderOf: (name: string) => string;
};

/**
 * Finds for each new job the earlier job that it replaces. The line of the earlier job must have been in the same
 * place, or in another export, and must be gone. In addition, the two jobs must have the same name, or be the only two
 * of one place with these times.
 */
export function earlierForms(
  found: readonly Found[],
  recorded: readonly Recorded[],
  { kept, ...names }: Named,
): Map<FoundJob, Recorded> {
  const known = new Set(recorded.map(({ record }) => keyOf(record)));
  const present = new Set([...found.map(names.keyOf), ...kept]);
  const fresh = found.filter((one): one is FoundJob => one.kind === 'job' && !known.has(names.keyOf(one)));
  const gone = new Set(recorded.filter(({ record }) => !present.has(keyOf(record))));
  const earlier = new Map<FoundJob, Recorded>();
  const pair = (job: FoundJob, one: Recorded | undefined): void => {
    if (one === undefined) return;
    earlier.set(job, one);
    gone.delete(one);
  };
  for (const job of fresh) {
    const folder = basename(names.folderOf(job.name));
    const isNamed = ({ dir }: Recorded): boolean =>
      basename(dir) === folder || basename(dir).replace(/-\d+$/, '') === folder;
    const named = [...gone].filter((one) => mayBeOfPlace(one, job) && isNamed(one));
    pair(job, named.find((one) => hasTimesOf(one, job)) ?? named[0]);
  }
  // Jobs from standard input are not compared by their times, because each input may be a different crontab.
  const left = fresh.filter((one) => !earlier.has(one) && one.origin.place !== standardInput);
  for (const job of left) {
    const timed = [...gone].filter((one) => isOfPlace(one, job) && hasTimesOf(one, job));
    const rivals = left.filter((other) => other !== job && timed.some((one) => hasTimesOf(one, other)));
    if (timed.length === 1 && rivals.length === 0) pair(job, timed[0]);
  }
  return earlier;
}

function mayBeOfPlace(one: Recorded, job: FoundJob): boolean {
  return isOfPlace(one, job) || (one.record.kind === job.origin.kind && isExport(job.origin.kind));
}

function isOfPlace({ record }: Recorded, { origin }: FoundJob): boolean {
  return record.kind === origin.kind && record.place === origin.place;
}

function hasTimesOf({ record }: Recorded, { schedules }: FoundJob): boolean {
  return schedules.length > 0 && timesOf(record.schedules) === timesOf(schedules);
}

function timesOf(schedules: ImportRecord['schedules']): string {
  return JSON.stringify(schedules.map(({ cron, timezone }) => [cron, timezone]));
}

/** @param folder of the earlier job, as the user would type it */
export function earlierNote({ record }: Recorded, folder: string): string {
  const [first = ''] = originLines(record.text);
  return (
    `${folder} was imported from an entry that no longer exists: ${first}. If this job replaces it, copy your changes ` +
    `from ${folder} and delete that job, so that nobody releases both`
  );
}
