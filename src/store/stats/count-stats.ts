// Counts a run when it ends, by hour and by day: for its job and, unless it is a sub-run, for all jobs together. Two
// statements do this, because a statement costs more than a row.

import type { Kysely, NotNull } from 'kysely';
import { bucketOf } from '../../domain/duration-buckets.ts';
import { unionMs } from '../../domain/job-times.ts';
import type { RunStatus, Trigger } from '../../domain/run.ts';
import { prepareQueries, prepareQuery } from '../prepared-query.ts';
import { isKeptWork, isStartedHere } from '../run/started-here.ts';
import type { RunStatsRow, RunTimesRow, Schema } from '../schema.ts';

export type StatsSpan = RunStatsRow['span'];
export const spanMs = { hour: 3_600_000, day: 86_400_000 } as const satisfies Record<StatsSpan, number>;

export type CountedRun = {
  readonly id: string;
  readonly job_id: string;
  readonly tenant: string;
  readonly status: RunStatus;
  readonly trigger: Trigger['type'];
  readonly created_at: number;
  readonly started_at: number | null;
  readonly finished_at: number;
};

/** The counters of all jobs together have this as their job. */
export const ofAllJobs = '';

/**
 * `other` is a second job for which the run is counted. A sub-run counts only for its own job, so it has no `other`.
 */
type Places = {
  readonly hour: number;
  readonly day: number;
  readonly job: string;
  readonly other?: string;
  readonly tenant: string;
};

function placesOf({ hour, day, job, other }: Places): Pick<RunStatsRow, 'span' | 'job_id' | 'at'>[] {
  return [job, ...(other === undefined ? [] : [other])].flatMap((jobId) => [
    { span: 'hour' as const, job_id: jobId, at: hour },
    { span: 'day' as const, job_id: jobId, at: day },
  ]);
}

const addRuns = prepareQueries((db, values: Places & Pick<RunStatsRow, 'success' | 'failed' | 'cancelled'>) => {
  const { tenant, success, failed, cancelled } = values;
  return db
    .insertInto('run_stats')
    .values(placesOf(values).map((place) => ({ ...place, tenant, success, failed, cancelled })))
    .onConflict((conflict) =>
      conflict.columns(['span', 'job_id', 'at', 'tenant']).doUpdateSet((eb) => ({
        success: eb('run_stats.success', '+', eb.ref('excluded.success')),
        failed: eb('run_stats.failed', '+', eb.ref('excluded.failed')),
        cancelled: eb('run_stats.cancelled', '+', eb.ref('excluded.cancelled')),
      })),
    );
});

/** Only a successful run that kept no steps of an earlier run has `took`. */
const addTimes = prepareQueries((db, values: Places & { readonly waited: number; readonly took?: number }) => {
  const { tenant, waited, took } = values;
  const times: Pick<RunTimesRow, 'measure' | 'bucket'>[] = [{ measure: 'waited', bucket: waited }];
  if (took !== undefined) times.push({ measure: 'took', bucket: took });
  return db
    .insertInto('run_times')
    .values(placesOf(values).flatMap((place) => times.map((time) => ({ ...place, ...time, tenant, count: 1 }))))
    .onConflict((conflict) =>
      conflict
        .columns(['span', 'job_id', 'at', 'measure', 'bucket', 'tenant'])
        .doUpdateSet((eb) => ({ count: eb('run_times.count', '+', eb.ref('excluded.count')) })),
    );
});

/** Selects the steps that do not count as work of the run: approvals, and steps that were kept from an earlier run. */
const selectNotWork = prepareQuery((db, { id }: { readonly id: string }) =>
  db
    .selectFrom('steps')
    .select(['kind', 'epoch', 'started_at', 'finished_at'])
    .where('run_id', '=', id)
    .where((eb) => eb.or([eb('kind', '=', 'approval'), eb('epoch', '=', 0)]))
    .where('started_at', 'is not', null)
    .$narrowType<{ started_at: NotNull }>(),
);

export async function countStats(db: Kysely<Schema>, run: CountedRun): Promise<void> {
  const { finished_at: endedAt, started_at: startedAt, status } = run;
  const places = {
    hour: endedAt - (endedAt % spanMs.hour),
    day: endedAt - (endedAt % spanMs.day),
    job: run.job_id,
    tenant: run.tenant,
    ...(run.trigger !== 'job' && { other: ofAllJobs }),
  };
  const one = (of: RunStatus) => (status === of ? 1 : 0);
  await addRuns(db, { ...places, success: one('success'), failed: one('failed'), cancelled: one('cancelled') });
  if (startedAt === null) return;
  const waited = bucketOf(startedAt - run.created_at);
  if (status !== 'success') return void (await addTimes(db, { ...places, waited }));
  const steps = await selectNotWork(db, { id: run.id });
  if (steps.some(isKeptWork)) return void (await addTimes(db, { ...places, waited }));
  // The time in which an approval waits for its answer does not count as work.
  const askedMs = unionMs(
    steps
      .filter(isStartedHere)
      .map(({ started_at: startedAtMs, finished_at: end }) => ({ startedAtMs, finishedAtMs: end ?? endedAt })),
  );
  await addTimes(db, { ...places, waited, took: bucketOf(endedAt - startedAt - askedMs) });
}
