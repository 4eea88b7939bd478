// What waits for a person, for the page of approvals and for the number in the sidebar. All readers share one answer,
// which events refresh.

import { useRef } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { useRunEvents } from '../session/streams.ts';

export type ApprovalList = AnswerOf<'listApprovals'>;
export type Approval = ApprovalList['approvals'][number];

const most = 200;
const telling = new Set(['step.waiting_approval', 'step.finished', 'run.finished']);
const queryKey = ['approvals'];

export function useWaitingApprovals(): Answer<ApprovalList> {
  const refresh = useRefresh();
  const hasChanged = useRef(false);
  const enabled = useScopes()('runs:read') === true;
  const answer = useAnswer<ApprovalList>(
    [...queryKey, 'waiting'],
    (client, signal) => client.call('listApprovals', { query: { limit: most }, signal }),
    { enabled },
  );
  const isWaiting = (runId: unknown): boolean => answer.data?.approvals.some((one) => one.run_id === runId) ?? true;
  useRunEvents(
    {},
    {
      frame({ event, data }) {
        if (!telling.has(event)) return;
        // The other steps that end are no approvals.
        hasChanged.current ||= event === 'step.waiting_approval' || isWaiting(data.run_id);
      },
      open() {
        hasChanged.current = true;
      },
      change() {
        if (hasChanged.current) refresh({ queryKey });
        hasChanged.current = false;
      },
    },
  );
  return answer;
}

/** For the sidebar: how many approvals wait, and how many of them the caller may answer. */
export function useApprovalCount(): { readonly waiting: number; readonly mine: number } | undefined {
  const { data } = useWaitingApprovals();
  return data && { waiting: data.total, mine: data.approvals.filter((one) => one.may_answer).length };
}
