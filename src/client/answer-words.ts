// Says who answered an approval, why, and why a run failed.

import type { AnswerOf } from '../contract/operations.ts';
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
 * the other instances that failed. Empty for a run without an error.
 */
export function whyFailed({ error, steps }: Pick<Run, 'error' | 'steps'>): string {
  if (error === null) return '';
  const denied = steps.find(({ message, approval }) => approval?.decision === 'deny' && message === error.message);
  const words = denied?.approval ? answerWords(denied.approval) : error.message;
  const step = steps.length > 1 ? steps.find(({ step_id: id }) => id === error.step_id) : undefined;
  if (!step) return words;
  return [`${stepLabel(step)}: ${words}`, otherFailures(steps, step)].filter(Boolean).join('; ');
}

/** "3 other instances failed", besides the one that the error names; empty if there are no others. */
export function otherFailures(steps: readonly Step[], failed: Step | null): string {
  const count = steps.filter(
    (step) =>
      step.instance_of !== null &&
      step.instance_of === failed?.instance_of &&
      step.step_id !== failed.step_id &&
      step.status === 'failed',
  ).length;
  return count === 0 ? '' : `${count} other ${count === 1 ? 'instance' : 'instances'} failed`;
}
