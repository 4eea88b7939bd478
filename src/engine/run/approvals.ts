// Handles the decision on a step that waits for a person: checks who may decide, and ends the step.

import type { StepDefinition } from '../../domain/job.ts';
import { isStarter, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Decision } from '../../domain/run.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import type { Advance } from './advance.ts';
import { type Batch, newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Ending } from './step-endings.ts';

/** @throws Problem not-ready, approval-not-pending, permission-denied */
export async function approveStep(
  driven: DrivenRun,
  { end, complete, watch }: Advance,
  stepId: string,
  decision: Decision,
  by: Principal,
): Promise<void> {
  const { phase, state, run, plan } = driven;
  if (phase === 'waiting') throw new Problem('not-ready', 'The server is resuming the run after a restart.');
  const instance = state.instances.find((one) => one.stepId === stepId && one.kind === 'approval');
  if (instance?.status !== 'waiting_approval' || phase === 'over') {
    throw new Problem('approval-not-pending', `The step '${stepId}' of the run does not wait for an approval.`);
  }
  const batch = newBatch();
  const step = state.stepOf(instance);
  if (needsSomebodyElse(driven, step) && isStarter(by, { ...run, starter: plan.starter }))
    throw new Problem(
      'permission-denied',
      `${by.name} started this run, so somebody else must answer the step '${stepId}'.`,
    );
  const ending = endingOf(step, decision);
  if (isAgentApproval(step)) followAgentApproval(driven, decision, batch);
  end(instance, ending, batch, decision);
  const completed = complete(batch);
  watch(completed);
  await completed;
}

/**
 * Applies the decision on the first step of an agent's run. An approval starts the run's timeout. After a denial, no
 * other step of the run starts.
 */
function followAgentApproval(driven: DrivenRun, { decision, by }: Decision, batch: Batch): void {
  if (decision === 'deny') {
    driven.aborting = { status: 'failed', reason: 'approval_denied', message: `denied by ${by}` };
    return;
  }
  const { runMs } = driven.job.timeouts;
  if (runMs === null) return;
  const deadlineAtMs = driven.context.clock.now() + runMs;
  batch.deadlineAtMs = deadlineAtMs;
  batch.after.push(() => {
    driven.deadlineAtMs = deadlineAtMs;
    driven.services.deadlineStored(deadlineAtMs);
  });
}

/** Whether somebody other than the caller who started the run must answer. */
function needsSomebodyElse({ plan }: DrivenRun, { action }: StepDefinition): boolean {
  return action.kind === 'approval' && (action.notByStarter === true || plan.starter?.isAgent === true);
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
