// Answers an approval, and refreshes the parts of the page that show it.

import { ApiProblem } from '../../client/api-problem.ts';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import type { Approval } from './waiting-approvals.ts';

export type Decision = 'approve' | 'deny';

export type Answering = {
  readonly answer: (asked: Pick<Approval, 'run_id' | 'step_id'>, decision: Decision, reason?: string) => void;
  readonly isBusy: boolean;
  /** Why the last answer was refused. */
  readonly error: string | null;
};

export function useAnswering(): Answering {
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => {
    refresh({ queryKey: ['approvals'] });
    refresh({ queryKey: ['run'] });
  });
  const answer: Answering['answer'] = ({ run_id: runId, step_id: stepId }, decision, reason = '') => {
    const comment = reason.trim();
    const body = { step_id: stepId, decision, ...(comment !== '' && { comment }) };
    void act(async (client) => {
      try {
        await client.call('approveRun', { path: { run_id: runId }, body });
      } catch (failure) {
        // Somebody else has already answered. The page shows who it was.
        if (!(failure instanceof ApiProblem) || failure.slug !== 'approval-not-pending') throw failure;
      }
    });
  };
  return { answer, isBusy, error };
}
