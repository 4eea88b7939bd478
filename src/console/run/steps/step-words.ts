// Says something about a step beside its name, in a few words.

import { answerWords } from '../../../client/answer-words.ts';
import { isKept, keptWords } from '../../../client/shown-steps.ts';
import { tookWords } from '../../../client/took.ts';
import type { StepStatus } from '../../../domain/run.ts';
import { errorWords, localTime, type Run, reasonWords, type Step } from '../../words.ts';

export const statusVerbs: Readonly<Record<StepStatus, string>> = {
  pending: 'not started',
  running: 'running',
  success: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
  skipped: 'did not run',
  waiting_approval: 'waiting for approval',
};

/** "8, with 15 instances". */
export function stepCountWords(steps: readonly Step[]): string {
  const own = steps.filter(({ instance_of: of }) => of === null).length;
  const withoutGroups = steps.filter(({ kind }) => kind !== 'group').length;
  return withoutGroups > own ? `${own}, with ${withoutGroups} instances` : String(own);
}

/** "1 of 6 failed", "3 of 6 done", "6 instances". */
export function instancesWords(instances: readonly Step[]): { readonly text: string; readonly isFailed: boolean } {
  const count = (status: StepStatus): number => instances.filter((one) => one.status === status).length;
  const all = instances.length;
  const bad = (['failed', 'waiting_approval', 'cancelled'] as const).find((status) => count(status) > 0);
  if (bad) return { text: `${count(bad)} of ${all} ${statusVerbs[bad]}`, isFailed: bad === 'failed' };
  const open = count('pending') + count('running');
  return { text: open > 0 ? `${all - open} of ${all} done` : `${all} instances`, isFailed: false };
}

/** How long a step took. A step for an approval only waits, so its time is called a wait. */
export function stepTime(step: Step, nowMs: number): string {
  const words = tookWords(step, nowMs);
  if (words === '') return '–';
  return step.kind === 'approval' ? `${words} wait` : words;
}

/** Says why a step failed or did not run, who approved it, or when it is retried. Empty for a plain success. */
export function stepNote(run: Run, step: Step, nowMs: number): string {
  const { status, message, reason, approval, attempt } = step;
  if (isKept(run, step)) return keptWords;
  if (approval) return answerWords(approval);
  if (status === 'waiting_approval') return message === null ? 'asks for approval' : `asks: “${message}”`;
  if (status === 'skipped' && reason === 'upstream_failed') return `needs ${missingNeed(run, step)}`;
  if (status === 'pending') return retryNote(step, nowMs);
  if (status === 'success') return attempt > 1 ? `at attempt ${attempt}` : '';
  const why = status === 'running' ? '' : (ownMessage(step) ?? reasonWords(reason));
  return [attempt > 1 ? `attempt ${attempt}` : '', why].filter(Boolean).join(', ');
}

function retryNote({ not_before: notBefore, attempt }: Step, nowMs: number): string {
  if (notBefore === null || Date.parse(notBefore) <= nowMs) return '';
  return `attempt ${attempt} starts at ${localTime(notBefore, nowMs)}`;
}

/** Names the unfinished steps that a pending step needs: "after build and lint". */
export function waitsForWords({ steps }: Run, { status, needs }: Step): string {
  if (status !== 'pending') return '';
  const open = steps.filter(({ step_id: id, finished_at: at }) => needs.includes(id) && at === null);
  return open.length === 0 ? '' : `after ${listWords(open.map(({ step_id: id }) => id))}`;
}

/** The first needed step that did not succeed. */
function missingNeed({ steps }: Run, { needs }: Step): string {
  const missing = steps.filter(({ step_id: id, status }) => needs.includes(id) && status !== 'success');
  return missing[0]?.step_id ?? 'a step that failed';
}

/** "build and lint", "build, lint and test", "build, lint and 7 others". */
export function listWords(names: readonly string[], most = 3): string {
  const shown = names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} others`] : names;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** The message of a step without the id of its sub-run, to which the row has a link. */
function ownMessage({ message, child_run_id: childId }: Step): string | null {
  return message === null ? null : errorWords(message.replace(`${childId} of `, ''));
}
