// Runs a graph of steps with a simulated clock, a few slots and simulated processes, and records what happened.

import { type Arbitrary, array, boolean, constant, integer, nat, oneof, option, record, tuple } from 'fast-check';
import { createStepGraph, type GraphStep, type StepEnd, type StepGraph } from '../../src/domain/step-graph.ts';

/** An instance runs one process after another, until a process succeeds or no retry is left. */
type Instance = { readonly failures: number; readonly durationMs: number };

export type SimulatedStep = GraphStep & {
  /** The result of its `if`. */
  readonly condition: boolean;
  /** One instance, unless it has a matrix or a foreach. */
  readonly instances: readonly Instance[];
  readonly retries: number;
  readonly retryDelayMs: number;
};

export type Scene = {
  readonly steps: readonly SimulatedStep[];
  readonly slots: number;
  readonly cancelAtMs: number | null;
};

export type Seen =
  | { readonly kind: 'told' | 'ended'; readonly index: number; readonly how?: StepEnd; readonly atMs: number }
  | { readonly kind: 'started' | 'exited'; readonly index: number; readonly running: number; readonly atMs: number };

const anInstance: Arbitrary<Instance> = record({
  failures: oneof({ weight: 3, arbitrary: constant(0) }, nat(3)),
  durationMs: integer({ min: 1, max: 30 }),
});

const aStep = record({
  continueOnError: boolean(),
  always: boolean(),
  condition: oneof({ weight: 4, arbitrary: constant(true) }, constant(false)),
  instances: oneof({ weight: 3, arbitrary: anInstance.map((one) => [one]) }, array(anInstance, { maxLength: 4 })),
  retries: nat(2),
  retryDelayMs: nat(20),
});

/** Steps in any order of the file. Their needs follow another order, so there is no cycle. */
const someSteps: Arbitrary<SimulatedStep[]> = array(tuple(aStep, array(nat(1_000), { maxLength: 4 }), nat()), {
  maxLength: 24,
  size: 'max',
}).map((drawn) => {
  const steps = drawn.map(([step, numbers], at) => {
    const needs = at === 0 ? [] : numbers.map((number) => `step_${number % at}`);
    return { ...step, id: `step_${at}`, needs: [...new Set(needs)] };
  });
  const ranks = drawn.map(([, , rank]) => rank);
  return steps
    .map((step, at) => ({ step, rank: ranks[at] ?? 0 }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ step }) => step);
});

export const aScene: Arbitrary<Scene> = record({
  steps: someSteps,
  slots: integer({ min: 1, max: 4 }),
  cancelAtMs: constant(null),
});

export const aCancelledScene: Arbitrary<Scene> = record({
  steps: someSteps,
  slots: integer({ min: 1, max: 4 }),
  cancelAtMs: option(nat(150), { nil: 0 }),
});

type Waiting = {
  readonly index: number;
  readonly attempt: number;
  readonly instance: Instance;
  readonly notBeforeMs: number;
};
type Process = Waiting & { readonly endsAtMs: number };

export function simulate({ steps, slots, cancelAtMs }: Scene): { graph: StepGraph; seen: Seen[] } {
  const graph = createStepGraph(steps);
  const seen: Seen[] = [];
  const left = new Map<number, { open: number; how: StepEnd }>();
  let waiting: Waiting[] = [];
  let running: Process[] = [];
  let atMs = 0;

  function end(index: number, how: StepEnd): void {
    seen.push({ kind: 'ended', index, how, atMs });
    graph.end(index, how);
  }

  function endInstance(index: number, how: StepEnd): void {
    const group = left.get(index);
    if (!group) throw new Error('an instance of a step that has not begun, or has ended');
    group.open -= 1;
    if (how !== 'success' && group.how !== 'failed') group.how = how;
    if (group.open > 0) return;
    left.delete(index);
    end(index, group.how);
  }

  function howUnstarted(step: SimulatedStep, skip: boolean): StepEnd | undefined {
    if (isCancelled()) return 'cancelled';
    if (skip) return 'upstream_failed';
    if (!step.condition) return 'condition';
    return step.instances.length === 0 ? 'success' : undefined;
  }

  function begin(index: number, skip: boolean): void {
    const step = steps[index];
    if (!step) throw new Error(`there is no step ${index}`);
    if (seen.some((one) => one.kind === 'told' && one.index === index)) throw new Error(`step ${index} was told twice`);
    seen.push({ kind: 'told', index, atMs });
    const how = howUnstarted(step, skip);
    if (how) {
      end(index, how);
      return;
    }
    left.set(index, { open: step.instances.length, how: 'success' });
    waiting.push(...step.instances.map((instance) => ({ index, attempt: 1, instance, notBeforeMs: atMs })));
  }

  function exit(process: Process): void {
    const { index, attempt, instance } = process;
    running = running.filter((one) => one !== process);
    seen.push({ kind: 'exited', index, running: running.length, atMs });
    const { retries = 0, retryDelayMs = 0 } = steps[index] ?? {};
    if (isCancelled()) endInstance(index, 'cancelled');
    else if (attempt > instance.failures) endInstance(index, 'success');
    else if (attempt > retries) endInstance(index, 'failed');
    else waiting.push({ index, attempt: attempt + 1, instance, notBeforeMs: atMs + retryDelayMs });
  }

  function cancel(): void {
    for (const { index } of waiting.splice(0)) endInstance(index, 'cancelled');
    for (const process of running) exit(process);
  }

  const isCancelled = () => cancelAtMs !== null && atMs >= cancelAtMs;

  for (;;) {
    for (const process of running) if (process.endsAtMs <= atMs && !isCancelled()) exit(process);
    if (isCancelled()) cancel();
    for (let ready = graph.takeReady(); ready.length > 0; ready = graph.takeReady()) {
      for (const { index, skip } of ready) begin(index, skip);
    }
    for (const one of waiting.filter(({ notBeforeMs }) => notBeforeMs <= atMs).slice(0, slots - running.length)) {
      waiting = waiting.filter((other) => other !== one);
      running.push({ ...one, endsAtMs: atMs + one.instance.durationMs });
      seen.push({ kind: 'started', index: one.index, running: running.length, atMs });
    }
    const later = waiting.map(({ notBeforeMs }) => notBeforeMs).filter((instant) => instant > atMs);
    const next = Math.min(...running.map(({ endsAtMs }) => endsAtMs), ...later);
    if (next === Number.POSITIVE_INFINITY) return { graph, seen };
    atMs = cancelAtMs !== null && cancelAtMs > atMs ? Math.min(next, cancelAtMs) : next;
  }
}
