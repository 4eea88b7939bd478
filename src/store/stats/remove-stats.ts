// Removes counters of ended runs that are past their retention.

import type { Database } from '../database.ts';
import { countRows } from '../query-parts.ts';
import type { RunStatsRow } from '../schema.ts';

export type StatsBefore = { readonly span: RunStatsRow['span']; readonly beforeMs: number };

/** Goes from job to job, because the index begins with the job. Yields how many of its counters it has removed. */
export async function* removeOldStats(
  { read, transact }: Database,
  { span, beforeMs }: StatsBefore,
): AsyncGenerator<number> {
  const first = read.selectFrom('run_stats').select('job_id').where('span', '=', span).orderBy('job_id').limit(1);
  let job = await first.executeTakeFirst();
  while (job) {
    const { job_id } = job;
    const old = await countRows(
      read
        .selectFrom('run_stats')
        .where((eb) => eb.and({ span, job_id }))
        .where('at', '<', beforeMs),
    );
    if (old > 0) {
      await transact(async ({ db }) => {
        for (const table of ['run_stats', 'run_times'] as const) {
          await db
            .deleteFrom(table)
            .where((eb) => eb.and({ span, job_id }))
            .where('at', '<', beforeMs)
            .execute();
        }
      });
    }
    yield old;
    job = await first.where('job_id', '>', job_id).executeTakeFirst();
  }
}

export async function countOldStats({ read }: Database, { span, beforeMs }: StatsBefore): Promise<number> {
  return countRows(read.selectFrom('run_stats').where('span', '=', span).where('at', '<', beforeMs));
}
