// The runs that the steps of a run have started. Their lines are not in the log of the run itself.

import type { AnswerOf } from '../../contract/operations.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import type { Session } from '../session/session.ts';
import type { Output } from '../terminal/output.ts';

type Run = AnswerOf<'getRun'>;

/** How many sub-runs are listed. A step may have started a hundred. */
const mostNamed = 10;

/** Says where the lines of each sub-run are. */
export function nameSubRuns({ run_id: runId, steps }: Run, session: Session, output: Output): void {
  const started = steps.flatMap((step) =>
    step.child_run_id === null ? [] : [{ label: stepLabel(step), child: step.child_run_id }],
  );
  for (const { label, child } of started.slice(0, mostNamed))
    output.say(`${label} ran another job: ${session.command('logs', child)}`);
  if (started.length > mostNamed)
    output.say(`and ${started.length - mostNamed} more: ${session.command('runs', runId)}`);
}

/**
 * Returns the run that a step has started. A step that runs another job prints nothing itself; its output is in the log
 * of that run.
 */
export function subRunOf({ steps }: Run, stepId: string | undefined): string | null {
  return steps.find(({ step_id: id }) => id === stepId)?.child_run_id ?? null;
}
