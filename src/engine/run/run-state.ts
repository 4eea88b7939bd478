// What is to become of a run's steps by what has ended: the graph, the conditions, the instances. It decides and remembers;
// storing it, and the processes, are the conductor's.

import { type ExpressionScope, evaluateCondition, evaluateItems } from '../../catalog/expression/expression.ts';
import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JobDefinition, StepDefinition } from '../../domain/job.ts';
import { invariant } from '../../domain/problem.ts';
import type { StepReason } from '../../domain/run.ts';
import { createStepGraph, type StepEnd } from '../../domain/step-graph.ts';
import { foreachInstances, type Instance, matrixInstances } from './instances.ts';
import { createInstancePlaces, type Place } from './places.ts';
import { joinOutputs, type RunFacts, type ScopeStep, type StepValue, scopeOf, toScopeStep } from './step-values.ts';

/** How a place ended. */
export type Ending = {
  readonly status: 'success' | 'failed' | 'cancelled';
  readonly reason: StepReason | null;
  readonly message: string | null;
  readonly exitCode: number | null;
  readonly outputs: Readonly<Record<string, string>>;
  readonly openOutputs: Readonly<Record<string, string>>;
};

export type Decision =
  | { readonly kind: 'begin'; readonly place: Place }
  | { readonly kind: 'skip'; readonly place: Place; readonly reason: StepReason; readonly message: string }
  /** `added` are the instances that have no row yet. */
  | { readonly kind: 'expand'; readonly place: Place; readonly added: readonly Place[] }
  | { readonly kind: 'end'; readonly place: Place; readonly ending: Ending };

type Failure = Pick<Ending, 'reason' | 'message' | 'exitCode'> & { readonly stepId: string };

export type RunState = {
  readonly places: readonly Place[];
  /** Every step has ended. */
  readonly isOver: boolean;
  readonly stepOf: (place: Place) => StepDefinition;
  readonly values: ReadonlyMap<string, StepValue>;
  readonly scope: ExpressionScope;
  /** Those that its step would be expanded to now; none where it would not begin, or has no instances. */
  readonly instancesOf: (place: Place) => readonly Instance[];
  /** What follows from all that has ended since the last call. While `isAborting`, nothing begins. */
  readonly next: (isAborting: boolean) => Decision[];
  /** A place has ended; with the last instance of a step, the step has. */
  readonly end: (place: Place, ending: Ending) => Decision[];
  /** A place that has not begun is not going to. */
  readonly drop: (place: Place, reason: StepReason, message: string) => Decision[];
  /** What made the run a failure; undefined when nothing did. */
  readonly failure: () => Failure | undefined;
  /** Of the step that ended last and had one. */
  readonly exitCode: () => number | null;
};

