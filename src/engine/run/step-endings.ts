// Remembers how the steps of a run have ended, and what later steps learn from them: values, outputs and failures. A
// step with instances (`matrix`, `foreach`) ends when its last instance ends.

import type { JobDefinition } from '../../domain/job.ts';
import { invariant } from '../../domain/problem.ts';
import type { StepReason } from '../../domain/run.ts';
import { createStepGraph, type StepEnd } from '../../domain/step-graph.ts';
import type { StepInstance } from './step-instances.ts';
import { joinOutputs, type RunFacts, type ScopeStep, type StepValue, scopeOf, toScopeStep } from './step-values.ts';

/** How an instance ended. */
export type Ending = {
  readonly status: 'success' | 'failed' | 'cancelled';
  readonly reason: StepReason | null;
  readonly message: string | null;
  /** See `RunError.hint`. */
  readonly hint?: string;
  readonly exitCode: number | null;
  readonly outputs: Readonly<Record<string, string>>;
  readonly openOutputs: Readonly<Record<string, string>>;
};

/** What must be stored when an instance ends or is skipped: that it is skipped, or that its whole step ends. */
export type EndDecision =
  | { readonly kind: 'skip'; readonly instance: StepInstance; readonly reason: StepReason; readonly message: string }
  | { readonly kind: 'end'; readonly instance: StepInstance; readonly ending: Ending };

export type Failure = Pick<Ending, 'reason' | 'message' | 'hint' | 'exitCode'> & { readonly stepId: string };

export type StepEndings = ReturnType<typeof createStepEndings>;

export type EndedBefore = {
  readonly instance: StepInstance;
  readonly ending: Ending;
  readonly skipped: StepReason | null;
};

type Steps = {
  readonly job: JobDefinition;
  readonly run: RunFacts;
  /** First the steps of the job, in its order, then the instances of steps that were expanded. */
  readonly instances: readonly StepInstance[];
};

export function createStepEndings(o: Steps) {
  const graph = createStepGraph(o.job.steps);
  const values = new Map<string, StepValue>();
  const seen = new Map<string, ScopeStep>();
  const endings = new Map<StepInstance, Ending>();
  const failures = new Map<number, Failure>();
  /** The instances of each step that was expanded, by the index of the step, and how many have not ended. */
  const groups = new Map<number, { readonly instances: readonly StepInstance[]; left: number }>();
  let lastExitCode: number | null = null;

  function endStep(instance: StepInstance, how: StepEnd, value: StepValue): void {
    values.set(instance.stepId, value);
    seen.set(instance.stepId, toScopeStep(value));
    graph.end(instance.index, how);
  }

  function record(instance: StepInstance, ending: Ending): void {
    const { stepId, index } = instance;
    const { status, exitCode } = ending;
    instance.status = status;
    endings.set(instance, ending);
    if (exitCode !== null) lastExitCode = exitCode;
    if (status === 'failed' && !failures.has(index)) failures.set(index, { ...ending, stepId });
  }

  function end(instance: StepInstance, ending: Ending): EndDecision[] {
    record(instance, ending);
    if (instance.item !== null) return endInstance(instance);
    const { status, outputs, openOutputs } = ending;
    endStep(instance, status, { status, outputs, open: openOutputs, isGroup: instance.kind === 'group' });
    return [];
  }

  function endInstance(instance: StepInstance): EndDecision[] {
    const group = groups.get(instance.index);
    const whole = o.instances[instance.index];
    invariant(group && whole, 'an instance is one of its step');
    group.left -= 1;
    return group.left > 0 ? [] : endWhole(whole, group.instances);
  }

  /** Ends a step when all its instances have ended. `whole` is the step's own instance. */
  function endWhole(whole: StepInstance, instances: readonly StepInstance[]): EndDecision[] {
    const ending = joinEndings(instances, endings, failures.get(whole.index));
    return [{ kind: 'end', instance: whole, ending }, ...end(whole, ending)];
  }

  function skip(instance: StepInstance, how: StepEnd, reason: StepReason, message: string): EndDecision[] {
    instance.status = 'skipped';
    const decision: EndDecision = { kind: 'skip', instance, reason, message };
    if (instance.item !== null) return [decision, ...endInstance(instance)];
    endStep(instance, how, { status: 'skipped', outputs: {}, open: {}, isGroup: false });
    return [decision];
  }

  return {
    graph,
    values,
    scope: scopeOf(o.run, o.job.secretArgs, seen),
    end,
    skip,
    /** Restores an end that is in the database. Call it in the order of the ends. */
    restore({ instance, ending, skipped }: EndedBefore): void {
      const group = instance.item === null ? undefined : groups.get(instance.index);
      // If the whole step has also ended, another call restores that end.
      if (group) group.left -= 1;
      if (instance.item === null && skipped !== null) {
        skip(instance, skipped === 'condition' ? 'condition' : 'upstream_failed', skipped, '');
      } else if (instance.item === null) end(instance, ending);
      else if (skipped === null) record(instance, ending);
    },
    /** The instances that a step was expanded to; undefined if it was not expanded. */
    instancesOf: ({ index }: StepInstance) => groups.get(index)?.instances,
    addInstances: (index: number, instances: readonly StepInstance[]): void =>
      void groups.set(index, { instances, left: instances.length }),
    endWhole,
    failureAt: (index: number) => failures.get(index),
    lastExitCode: () => lastExitCode,
  };
}

function joinEndings(
  instances: readonly StepInstance[],
  endings: ReadonlyMap<StepInstance, Ending>,
  failed: Failure | undefined,
): Ending {
  const all = instances.map((instance) => endings.get(instance));
  const isCancelled = instances.some(({ status }) => status === 'cancelled' || status === 'skipped');
  return {
    status: failed ? 'failed' : isCancelled ? 'cancelled' : 'success',
    reason: failed?.reason ?? null,
    message: failed ? `${failed.stepId}: ${failed.message}` : null,
    ...(failed?.hint !== undefined && { hint: failed.hint }),
    exitCode: failed?.exitCode ?? null,
    outputs: joinOutputs(all.map((one) => one?.outputs ?? {})),
    openOutputs: joinOutputs(all.map((one) => one?.openOutputs ?? {})),
  };
}
