// What becomes of a step that waits for an approval, once somebody has decided.

import type { StepDefinition } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { Decision } from '../../domain/run.ts';
import type { Ending } from './run-state.ts';

/** @throws Problem permission-denied where the step names others */
export function endingOfApproval({ id, action }: StepDefinition, { decision, by }: Decision): Ending {
  if (action.kind === 'approval' && action.by && !action.by.includes(by)) {
    throw new Problem(
      'permission-denied',
      `The step '${id}' asks for the approval of ${action.by.join(', ')}; you are ${by}.`,
    );
  }
  const nothing = { exitCode: null, outputs: {}, openOutputs: {} };
  if (decision === 'approve') return { ...nothing, status: 'success', reason: null, message: `approved by ${by}` };
  return { ...nothing, status: 'failed', reason: 'approval_denied', message: `denied by ${by}` };
}
