// How long the last successful runs of a job took, without waiting. This is read when it is needed, and cached until a
// run of the job ends (ADR 0073).

import { LRUCache } from 'lru-cache';
import { quantile } from '../../domain/job-times.ts';
import type { Hub } from '../../engine/hub.ts';
import type { Store } from '../../store/open.ts';
import type { JobOfTenant } from '../../store/run/recent-work.ts';

export type UsualWork = {
  /** The median in milliseconds; null for a job that has not succeeded. */
  readonly medianMs: (job: JobOfTenant) => Promise<number | null>;
};

const mostJobs = 5_000;

export function createUsualWork({ store, hub }: { readonly store: Pick<Store, 'runs'>; readonly hub: Hub }): UsualWork {
  // The cache contains promises. So an entry is removed even if a run ends while the entry is still being read.
  const known = new LRUCache<string, Promise<readonly number[]>>({ max: mostJobs });
  hub.onEvents((entries) => {
    if (known.size === 0) return;
    for (const { type, ...job } of entries) if (type === 'run.finished') known.delete(keyOf(job));
  });

  function workOf(job: JobOfTenant): Promise<readonly number[]> {
    const key = keyOf(job);
    const found = known.get(key);
    if (found) return found;
    const reading = store.runs.recentWork(job);
    known.set(key, reading);
    reading.catch(() => known.delete(key));
    return reading;
  }

  return {
    async medianMs(job) {
      const work = await workOf(job);
      return work.length === 0 ? null : quantile(work, 0.5);
    },
  };
}

function keyOf({ tenant, jobId }: JobOfTenant): string {
  return `${tenant} ${jobId}`;
}
