// The sub-runs that the steps of a run have started, and the sub-run whose log belongs to a step.

import type { AnswerOf } from '../../contract/operations.ts';
import { isOfStep } from '../../domain/log-line.ts';
import { useAnswer } from '../session/answers.tsx';
import type { Run } from '../words.ts';

export type SubRun = AnswerOf<'listRunChildren'>['runs'][number];

/**
 * Reads the sub-runs of a run. Their key in the cache begins with the key of the run, so they are read again whenever
 * the run changes.
 */
export function useSubRuns(run: Run): readonly SubRun[] {
  const { run_id: runId, steps } = run;
  const hasAny = steps.some(({ kind }) => kind === 'job');
  const answer = useAnswer(
    ['run', runId, 'children'],
    (client, signal) => client.call('listRunChildren', { path: { run_id: runId }, signal }),
    { enabled: hasAny },
  );
  return answer.data?.runs ?? [];
}

/** The sub-runs that the step and its instances started, oldest first. */
export function ofStep(children: readonly SubRun[], stepId: string): readonly SubRun[] {
  return children.filter(({ parent }) => isOfStep(parent.step_id, stepId));
}
