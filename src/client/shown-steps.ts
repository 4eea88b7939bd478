// Decides how to show the steps of a run: their order, which of them a rerun kept, and whose log to open first.

import type { AnswerOf } from '../contract/operations.ts';

type Run = AnswerOf<'getRun'>;
type Step = Run['steps'][number];

/** Moves the instances of a step below it. A run lists them after all of its steps. */
export function inGroups(steps: readonly Step[]): Step[] {
  return steps
    .filter(({ instance_of: of }) => of === null)
    .flatMap((step) => [step, ...steps.filter(({ instance_of: of }) => of === step.step_id)]);
}

export const keptWords = 'kept from the earlier run';

/** The rerun did not run this step again, so the step has the times of the earlier run. */
export function isKept(
  { rerun_of: rerunOf, created_at: createdAt }: Pick<Run, 'rerun_of' | 'created_at'>,
  { status, finished_at: finishedAt }: Pick<Step, 'status' | 'finished_at'>,
): boolean {
  if (rerunOf === null || status !== 'success' || finishedAt === null) return false;
  return Date.parse(finishedAt) < Date.parse(createdAt);
}

/** The step whose log explains the failure; null if the run has one step, or no step of its own failed. */
export function failingStep({ status, error, steps }: Run): string | null {
  if (status !== 'failed' || steps.length < 2) return null;
  const named = steps.find(({ step_id: id, kind }) => id === error?.step_id && kind === 'command');
  const failed =
    named ??
    steps.find((step) => step.status === 'failed' && step.kind === 'command' && step.reason !== 'upstream_failed');
  return failed?.step_id ?? null;
}
