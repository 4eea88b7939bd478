// Says why a run failed in a list or a notification, where its steps are not shown.

import { stepIdOfSingle } from '../job.ts';
import type { RunError } from '../run.ts';

/** "test: exited with code 1"; for a job without steps only the message. */
export function stepAndMessage({ message, step_id: stepId }: Pick<RunError, 'message' | 'step_id'>): string {
  return stepId === undefined || stepId === stepIdOfSingle ? message : `${stepId}: ${message}`;
}
