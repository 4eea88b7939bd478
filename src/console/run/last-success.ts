// What a run is compared with: the last success of the same job and tenant before the run, and the usual duration of
// the job.

import { lastSuccessBefore } from '../../client/last-success.ts';
import { useAnswer } from '../session/answers.tsx';
import type { Run } from '../words.ts';

/** The last success of the job before this run; null: the job has not succeeded before; undefined: not known yet. */
export function useLastSuccess(run: Run): Run | null | undefined {
  const { data } = useAnswer(['last success', run.run_id], (client, signal) => lastSuccessBefore(client, run, signal), {
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data;
}

/** A success of the job after the run failed; null: there is no such run; undefined: not known yet. */
export function useLaterSuccess(run: Run): string | null | undefined {
  const { job_id, tenant, created_at: since } = run;
  const query = { job_id, tenant, status: 'success', since, limit: 1 } as const;
  const { data } = useAnswer(
    ['later success', run.run_id],
    async (client, signal) => (await client.call('listRuns', { query, signal })).runs[0]?.run_id ?? null,
    { enabled: run.status === 'failed' },
  );
  return data;
}

/** The median duration of the successes of the last 30 days; null: no run succeeded; undefined: not known yet. */
export function useUsualMs(jobId: string): number | null | undefined {
  const { data } = useAnswer(
    ['usual', jobId],
    (client, signal) => client.call('getJobStats', { query: { ids: jobId }, signal }),
    { staleTime: Number.POSITIVE_INFINITY },
  );
  return data && (data.jobs[0]?.duration.p50_ms ?? null);
}
