// The steps of a run as its conductor holds them: one place for each of the job's steps, and behind them one for each
// instance of those with `matrix` or `foreach`. A place is at its last attempt.

import type { StepDefinition } from '../../domain/job.ts';
import type { StepKind, StepStatus } from '../../domain/run.ts';
import type { NewStep } from '../../store/run/steps.ts';
import type { StepRow } from '../../store/schema.ts';
import type { Interruption } from './attempt.ts';
import type { Instance, Item } from './instances.ts';

export type Place = {
  /** From 1, and the name of its attempts' folders. */
  readonly n: number;
  readonly stepId: string;
  readonly name: string;
  readonly kind: StepKind;
  /** Of the job's step. */
  readonly index: number;
  /** What makes it this instance; null for a step of the job itself. */
  readonly item: Item | null;
  attempt: number;
  epoch: number;
  status: StepStatus;
  notBeforeMs: number | null;
  deadlineAtMs: number | null;
  childRunId: string | null;
  /** What is to end it, where that has no process yet to be told. */
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

export function createPlaces(steps: readonly StepDefinition[], titleOfSingle: string): Place[] {
  return steps.map((step, index) => {
    const isGroup = step.matrix !== null || step.foreach !== null;
    const name = step.name ?? (steps.length === 1 ? titleOfSingle : step.id);
    const kind = isGroup ? ('group' as const) : step.action.kind;
    return { n: index + 1, stepId: step.id, name, kind, index, item: null, ...fresh };
  });
}

/** Behind the `count` places that there are. */
export function createInstancePlaces(
  group: Place,
  step: StepDefinition,
  instances: readonly Instance[],
  count: number,
): Place[] {
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

/** `rows` are the last attempts, by place. */
export function restorePlaces(steps: readonly StepDefinition[], rows: readonly StepRow[]): Place[] {
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

/** As it is stored before its first attempt, or with `notBeforeMs` before its next. */
export function toNewStep(place: Place, step: StepDefinition): NewStep & { readonly attempt: number } {
  return {
    step_id: place.stepId,
    n: place.n,
    name: place.name,
    kind: place.kind,
    needs: step.needs,
    attempt: place.attempt,
    not_before: place.notBeforeMs,
    instance_of: place.item === null ? null : step.id,
    item: place.item === null ? null : JSON.stringify(place.item),
  };
}

/** The wall clock was set: what is left of a time or a pause stays as it was. */
export function moveDeadlines(places: readonly Place[], byMs: number): void {
  for (const place of places) {
    if (place.deadlineAtMs !== null) place.deadlineAtMs += byMs;
    if (place.notBeforeMs !== null) place.notBeforeMs += byMs;
  }
}

export function hasEnded({ status }: Pick<Place, 'status'>): boolean {
  return status !== 'pending' && status !== 'running' && status !== 'waiting_approval';
}
