// Names the steps of a run for people. The server makes the instances of a `foreach` while the run goes on.

import type { Client } from '../../client/client.ts';
import { stepLabel } from '../../client/step-label.ts';
import { printable } from '../terminal/output.ts';

export type StepLabels = {
  /** Reads the run if the step is an instance of a `foreach` that is not known yet. */
  readonly learn: (stepId: string) => Promise<void> | undefined;
  /** Without control characters: items are data of jobs. */
  readonly of: (stepId: string) => string;
};

export function createStepLabels(client: Client, runId: string): StepLabels {
  const labels = new Map<string, string>();

  async function read(stepId: string): Promise<void> {
    // Without the run, the id alone names the instance.
    labels.set(stepId, stepId);
    const run = await client.call('getRun', { path: { run_id: runId } }).catch(() => null);
    for (const step of run?.steps ?? []) labels.set(step.step_id, printable(stepLabel(step)));
  }

  return {
    learn: (stepId) => (!labels.has(stepId) && /\[\d+\]$/.test(stepId) ? read(stepId) : undefined),
    of: (stepId) => labels.get(stepId) ?? stepId,
  };
}
