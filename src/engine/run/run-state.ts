// What is to become of a run's steps by what has ended: the graph, the conditions, the instances. It decides and remembers;
// storing it, and the processes, are the run controller's.

import { type ExpressionScope, evaluateCondition, evaluateItems } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JobDefinition, StepDefinition } from '../../domain/job.ts';
import { invariant } from '../../domain/problem.ts';
import type { StepReason } from '../../domain/run.ts';
import { createStepGraph, type StepEnd } from '../../domain/step-graph.ts';
import { foreachInstances, type InstanceItem, matrixInstances } from './expand.ts';
import { createGroupInstances, type StepInstance } from './step-instances.ts';
import { joinOutputs, type RunFacts, type ScopeStep, type StepValue, scopeOf, toScopeStep } from './step-values.ts';

/** How an instance ended. */
export type Ending = {
  readonly status: 'success' | 'failed' | 'cancelled';
  readonly reason: StepReason | null;
  readonly message: string | null;
  readonly exitCode: number | null;
  readonly outputs: Readonly<Record<string, string>>;
  readonly openOutputs: Readonly<Record<string, string>>;
};

export type Decision =
  | { readonly kind: 'begin'; readonly instance: StepInstance }
  | { readonly kind: 'skip'; readonly instance: StepInstance; readonly reason: StepReason; readonly message: string }
  /** `added` are the instances that have no row yet. */
  | { readonly kind: 'expand'; readonly instance: StepInstance; readonly added: readonly StepInstance[] }
  | { readonly kind: 'end'; readonly instance: StepInstance; readonly ending: Ending };

type Failure = Pick<Ending, 'reason' | 'message' | 'exitCode'> & { readonly stepId: string };

export type RunState = {
  readonly instances: readonly StepInstance[];
  /** Every step has ended. */
  readonly isOver: boolean;
  readonly stepOf: (instance: StepInstance) => StepDefinition;
  readonly values: ReadonlyMap<string, StepValue>;
  readonly scope: ExpressionScope;
  /** Those that its step would be expanded to now; none where it would not begin, or has no instances. */
  readonly instancesOf: (instance: StepInstance) => readonly InstanceItem[];
  /** What follows from all that has ended since the last call. While `isAborting`, nothing begins. */
  readonly next: (isAborting: boolean) => Decision[];
  /** An instance has ended; with the last instance of a step, the step has. */
  readonly end: (instance: StepInstance, ending: Ending) => Decision[];
  /** An instance that has not begun is not going to. */
  readonly drop: (instance: StepInstance, reason: StepReason, message: string) => Decision[];
  /** What made the run a failure; undefined when nothing did. */
  readonly failure: () => Failure | undefined;
  /** Of the step that ended last and had one. */
  readonly exitCode: () => number | null;
};

