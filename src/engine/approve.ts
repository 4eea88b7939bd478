// Hands the decision on an approval to the run controller that waits for it.

import { Problem } from '../domain/problem.ts';
import type { Store } from '../store/open.ts';
import type { Caller } from './create.ts';
import type { Resumption } from './resumption.ts';
import type { RunRegister } from './run-register.ts';

type ApprovalRequest = {
  readonly step_id: string;
  readonly decision: 'approve' | 'deny';
  readonly comment?: string;
};

/** @throws Problem run-not-found, approval-not-pending, permission-denied, not-ready */
export type Approve = (runId: string, request: ApprovalRequest, caller: Caller) => Promise<void>;

export function createApprove(o: {
  readonly store: Store;
  readonly register: RunRegister;
  readonly resumption: Pick<Resumption, 'isDone'>;
}): Approve {
  return async (runId, { step_id: stepId, decision, comment = null }, { principal }) => {
    await o.store.runs.assertThere(runId, principal);
    const controller = o.register.controllerOf(runId);
    if (controller) return controller.approve(stepId, { decision, by: principal.name, comment }, principal);
    if (!o.resumption.isDone) throw new Problem('not-ready', 'The server is resuming its runs after a restart.');
    const { status = 'gone' } = (await o.store.runs.summary(runId)) ?? {};
    throw new Problem('approval-not-pending', `The run '${runId}' is ${status}.`);
  };
}