export function createRunState(o: {
  readonly job: JobDefinition;
  readonly run: RunFacts;
  readonly places: readonly Place[];
  /** How those places ended that have, in the order of their ends. */
  readonly ended: readonly { readonly place: Place; readonly ending: Ending; readonly skipped: StepReason | null }[];
}): RunState {
  const { steps } = o.job;
  const places = [...o.places];
  const graph = createStepGraph(steps);
  const values = new Map<string, StepValue>();
  const seen = new Map<string, ScopeStep>();
  const scope = scopeOf(o.run, o.job.secretArgs, seen);
  const endings = new Map<Place, Ending>();
  const failures = new Map<number, Failure>();
  /** By the index of a step that was expanded: its instances, and how many have not ended. */
  const groups = new Map<number, { readonly instances: readonly Place[]; left: number }>();
  let lastExitCode: number | null = null;

  function stepOf({ index }: Place): StepDefinition {
    const step = steps[index];
    invariant(step, 'a place is one of its job’s steps');
    return step;
  }

  function endStep(place: Place, how: StepEnd, value: StepValue): void {
    values.set(place.stepId, value);
    seen.set(place.stepId, toScopeStep(value));
    graph.end(place.index, how);
  }

  function record(place: Place, ending: Ending): void {
    place.status = ending.status;
    endings.set(place, ending);
    if (ending.exitCode !== null) lastExitCode = ending.exitCode;
    const { reason, message, exitCode } = ending;
    if (ending.status === 'failed' && !failures.has(place.index)) {
      failures.set(place.index, { stepId: place.stepId, reason, message, exitCode });
    }
  }

  function end(place: Place, ending: Ending): Decision[] {
    record(place, ending);
    const { status, outputs, openOutputs } = ending;
    if (place.item === null) {
      endStep(place, status, { status, outputs, open: openOutputs, isGroup: place.kind === 'group' });
      return [];
    }
    return endInstance(place);
  }

  function endInstance(place: Place): Decision[] {
    const group = groups.get(place.index);
    const whole = places[place.index];
    invariant(group && whole, 'an instance is one of its step');
    group.left -= 1;
    return group.left > 0 ? [] : endGroup(whole, group.instances);
  }

  function endGroup(whole: Place, instances: readonly Place[]): Decision[] {
    const all = instances.map((place) => endings.get(place));
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
    return [{ kind: 'end', place: whole, ending }, ...end(whole, ending)];
  }

  function skip(place: Place, how: StepEnd, reason: StepReason, message: string): Decision[] {
    place.status = 'skipped';
    const decision: Decision = { kind: 'skip', place, reason, message };
    if (place.item !== null) return [decision, ...endInstance(place)];
    endStep(place, how, { status: 'skipped', outputs: {}, open: {}, isGroup: false });
    return [decision];
  }

  function decide(place: Place): Decision[] {
    const step = stepOf(place);
    let what = 'if';
    try {
      if (step.condition !== null && !evaluateCondition(step.condition, scope)) {
        return skip(place, 'condition', 'condition', `its \`if\` does not hold: ${step.condition}`);
      }
      what = 'foreach';
      // Some of them have ended in an earlier run.
      const before = groups.get(place.index);
      if (before) return expand(place, before.instances, []);
      const instances = instancesOf(step);
      if (!instances) return [{ kind: 'begin', place }];
      const added = createInstancePlaces(place, step, instances, places.length);
      places.push(...added);
      groups.set(place.index, { instances: added, left: added.length });
      return expand(place, added, added);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const message = `\`${what}\`: ${error.message}`;
      const nothing = { exitCode: null, outputs: {}, openOutputs: {} };
      const ending: Ending = { status: 'failed', reason: 'start_failed', message, ...nothing };
      return [{ kind: 'end', place, ending }, ...end(place, ending)];
    }
  }

  function instancesOf(step: StepDefinition) {
    if (step.matrix) return matrixInstances(step.id, step.matrix);
    return step.foreach === null ? undefined : foreachInstances(step.id, evaluateItems(step.foreach, scope));
  }

  function instancesNow(place: Place): readonly Instance[] {
    const step = stepOf(place);
    try {
      const begins = step.condition === null || evaluateCondition(step.condition, scope);
      return (begins ? instancesOf(step) : undefined) ?? [];
    } catch (error) {
      if (error instanceof ExpressionError) return [];
      throw error;
    }
  }

  function expand(place: Place, instances: readonly Place[], added: readonly Place[]): Decision[] {
    const open = instances.filter(({ status }) => status === 'pending');
    const begun: Decision[] = [
      { kind: 'expand', place, added },
      ...open.map((instance): Decision => ({ kind: 'begin', place: instance })),
    ];
    return open.length > 0 ? begun : [...begun, ...endGroup(place, instances)];
  }

  function next(isAborting: boolean): Decision[] {
    const decisions: Decision[] = [];
    for (let ready = graph.takeReady(); ready.length > 0; ready = graph.takeReady()) {
      for (const { index, skip: isSkipped } of ready) {
        const place = places[index];
        invariant(place, 'every step has its place');
        if (place.status !== 'pending') continue;
        if (isAborting) decisions.push(...drop(place, 'run_ended', 'the run ended before its turn'));
        else if (isSkipped) decisions.push(...skip(place, 'upstream_failed', 'upstream_failed', whyUnreached(index)));
        // A retry that waits: its condition held before the first attempt.
        else if (place.attempt > 1) decisions.push({ kind: 'begin', place });
        else decisions.push(...decide(place));
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

  function drop(place: Place, reason: StepReason, message: string): Decision[] {
    return skip(place, 'cancelled', reason, message);
  }

  const instancesBefore = Map.groupBy(
    places.filter(({ item }) => item !== null),
    ({ index }) => index,
  );
  for (const [index, instances] of instancesBefore) groups.set(index, { instances, left: instances.length });
  for (const { place, ending, skipped } of o.ended) {
    if (place.item !== null) {
      // Its step's own end, where it has come, is among those that follow.
      if (skipped === null) record(place, ending);
      const group = groups.get(place.index);
      if (group) group.left -= 1;
    } else if (skipped === null) end(place, ending);
    else skip(place, skipped === 'condition' ? 'condition' : 'upstream_failed', skipped, '');
  }

  return {
    places,
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
