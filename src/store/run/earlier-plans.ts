// Reads the plan of a run. A plan that an earlier version stored is converted to the current form. Earlier jobs had a
// single command and no steps.

import type { UlcProfile } from '../../domain/command-action.ts';
import { type JobDefinition, type StepDefinition, stepIdOfSingle } from '../../domain/job.ts';
import { noResources } from '../../domain/resources.ts';
import type { RunPlan } from '../../domain/run.ts';

/** The default of each part that plans of earlier versions may lack. */
const later = {
  concurrency: null,
  onLost: 'fail',
  schedules: [],
  notify: [],
  runAs: null,
  agents: { expose: null, readOnly: false, idempotent: false, detach: false, approval: false },
} as const;

type EarlierJob = Omit<JobDefinition, keyof typeof later> &
  Partial<Pick<JobDefinition, keyof typeof later>> & {
    /** Set if the job has no steps but a command of its own. */
    readonly command?: readonly string[];
    readonly ulcProfile?: UlcProfile;
  };

export function readPlan(text: string): RunPlan {
  const plan: Omit<RunPlan, 'job'> & { readonly job: EarlierJob } = JSON.parse(text);
  const { command, ulcProfile = 'ulc.exec', ...job } = plan.job;
  const permissions = { ...job.permissions, resources: job.permissions?.resources ?? noResources };
  const steps = command ? [stepOf(command, ulcProfile, job.timeouts.stepMs)] : job.steps;
  return { ...plan, job: { ...later, ...job, permissions, steps } };
}

function stepOf(command: readonly string[], ulcProfile: UlcProfile, timeoutMs: number | null): StepDefinition {
  return {
    id: stepIdOfSingle,
    name: null,
    action: { kind: 'command', command, ulcProfile },
    needs: [],
    condition: null,
    matrix: null,
    foreach: null,
    retry: { limit: 0, backoff: 'exponential', delayMs: 0, maxDelayMs: 0, on: null },
    timeoutMs,
    continueOnError: false,
    always: false,
  };
}
