// The steps of a job as a graph, without a run. It shows the usual time of each step, which steps ask for an approval,
// and how many instances a matrix gives a step.

import type { ReactNode } from 'react';
import { spanWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type GraphStep, StepGraph } from '../graph/StepGraph.tsx';
import { isLoading } from '../session/answers.tsx';
import { useJobTimes } from './job-times.ts';

type Job = AnswerOf<'getJob'>;
type JobStep = Job['steps'][number];

export function JobGraph({ job, isLarge = false }: { readonly job: Job; readonly isLarge?: boolean }): ReactNode {
  const times = useJobTimes(job.id, '30d');
  const timeOf = new Map(times.data?.steps.map((step) => [step.step_id, step.median_ms]));
  const steps = job.steps.map((step) => graphStep(step, timeOf.get(step.step_id), isLoading(times)));
  return <StepGraph steps={steps} chosen={null} isLarge={isLarge} />;
}

function graphStep(step: JobStep, usualMs: number | undefined, areTimesLoading: boolean): GraphStep {
  const count = instancesOf(step);
  return {
    id: step.step_id,
    needs: step.needs,
    status: null,
    note: noteOf(step, usualMs === undefined ? '' : spanWords(usualMs)),
    ...(areTimesLoading && { noteRoom: noteOf(step, someTime) }),
    ...(count !== null && { aside: `×${count}` }),
    href: null,
  };
}

/** About as wide as most times, so that the graph does not move when the times arrive. */
const someTime = '1 min 5 s';

function noteOf(step: JobStep, usual: string): string {
  const { kind, always, job } = step;
  if (kind === 'approval') return 'asks';
  return [
    usual,
    step.foreach !== null ? 'for each' : '',
    kind === 'job' && job !== null ? `runs ${job}` : '',
    always ? 'always' : '',
  ]
    .filter((words) => words !== '')
    .join(', ');
}

/** The number of instances of a step with a matrix. The items of `foreach` are known only when a run begins. */
function instancesOf({ matrix }: JobStep): number | null {
  if (matrix === null) return null;
  return Object.values(matrix).reduce<number>((all, values) => all * (Array.isArray(values) ? values.length : 1), 1);
}
