// Removes old counters of ended runs.

import type { Database } from '../database.ts';
import { countRows } from '../query-parts.ts';
import type { StatsSpan } from './count-stats.ts';

export type StatsBefore = { readonly span: StatsSpan; readonly beforeMs: number };

/**
 * About how many counters of `run_stats` are removed at a time. The counters of `run_times` for the same spans are
 * removed with them.
 */
const slice = 300;

/** Removes counters job by job, because the index begins with the job. Yields how many it has removed. */
export async function* removeOldStats(
  { read, transact }: Database,
  { span, beforeMs }: StatsBefore,
): AsyncGenerator<number> {
  const first = read.selectFrom('run_stats').select('job_id').where('span', '=', span).orderBy('job_id').limit(1);
  let job = await first.executeTakeFirst();
  while (job) {
    const { job_id } = job;
    const old = read
      .selectFrom('run_stats')
      .where((eb) => eb.and({ span, job_id }))
      .where('at', '<', beforeMs);
    const next = await old.select('at').orderBy('at').offset(slice).limit(1).executeTakeFirst();
    const lastMs = next?.at ?? beforeMs - 1;
    const count = await countRows(old.where('at', '<=', lastMs));
    if (count > 0) {
      await transact(async ({ db }) => {
        for (const table of ['run_stats', 'run_times'] as const) {
          await db
            .deleteFrom(table)
            .where((eb) => eb.and({ span, job_id }))
            .where('at', '<=', lastMs)
            .execute();
        }
      });
    }
    yield count;
    if (!next) job = await first.where('job_id', '>', job_id).executeTakeFirst();
  }
}

export async function countOldStats({ read }: Database, { span, beforeMs }: StatsBefore): Promise<number> {
  return countRows(read.selectFrom('run_stats').where('span', '=', span).where('at', '<', beforeMs));
}
