// The steps of a job as a graph, before any run: the usual time of each, what asks for an approval, and how many
// instances it has.

import type { ReactNode } from 'react';
import { spanWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type GraphStep, StepGraph } from '../graph/StepGraph.tsx';
import { isLoading } from '../session/answers.tsx';
import styles from './JobGraph.module.css';
import { type JobTimes, useJobTimes } from './job-times.ts';

type Job = AnswerOf<'getJob'>;
type JobStep = Job['steps'][number];
type StepTime = JobTimes['steps'][number];

export function JobGraph({ job, isLarge = false }: { readonly job: Job; readonly isLarge?: boolean }): ReactNode {
  const times = useJobTimes(job.id, '30d');
  const timeOf = new Map(times.data?.steps.map((step) => [step.step_id, step]));
  const steps = job.steps.map((step) => graphStep(step, timeOf.get(step.step_id)));
  // The times widen the steps: nobody sees it before they are known.
  return (
    <div className={isLoading(times) ? styles.unknown : undefined}>
      <StepGraph steps={steps} chosen={null} isLarge={isLarge} />
    </div>
  );
}

function graphStep(step: JobStep, time: StepTime | undefined): GraphStep {
  const instances = instancesOf(step, time);
  return {
    id: step.step_id,
    needs: step.needs,
    status: null,
    note: noteOf(step, time),
    ...(instances !== '' && { aside: instances }),
    href: null,
  };
}

function noteOf({ kind, always, job }: JobStep, time: StepTime | undefined): string {
  if (kind === 'approval') return 'asks';
  const usual = time ? spanWords(time.median_ms) : '';
  // The end may be cut.
  return [usual, kind === 'job' && job !== null ? `runs ${job}` : '', always ? 'always' : '']
    .filter((words) => words !== '')
    .join(', ');
}

/** How many there are is known from the matrix, or from the last runs. */
function instancesOf({ matrix, foreach }: JobStep, time: StepTime | undefined): string {
  if (matrix === null && foreach === null) return '';
  const sizes = Object.values(matrix ?? {}).map((values) => (Array.isArray(values) ? values.length : 1));
  const count = matrix === null ? (time?.instances ?? 0) : sizes.reduce((all, size) => all * size, 1);
  return count > 0 ? `×${count}` : 'for each';
}
