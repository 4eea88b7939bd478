// Says in a few words why a run failed, for lists and notifications, which do not show the steps.

import { stepIdOfSingle } from '../job.ts';
import type { RunError } from '../run.ts';

/**
 * For example `test: exited with code 1; 2 other steps failed`. For a job without steps, only the message.
 * @param label the name of the step for people; by default, its id
 */
export function stepAndMessage(error: RunError, label = error.step_id): string {
  const { message, step_id: stepId } = error;
  const words = stepId === undefined || stepId === stepIdOfSingle ? message : `${label}: ${message}`;
  return [words, otherFailures(error)].filter(Boolean).join('; ');
}

/**
 * For example `3 other instances failed, 1 other step failed`. Empty if nothing failed besides the step that the error
 * names.
 */
export function otherFailures({ other_failures: others }: Pick<RunError, 'other_failures'>): string {
  if (others === undefined) return '';
  const { instances, steps } = others;
  const parts = [instances > 0 && otherWords(instances, 'instance'), steps > 0 && otherWords(steps, 'step')];
  return parts.filter((part) => part !== false).join(', ');
}

function otherWords(count: number, what: 'instance' | 'step'): string {
  return `${count} other ${what}${count === 1 ? '' : 's'} failed`;
}
