// Finds the run with which a run is compared: the last earlier run of its job that succeeded.

import type { AnswerOf } from '../contract/operations.ts';
import type { Client } from './client.ts';

type Run = AnswerOf<'getRun'>;

/** Returns null if no run of the job that was created before this one has succeeded. */
export async function lastSuccessBefore(client: Client, run: Run, signal?: AbortSignal): Promise<Run | null> {
  const given = signal && { signal };
  const { runs } = await client.call('listRuns', {
    query: { job_id: run.job_id, tenant: run.tenant, status: 'success', until: run.created_at, limit: 1 },
    ...given,
  });
  const [last] = runs;
  return last ? client.call('getRun', { path: { run_id: last.run_id }, ...given }) : null;
}