export function createRunState(o: {
  readonly job: JobDefinition;
  readonly run: RunFacts;
  readonly instances: readonly StepInstance[];
  /** How those instances ended that have, in the order of their ends. */
  readonly ended: readonly {
    readonly instance: StepInstance;
    readonly ending: Ending;
    readonly skipped: StepReason | null;
  }[];
}): RunState {
  const { steps } = o.job;
  const stepInstances = [...o.instances];
  const graph = createStepGraph(steps);
  const values = new Map<string, StepValue>();
  const seen = new Map<string, ScopeStep>();
  const scope = scopeOf(o.run, o.job.secretArgs, seen);
  const endings = new Map<StepInstance, Ending>();
  const failures = new Map<number, Failure>();
  /** By the index of a step that was expanded: its instances, and how many have not ended. */
  const groups = new Map<number, { readonly instances: readonly StepInstance[]; left: number }>();
  let lastExitCode: number | null = null;

  function stepOf({ index }: StepInstance): StepDefinition {
    const step = steps[index];
    invariant(step, 'a place is one of its job’s steps');
    return step;
  }

  function endStep(instance: StepInstance, how: StepEnd, value: StepValue): void {
    values.set(instance.stepId, value);
    seen.set(instance.stepId, toScopeStep(value));
    graph.end(instance.index, how);
  }

  function record(instance: StepInstance, ending: Ending): void {
    instance.status = ending.status;
    endings.set(instance, ending);
    if (ending.exitCode !== null) lastExitCode = ending.exitCode;
    const { reason, message, exitCode } = ending;
    if (ending.status === 'failed' && !failures.has(instance.index)) {
      failures.set(instance.index, { stepId: instance.stepId, reason, message, exitCode });
    }
  }

  function end(instance: StepInstance, ending: Ending): Decision[] {
    record(instance, ending);
    const { status, outputs, openOutputs } = ending;
    if (instance.item === null) {
      endStep(instance, status, { status, outputs, open: openOutputs, isGroup: instance.kind === 'group' });
      return [];
    }
    return endInstance(instance);
  }

  function endInstance(instance: StepInstance): Decision[] {
    const group = groups.get(instance.index);
    const whole = stepInstances[instance.index];
    invariant(group && whole, 'an instance is one of its step');
    group.left -= 1;
    return group.left > 0 ? [] : endGroup(whole, group.instances);
  }

  function endGroup(whole: StepInstance, instances: readonly StepInstance[]): Decision[] {
    const all = instances.map((instance) => endings.get(instance));
    const failed = failures.get(whole.index);
    const isCancelled = instances.some(({ status }) => status === 'cancelled' || status === 'skipped');
    const ending: Ending = {
      status: failed ? 'failed' : isCancelled ? 'cancelled' : 'success',
      reason: failed?.reason ?? null,
      message: failed ? `${failed.stepId}: ${failed.message}` : null,
      exitCode: failed?.exitCode ?? null,
      outputs: joinOutputs(all.map((one) => one?.outputs ?? {})),
      openOutputs: joinOutputs(all.map((one) => one?.openOutputs ?? {})),
    };
    return [{ kind: 'end', instance: whole, ending }, ...end(whole, ending)];
  }

  function skip(instance: StepInstance, how: StepEnd, reason: StepReason, message: string): Decision[] {
    instance.status = 'skipped';
    const decision: Decision = { kind: 'skip', instance, reason, message };
    if (instance.item !== null) return [decision, ...endInstance(instance)];
    endStep(instance, how, { status: 'skipped', outputs: {}, open: {}, isGroup: false });
    return [decision];
  }

  function decide(instance: StepInstance): Decision[] {
    const step = stepOf(instance);
    let what = 'if';
    try {
      if (step.condition !== null && !evaluateCondition(step.condition, scope)) {
        return skip(instance, 'condition', 'condition', `its \`if\` does not hold: ${step.condition}`);
      }
      what = 'foreach';
      // Some of them have ended in an earlier run.
      const before = groups.get(instance.index);
      if (before) return expand(instance, before.instances, []);
      const instances = instancesOf(step);
      if (!instances) return [{ kind: 'begin', instance }];
      const added = createGroupInstances(instance, step, instances, stepInstances.length);
      stepInstances.push(...added);
      groups.set(instance.index, { instances: added, left: added.length });
      return expand(instance, added, added);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const message = `\`${what}\`: ${error.message}`;
      const nothing = { exitCode: null, outputs: {}, openOutputs: {} };
      const ending: Ending = { status: 'failed', reason: 'start_failed', message, ...nothing };
      return [{ kind: 'end', instance, ending }, ...end(instance, ending)];
    }
  }

  function instancesOf(step: StepDefinition) {
    if (step.matrix) return matrixInstances(step.id, step.matrix);
    return step.foreach === null ? undefined : foreachInstances(step.id, evaluateItems(step.foreach, scope));
  }

  function instancesNow(instance: StepInstance): readonly InstanceItem[] {
    const step = stepOf(instance);
    try {
      const begins = step.condition === null || evaluateCondition(step.condition, scope);
      return (begins ? instancesOf(step) : undefined) ?? [];
    } catch (error) {
      if (error instanceof ExpressionError) return [];
      throw error;
    }
  }

  function expand(
    instance: StepInstance,
    instances: readonly StepInstance[],
    added: readonly StepInstance[],
  ): Decision[] {
    const open = instances.filter(({ status }) => status === 'pending');
    const begun: Decision[] = [
      { kind: 'expand', instance, added },
      ...open.map((instance): Decision => ({ kind: 'begin', instance: instance })),
    ];
    return open.length > 0 ? begun : [...begun, ...endGroup(instance, instances)];
  }

  function next(isAborting: boolean): Decision[] {
    const decisions: Decision[] = [];
    for (let ready = graph.takeReady(); ready.length > 0; ready = graph.takeReady()) {
      for (const { index, skip: isSkipped } of ready) {
        const instance = stepInstances[index];
        invariant(instance, 'every step has its place');
        if (instance.status !== 'pending') continue;
        if (isAborting) decisions.push(...drop(instance, 'run_ended', 'the run ended before its turn'));
        else if (isSkipped)
          decisions.push(...skip(instance, 'upstream_failed', 'upstream_failed', whyUnreached(index)));
        // A retry that waits: its condition held before the first attempt.
        else if (instance.attempt > 1) decisions.push({ kind: 'begin', instance });
        else decisions.push(...decide(instance));
      }
    }
    return decisions;
  }

  function whyUnreached(index: number): string {
    const needs = steps[index]?.needs ?? [];
    const failed = needs.filter((need) => !isSatisfied(need));
    return `it needs ${failed.map((id) => `${id}, which ${inWords(values.get(id)?.status)}`).join('; ')}`;
  }

  function isSatisfied(id: string): boolean {
    const at = steps.findIndex((step) => step.id === id);
    const how = graph.endOf(at);
    return how === 'success' || how === 'condition' || (how === 'failed' && steps[at]?.continueOnError === true);
  }

  function drop(instance: StepInstance, reason: StepReason, message: string): Decision[] {
    return skip(instance, 'cancelled', reason, message);
  }

  const instancesBefore = Map.groupBy(
    stepInstances.filter(({ item }) => item !== null),
    ({ index }) => index,
  );
  for (const [index, instances] of instancesBefore) groups.set(index, { instances, left: instances.length });
  for (const { instance, ending, skipped } of o.ended) {
    if (instance.item !== null) {
      // Its step's own end, where it has come, is among those that follow.
      if (skipped === null) record(instance, ending);
      const group = groups.get(instance.index);
      if (group) group.left -= 1;
    } else if (skipped === null) end(instance, ending);
    else skip(instance, skipped === 'condition' ? 'condition' : 'upstream_failed', skipped, '');
  }

  return {
    instances: stepInstances,
    get isOver() {
      return graph.isOver;
    },
    stepOf,
    values,
    scope,
    instancesOf: instancesNow,
    next,
    end,
    drop,
    failure() {
      const index = graph.failedIndex;
      return index === undefined ? undefined : failures.get(index);
    },
    exitCode: () => lastExitCode,
  };
}

function inWords(status: StepValue['status'] | undefined): string {
  return status === 'skipped' ? 'was skipped' : status === 'cancelled' ? 'was cancelled' : 'failed';
}
