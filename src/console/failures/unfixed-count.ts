// How many failures are not fixed, for the number in the sidebar. The sidebar is open all day, so the number is read
// again only when a run fails, or when a job with such a failure succeeds.

import { useAnswer } from '../session/answers.tsx';
import { useRefreshOn } from '../session/refresh-on.ts';
import { useScopes } from '../session/scopes.ts';

const mostCounted = 99;
const settleMs = 5_000;
const queryKey = ['failures', 'count'];

/** @returns undefined until it is known */
export function useUnfixedCount(): { readonly least: number; readonly isMore: boolean } | undefined {
  const enabled = useScopes()('runs:read') === true;
  const { data } = useAnswer(
    queryKey,
    (client, signal) => client.call('listFailures', { query: { state: 'unfixed', limit: mostCounted }, signal }),
    { enabled },
  );
  const isFailing = (jobId: unknown): boolean => data?.failures.some((one) => one.job_id === jobId) ?? true;
  useRefreshOn(
    queryKey,
    ({ event, data: ended }) => event === 'run.finished' && (ended.status === 'failed' || isFailing(ended.job_id)),
    { settleMs },
  );
  return data && { least: data.failures.length, isMore: data.next_cursor !== null };
}
