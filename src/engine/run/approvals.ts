// Handles the decision on a step that waits for a person: checks who may decide, and ends the step.

import type { StepDefinition } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { Decision } from '../../domain/run.ts';
import type { Advance } from './advance.ts';
import { newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Ending } from './step-endings.ts';

/** @throws Problem not-ready, approval-not-pending, permission-denied */
export async function approveStep(
  { phase, state }: DrivenRun,
  { end, complete, watch }: Advance,
  stepId: string,
  decision: Decision,
): Promise<void> {
  if (phase === 'waiting') throw new Problem('not-ready', 'The server is resuming the run after a restart.');
  const instance = state.instances.find((one) => one.stepId === stepId && one.kind === 'approval');
  if (instance?.status !== 'waiting_approval' || phase === 'over') {
    throw new Problem('approval-not-pending', `The step '${stepId}' of the run does not wait for an approval.`);
  }
  const batch = newBatch();
  end(instance, endingOf(state.stepOf(instance), decision), batch, decision);
  const completed = complete(batch);
  watch(completed);
  await completed;
}

/** @throws Problem permission-denied when the step names other approvers */
function endingOf({ id, action }: StepDefinition, { decision, by }: Decision): Ending {
  if (action.kind === 'approval' && action.by && !action.by.includes(by)) {
    throw new Problem(
      'permission-denied',
      `The step '${id}' needs the approval of ${action.by.join(', ')}; you are ${by}.`,
    );
  }
  const nothing = { exitCode: null, outputs: {}, openOutputs: {} };
  if (decision === 'approve') return { ...nothing, status: 'success', reason: null, message: `approved by ${by}` };
  return { ...nothing, status: 'failed', reason: 'approval_denied', message: `denied by ${by}` };
}
