// Decides which steps start, are skipped or expand to instances, given the steps that have ended. It only decides and
// remembers; the run controller writes the rows and starts the processes.

import { type ExpressionScope, evaluateCondition, evaluateItems } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JobDefinition, StepDefinition } from '../../domain/job.ts';
import { invariant } from '../../domain/problem.ts';
import type { StepReason } from '../../domain/run.ts';
import {
  createStepEndings,
  type EndDecision,
  type EndedBefore,
  type Ending,
  type StepEndings,
} from './step-endings.ts';
import {
  createGroupInstances,
  foreachInstances,
  type InstanceItem,
  matrixInstances,
  type StepInstance,
} from './step-instances.ts';
import type { RunFacts, StepValue } from './step-values.ts';

export type Decision =
  | { readonly kind: 'begin'; readonly instance: StepInstance }
  /** `added` are the instances that have no row yet. */
  | { readonly kind: 'expand'; readonly instance: StepInstance; readonly added: readonly StepInstance[] }
  | EndDecision;

export type RunState = ReturnType<typeof createRunState>;

type RunSteps = {
  readonly job: JobDefinition;
  readonly run: RunFacts;
  readonly instances: readonly StepInstance[];
  /** In the order in which they ended. */
  readonly ended: readonly EndedBefore[];
};

export function createRunState(o: RunSteps) {
  const { steps } = o.job;
  const instances = [...o.instances];
  const endings = restoreEndings({ ...o, instances });
  const { graph, values, scope, end, skip } = endings;

  function stepOf({ index }: StepInstance): StepDefinition {
    const step = steps[index];
    invariant(step, 'an instance belongs to a step of its job');
    return step;
  }

  function decide(instance: StepInstance): Decision[] {
    const step = stepOf(instance);
    let what = 'if';
    try {
      if (step.condition !== null && !evaluateCondition(step.condition, scope)) {
        return skip(instance, 'condition', 'condition', `its \`if\` is false: ${step.condition}`);
      }
      what = 'foreach';
      // In a rerun, some instances have ended in an earlier run.
      const before = endings.instancesOf(instance);
      if (before) return expand(instance, before, [], endings);
      const items = itemsOf(step, scope);
      if (!items) return [{ kind: 'begin', instance }];
      const added = createGroupInstances(instance, step, items, instances.length);
      instances.push(...added);
      endings.addInstances(instance.index, added);
      return expand(instance, added, added, endings);
    } catch (error) {
      const ending = endingOf(error, what);
      return [{ kind: 'end', instance, ending }, ...end(instance, ending)];
    }
  }

  function decideReady({ index, skip: isSkipped }: { index: number; skip: boolean }, isAborting: boolean): Decision[] {
    const instance = instances[index];
    invariant(instance, 'every step has its instance');
    if (instance.status !== 'pending') return [];
    if (isAborting) return skip(instance, 'cancelled', 'run_ended', 'the run ended while this step was waiting');
    if (isSkipped) {
      return skip(instance, 'upstream_failed', 'upstream_failed', whyUnreached(stepOf(instance), steps, endings));
    }
    // Before a retry, the condition is not evaluated again, because it was true before the first attempt.
    return instance.attempt > 1 ? [{ kind: 'begin', instance }] : decide(instance);
  }

  return {
    instances,
    /** Whether every step has ended. */
    get isOver() {
      return graph.isOver;
    },
    stepOf,
    values,
    scope,
    /** The instances that the step would expand to now; empty when it would not start or does not expand. */
    instancesOf: (instance: StepInstance) => itemsNow(stepOf(instance), scope),
    /** Returns what follows from everything that has ended since the last call. With `isAborting`, nothing starts. */
    next(isAborting: boolean): Decision[] {
      const decisions: Decision[] = [];
      for (let ready = graph.takeReady(); ready.length > 0; ready = graph.takeReady()) {
        for (const one of ready) decisions.push(...decideReady(one, isAborting));
      }
      return decisions;
    },
    /** Ends an instance. When it is the last one of its step, the step ends, too. */
    end,
    /** Skips an instance that has not started. */
    drop: (instance: StepInstance, reason: StepReason, message: string): Decision[] =>
      skip(instance, 'cancelled', reason, message),
    /** What made the run fail; undefined when nothing did. */
    failure: () => (graph.failedIndex === undefined ? undefined : endings.failureAt(graph.failedIndex)),
    /** The exit code of the step that ended last, among the steps with an exit code. */
    exitCode: endings.lastExitCode,
  };
}

function expand(
  whole: StepInstance,
  all: readonly StepInstance[],
  added: readonly StepInstance[],
  endings: StepEndings,
): Decision[] {
  const open = all.filter(({ status }) => status === 'pending');
  const begun = open.map((instance): Decision => ({ kind: 'begin', instance }));
  const ended = open.length > 0 ? [] : endings.endWhole(whole, all);
  return [{ kind: 'expand', instance: whole, added }, ...begun, ...ended];
}

/** Restores the instances of a run that has started, and then their ends. */
function restoreEndings(o: RunSteps): StepEndings {
  const endings = createStepEndings(o);
  const ofSteps = Map.groupBy(
    o.instances.filter(({ item }) => item !== null),
    ({ index }) => index,
  );
  for (const [index, instances] of ofSteps) endings.addInstances(index, instances);
  for (const one of o.ended) endings.restore(one);
  return endings;
}

/** @throws the error itself unless it comes from an expression */
function endingOf(error: unknown, what: string): Ending {
  if (!(error instanceof ExpressionError)) throw error;
  const message = `\`${what}\`: ${error.message}`;
  return { status: 'failed', reason: 'start_failed', message, exitCode: null, outputs: {}, openOutputs: {} };
}

/** Returns undefined if the step does not expand. @throws ExpressionError */
function itemsOf(step: StepDefinition, scope: ExpressionScope): InstanceItem[] | undefined {
  if (step.matrix) return matrixInstances(step.id, step.matrix);
  return step.foreach === null ? undefined : foreachInstances(step.id, evaluateItems(step.foreach, scope));
}

function itemsNow(step: StepDefinition, scope: ExpressionScope): readonly InstanceItem[] {
  try {
    const begins = step.condition === null || evaluateCondition(step.condition, scope);
    return (begins ? itemsOf(step, scope) : undefined) ?? [];
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

function whyUnreached({ needs }: StepDefinition, steps: readonly StepDefinition[], o: StepEndings): string {
  const failed = needs.filter((need) => {
    const at = steps.findIndex(({ id }) => id === need);
    const how = o.graph.endOf(at);
    const isPassedOver = how === 'failed' && steps[at]?.continueOnError === true;
    return how !== 'success' && how !== 'condition' && !isPassedOver;
  });
  return `it needs ${failed.map((id) => `${id}, which ${inWords(o.values.get(id)?.status)}`).join('; ')}`;
}

function inWords(status: StepValue['status'] | undefined): string {
  return status === 'skipped' ? 'was skipped' : status === 'cancelled' ? 'was cancelled' : 'failed';
}
