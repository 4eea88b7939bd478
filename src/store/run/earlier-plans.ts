// Reads the plan of a run. Plans that earlier versions stored are converted to the current shape: a job used to be a
// single command.

import type { UlcProfile } from '../../domain/command-action.ts';
import { type JobDefinition, type StepDefinition, stepIdOfSingle } from '../../domain/job.ts';
import { noResources } from '../../domain/resources.ts';
import type { RunPlan } from '../../domain/run.ts';

/** Defaults for the parts that plans of earlier versions lack. */
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
    /** A job with its own command has no steps. */
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
