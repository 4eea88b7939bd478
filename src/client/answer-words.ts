// Says who answered an approval, and why.

import type { AnswerOf } from '../contract/operations.ts';

type Run = AnswerOf<'getRun'>;
type Answer = NonNullable<Run['steps'][number]['approval']>;

/** "denied by mara: “not on a Friday”" */
export function answerWords({ decision, by, comment }: Pick<Answer, 'decision' | 'by' | 'comment'>): string {
  return `${decision === 'approve' ? 'approved' : 'denied'} by ${by}${comment === null ? '' : `: “${comment}”`}`;
}

/** The error of the run; if it is that somebody denied a step, with the reason. Empty for a run without an error. */
export function errorWithReason({ error, steps }: Pick<Run, 'error' | 'steps'>): string {
  if (error === null) return '';
  const denied = steps.find(({ message, approval }) => approval?.decision === 'deny' && message === error.message);
  return denied?.approval ? answerWords(denied.approval) : error.message;
}
