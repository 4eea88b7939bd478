// The approvals that wait for a person, for the page of approvals and for the number in the sidebar. Both use the same
// request to the server, which is repeated after events.

import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { useRefreshOn } from '../session/refresh-on.ts';
import { useScopes } from '../session/scopes.ts';

export type ApprovalList = AnswerOf<'listApprovals'>;
export type Approval = ApprovalList['approvals'][number];

const most = 200;
const telling = new Set(['step.waiting_approval', 'step.finished', 'run.finished']);
const queryKey = ['approvals'];

export function useWaitingApprovals(): Answer<ApprovalList> {
  const enabled = useScopes()('runs:read') === true;
  const answer = useAnswer<ApprovalList>(
    [...queryKey, 'waiting'],
    (client, signal) => client.call('listApprovals', { query: { limit: most }, signal }),
    { enabled },
  );
  const isWaiting = (runId: unknown): boolean => answer.data?.approvals.some((one) => one.run_id === runId) ?? true;
  // The end of a step matters only in a run that waits for an approval.
  useRefreshOn(
    queryKey,
    ({ event, data }) => telling.has(event) && (event === 'step.waiting_approval' || isWaiting(data.run_id)),
  );
  return answer;
}

/** How many approvals wait for the caller's answer. */
export function useOwnApprovalCount(): number {
  return useWaitingApprovals().data?.approvals.filter((one) => one.may_answer).length ?? 0;
}
