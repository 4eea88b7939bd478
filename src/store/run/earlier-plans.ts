// What a run was planned to be, in the shape of today: a database may hold runs of a time when a job was one command.

import { type JobDefinition, type StepDefinition, stepIdOfSingle, type UlcProfile } from '../../domain/job.ts';
import { noResources } from '../../domain/resources.ts';
import type { RunPlan } from '../../domain/run.ts';

/** What came with steps, schedules, notifications and limits. */
const later = { concurrency: null, onLost: 'fail', schedules: [], notify: [] } as const;

type EarlierJob = Omit<JobDefinition, keyof typeof later> &
  Partial<Pick<JobDefinition, keyof typeof later>> & {
    /** Where a job has one of its own, it has no steps. */
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
