// What a run is compared with: the last success of its job before it, in its own tenant, and the job's usual duration.

import { useAnswer } from '../session/answers.tsx';
import type { Run } from '../words.ts';

/** null: the job has not succeeded before; undefined: not known yet. */
export function useLastSuccess(run: Run): Run | null | undefined {
  const { data } = useAnswer(
    ['last success', run.run_id],
    async (client, signal) => {
      const { runs } = await client.call('listRuns', {
        query: { job_id: run.job_id, tenant: run.tenant, status: 'success', until: run.created_at, limit: 1 },
        signal,
      });
      const [last] = runs;
      return last ? client.call('getRun', { path: { run_id: last.run_id }, signal }) : null;
    },
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return data;
}

/** The median duration of the successes of the last 30 days; null: nobody knows; undefined: not known yet. */
export function useUsualMs(jobId: string): number | null | undefined {
  const { data } = useAnswer(
    ['usual', jobId],
    (client, signal) => client.call('getJobStats', { query: { ids: jobId }, signal }),
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return data && (data.jobs[0]?.duration.p50_ms ?? null);
}
