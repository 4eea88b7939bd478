// The step instances of a run, as its run controller keeps them. Each step of the job has one instance. When a step
// with `matrix` or `foreach` is expanded, it gets a further instance for each combination or item. An instance
// describes its latest attempt.

import { ExpressionError } from '../../catalog/expression/expression-error.ts';
import type { JsonValue, StepDefinition } from '../../domain/job.ts';
import type { StepKind, StepStatus } from '../../domain/run.ts';
import type { NewStep } from '../../store/run/step-moves.ts';
import type { StepRow } from '../../store/schema.ts';
import type { Interruption } from './attempt/outcome.ts';

export type Item =
  | { readonly matrix: Readonly<Record<string, string | number | boolean>> }
  | { readonly item: JsonValue };

export type InstanceItem = { readonly stepId: string; readonly item: Item };

export type StepInstance = {
  /** The number of the instance, from 1. It is part of the names of the attempts' folders. */
  readonly n: number;
  readonly stepId: string;
  readonly name: string;
  readonly kind: StepKind;
  /** The index of the job's step. */
  readonly index: number;
  /** The values of this instance; null for a step of the job itself. */
  readonly item: Item | null;
  attempt: number;
  epoch: number;
  status: StepStatus;
  notBeforeMs: number | null;
  deadlineAtMs: number | null;
  childRunId: string | null;
  /** What ends the instance as soon as there is a process to end. */
  interruption: Interruption | undefined;
};

const fresh = {
  attempt: 1,
  epoch: 0,
  status: 'pending',
  notBeforeMs: null,
  deadlineAtMs: null,
  childRunId: null,
  interruption: undefined,
} as const;

export function createStepInstances(steps: readonly StepDefinition[], titleOfSingle: string): StepInstance[] {
  return steps.map((step, index) => {
    const isGroup = step.matrix !== null || step.foreach !== null;
    const name = step.name ?? (steps.length === 1 ? titleOfSingle : step.id);
    const kind = isGroup ? ('group' as const) : step.action.kind;
    return { n: index + 1, stepId: step.id, name, kind, index, item: null, ...fresh };
  });
}

/** The first new instance gets the number `count` + 1, because `count` instances already exist. */
export function createGroupInstances(
  group: StepInstance,
  step: StepDefinition,
  instances: readonly InstanceItem[],
  count: number,
): StepInstance[] {
  return instances.map(({ stepId, item }, at) => ({
    n: count + 1 + at,
    stepId,
    name: group.name,
    kind: step.action.kind,
    index: group.index,
    item,
    ...fresh,
  }));
}

/** `rows` are the latest attempts, in order. */
export function restoreStepInstances(steps: readonly StepDefinition[], rows: readonly StepRow[]): StepInstance[] {
  return rows.map((row) => ({
    n: row.n,
    stepId: row.step_id,
    name: row.name,
    kind: row.kind,
    index: steps.findIndex(({ id }) => id === (row.instance_of ?? row.step_id)),
    item: row.item === null ? null : JSON.parse(row.item),
    attempt: row.attempt,
    epoch: row.epoch,
    status: row.status,
    notBeforeMs: row.not_before,
    deadlineAtMs: row.deadline_at,
    childRunId: row.child_run_id,
    interruption: undefined,
  }));
}

/** Returns the row of an instance before its first attempt or, with `notBeforeMs`, before its next attempt. */
export function toNewStep(instance: StepInstance, step: StepDefinition): NewStep & { readonly attempt: number } {
  return {
    step_id: instance.stepId,
    n: instance.n,
    name: instance.name,
    kind: instance.kind,
    needs: step.needs,
    attempt: instance.attempt,
    not_before: instance.notBeforeMs,
    instance_of: instance.item === null ? null : step.id,
    item: instance.item === null ? null : JSON.stringify(instance.item),
  };
}

export function hasEnded({ status }: Pick<StepInstance, 'status'>): boolean {
  return status !== 'pending' && status !== 'running' && status !== 'waiting_approval';
}

/** The name of an attempt's folder in the folder of its run. */
export function attemptFolder(n: number, attempt: number): string {
  return `${n}-${attempt}`;
}

const mostInstances = 500;

/** Returns every combination. The last variable changes fastest. The job file was checked to have at most 500. */
export function matrixInstances(stepId: string, matrix: NonNullable<StepDefinition['matrix']>): InstanceItem[] {
  let combinations: Record<string, string | number | boolean>[] = [{}];
  for (const [name, values] of Object.entries(matrix)) {
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
  }
  return combinations.map((combination) => {
    const words = Object.entries(combination).map(([name, value]) => `${name}=${value}`);
    return { stepId: `${stepId}[${words.join(',')}]`, item: { matrix: combination } };
  });
}

/** @throws ExpressionError when there are too many */
export function foreachInstances(stepId: string, items: readonly JsonValue[]): InstanceItem[] {
  if (items.length > mostInstances) {
    throw new ExpressionError(`it gives ${items.length} items; at most ${mostInstances} are allowed`);
  }
  return items.map((item, at) => ({ stepId: `${stepId}[${at}]`, item: { item } }));
}
