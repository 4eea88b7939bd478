// Says why a run failed in a list, where its steps are not known.

import type { AnswerOf } from '../contract/operations.ts';
import { stepIdOfSingle } from '../domain/job.ts';

type RunError = NonNullable<AnswerOf<'getRun'>['error']>;

/** "test: exited with code 1"; for a job without steps only the message. */
export function whyFailedInList({ message, step_id: stepId }: RunError): string {
  return stepId === undefined || stepId === stepIdOfSingle ? message : `${stepId}: ${message}`;
}
