// Says who answered an approval, why, and why a run failed.

import type { AnswerOf } from '../contract/operations.ts';
import { otherFailures } from '../domain/outcome/step-and-message.ts';
import { stepLabel } from './step-label.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];
type Answer = NonNullable<Step['approval']>;

/** "denied by mara: “not on a Friday”" */
export function answerWords({ decision, by, comment }: Pick<Answer, 'decision' | 'by' | 'comment'>): string {
  return `${decision === 'approve' ? 'approved' : 'denied'} by ${by}${comment === null ? '' : `: “${comment}”`}`;
}

/**
 * The error of the run. It names the step if there are several, and the reason of a person who denied it, and counts
 * what else failed. Empty for a run without an error.
 */
export function whyFailed({ error, steps }: Pick<Run, 'error' | 'steps'>): string {
  if (error === null) return '';
  const denied = steps.find(({ message, approval }) => approval?.decision === 'deny' && message === error.message);
  const words = denied?.approval ? answerWords(denied.approval) : error.message;
  const step = steps.length > 1 ? steps.find(({ step_id: id }) => id === error.step_id) : undefined;
  if (!step) return words;
  return [`${stepLabel(step)}: ${words}`, otherFailures(error)].filter(Boolean).join('; ');
}
