// The reason why no trigger and no webhook starts a run while flwd.yaml pauses all of them (ADR 0078).

import { Problem } from '../problem.ts';

export const triggersPausedWords = 'scheduler.triggers_paused in flwd.yaml pauses all triggers and webhooks';
const answer = `${triggersPausedWords}.`;

/** Returns the problem that says why nothing starts. Senders of deliveries try again after `not-ready`. */
export function triggersPausedProblem(): Problem {
  return new Problem('not-ready', answer);
}

/** Whether a refusal was caused by this pause. A refusal for another reason may have the same type. */
export function isTriggersPaused({ detail }: { readonly detail: string }): boolean {
  return detail === answer;
}
