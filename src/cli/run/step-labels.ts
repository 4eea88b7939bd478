// Names the steps of a run for people. The server makes the instances of a `foreach` while the run goes on.

import type { Client } from '../../client/client.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { printable } from '../terminal/output.ts';

export type StepLabels = ReturnType<typeof createStepLabels>;

export function createStepLabels(client: Client, runId: string) {
  const labels = new Map<string, string>();
  const readings = new Map<string, Promise<void>>();

  async function read(stepId: string): Promise<void> {
    const run = await client.call('getRun', { path: { run_id: runId } }).catch(() => null);
    // If the run cannot be read, the id alone names the instance.
    labels.set(stepId, stepId);
    for (const step of run?.steps ?? []) labels.set(step.step_id, printable(stepLabel(step)));
    readings.delete(stepId);
  }

  return {
    /** Reads the run if the step is an instance of a `foreach` that is not known yet. */
    learn(stepId: string): Promise<void> | undefined {
      if (labels.has(stepId) || !/\[\d+\]$/.test(stepId)) return undefined;
      // A line and an event of the same step may request a read at the same time. Both wait for the same read.
      const reading = readings.get(stepId) ?? read(stepId);
      readings.set(stepId, reading);
      return reading;
    },
    /** Returns a label without control characters, because items are data of jobs. */
    of: (stepId: string): string => labels.get(stepId) ?? stepId,
  };
}
