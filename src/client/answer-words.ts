// Says who approved or denied a step, and with which comment. Also says why a run failed, and what to change.

import type { AnswerOf } from '../contract/operations.ts';
import { otherFailures } from '../domain/outcome/step-and-message.ts';
import { stepLabel } from '../domain/outcome/step-label.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];
type Answer = NonNullable<Step['approval']>;

/** For example "denied by mara: “not on a Friday”". */
export function answerWords({ decision, by, comment }: Pick<Answer, 'decision' | 'by' | 'comment'>): string {
  return `${decision === 'approve' ? 'approved' : 'denied'} by ${by}${comment === null ? '' : `: “${comment}”`}`;
}

/**
 * Describes the error of a run. If the run has several steps, names the failed step, and counts the other failed steps.
 * If a person denied the step, gives the person's reason. Empty for a run without an error.
 */
export function whyFailed({ error, steps }: Pick<Run, 'error' | 'steps'>): string {
  if (error === null) return '';
  const denied = steps.find(({ message, approval }) => approval?.decision === 'deny' && message === error.message);
  const words = denied?.approval ? answerWords(denied.approval) : error.message;
  const step = steps.length > 1 ? steps.find(({ step_id: id }) => id === error.step_id) : undefined;
  if (!step) return words;
  return [`${stepLabel(step)}: ${words}`, otherFailures(error)].filter(Boolean).join('; ');
}

/** What to change in the job. A run that succeeded has a hint if one of its scripts lacked a program. */
export function hintOf({ status, error, steps }: Pick<Run, 'status' | 'error' | 'steps'>): string | undefined {
  if (status !== 'success') return error?.hint;
  return steps.find((step) => step.status === 'success' && step.hint !== null)?.hint ?? undefined;
}
