// Decides how to show the steps of a run: their order, which of them a rerun kept, and whose log to open first.

import type { AnswerOf } from '../contract/operations.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];

/** Moves the instances of a step directly below it. The API lists them after all steps of the run. */
export function inGroups(steps: readonly Step[]): Step[] {
  return steps
    .filter(({ instance_of: of }) => of === null)
    .flatMap((step) => [step, ...steps.filter(({ instance_of: of }) => of === step.step_id)]);
}

export const keptWords = 'kept from the earlier run';

/**
 * Whether a rerun kept this step instead of running it again. Such a step has the times of the earlier run, so it ended
 * before the rerun was created.
 */
export function isKept(
  { rerun_of: rerunOf, created_at: createdAt }: Pick<Run, 'rerun_of' | 'created_at'>,
  { status, finished_at: finishedAt }: Pick<Step, 'status' | 'finished_at'>,
): boolean {
  if (rerunOf === null || status !== 'success' || finishedAt === null) return false;
  return Date.parse(finishedAt) < Date.parse(createdAt);
}

/**
 * Returns the step whose log explains the failure; null if the run has only one step, or if no step with a log failed.
 * @param o.hasSubRuns whether the log of a sub-run can be shown as the log of the step that started it
 */
export function failingStep({ status, error, steps }: Run, o: { readonly hasSubRuns: boolean }): string | null {
  if (status !== 'failed' || steps.length < 2) return null;
  const withLog = steps.filter(
    ({ kind, child_run_id: child }) => kind === 'command' || (o.hasSubRuns && child !== null),
  );
  const named = withLog.find(({ step_id: id }) => id === error?.step_id);
  const failed = named ?? withLog.find((step) => step.status === 'failed' && step.reason !== 'upstream_failed');
  return failed?.step_id ?? null;
}
