// Decides what a rerun keeps of the earlier run: the rows of steps that succeeded and, for other steps, the rows of
// their instances that succeeded. These rows become rows of the new run, with their outputs.

import type { StepDefinition } from '../domain/job.ts';
import { validationError } from '../domain/problem.ts';
import { lastAttempts } from '../store/run/run-rows.ts';
import type { StoredRun } from '../store/run/runs.ts';
import type { NewStep } from '../store/run/step-moves.ts';
import type { StepRow } from '../store/schema.ts';
import type { FirstSteps } from './add-run.ts';
import type { RerunRequest } from './plan/rerun-arguments.ts';
import { sealContext } from './run/batch.ts';
import { endedBefore, unsealOutputs } from './run/run-source.ts';
import { createRunState, type RunState } from './run/run-state.ts';
import {
  createGroupInstances,
  createStepInstances,
  restoreStepInstances,
  type StepInstance,
  toNewStep,
} from './run/step-instances.ts';
import { ancestorsOf, type RunFacts } from './run/step-values.ts';
import type { Sealer } from './secrets/seal.ts';

const mostNamed = 20;

/**
 * The rows of steps and instances that succeeded, unless they need something that runs again.
 * @throws Problem validation-error for a step that the job does not have, and when nothing failed
 */
export function keptRows(
  stored: StoredRun,
  steps: readonly StepDefinition[],
  from: NonNullable<RerunRequest['from']>,
): StepRow[] {
  if (from === 'start') return [];
  if (typeof from === 'object' && !steps.some(({ id }) => id === from.step)) {
    const ids = steps.slice(0, mostNamed).map(({ id }) => `'${id}'`);
    const known = `${ids.length === 1 ? 'its only step is' : 'its steps are'} ${ids.join(', ')}${steps.length > mostNamed ? ', …' : ''}`;
    const message = `the job has no step '${from.step}'; ${known}`;
    throw validationError([{ pointer: '/from/step', message, keyword: 'step' }]);
  }
  // A job without steps keeps no workspace, so its rerun starts from the beginning.
  if (stored.plan.job.composition === 'single') return [];
  const rows = lastAttempts(stored.attempts);
  if (from === 'failed' && rows.every(({ status }) => status === 'success' || status === 'skipped')) {
    const message = 'nothing failed in this run; `start` runs all of it';
    throw validationError([{ pointer: '/from', message, keyword: 'from' }]);
  }
  const succeeded = rows.filter(({ status }) => status === 'success');
  const stepIds = new Set(succeeded.map((row) => row.step_id));
  const isAsked = (id: string): boolean => typeof from === 'object' && from.step === id;
  const isKept = (id: string): boolean => stepIds.has(id) && !isAsked(id);
  const reached = new Set(
    steps.filter(({ id }) => !isAsked(id) && [...ancestorsOf(steps, id)].every(isKept)).map(({ id }) => id),
  );
  return succeeded.filter((row) => reached.has(row.instance_of ?? row.step_id));
}

/** The rows of steps and the state that a rerun begins with. */
export function keptStart(o: {
  readonly stored: StoredRun;
  readonly kept: readonly StepRow[];
  /** The steps of the job as it runs again. */
  readonly steps: readonly StepDefinition[];
  readonly run: RunFacts;
  readonly sealer: Sealer;
}): FirstSteps {
  const { stored, steps, run, sealer } = o;
  const job = { ...stored.plan.job, steps };
  const oldId = stored.run.run_id;
  const rowOf = new Map(o.kept.map((row) => [row.step_id, row]));
  const keptAt = new Map<StepInstance, StepRow>();
  const keep = (row: StepRow, n: number): StepInstance[] => {
    const instances = restoreStepInstances(steps, [{ ...row, n }]);
    for (const instance of instances) keptAt.set(instance, row);
    return instances;
  };
  const stepInstances = createStepInstances(steps, job.title ?? job.name).flatMap((instance) => {
    const row = rowOf.get(instance.stepId);
    return row ? keep(row, instance.n) : instance;
  });
  for (const row of o.kept) {
    if (row.instance_of !== null && rowOf.has(row.instance_of))
      stepInstances.push(...keep(row, stepInstances.length + 1));
  }

  const ofWholeSteps = stateOf();
  for (const instance of stepInstances.filter(({ kind, status }) => kind === 'group' && status === 'pending')) {
    const step = steps[instance.index];
    if (!step) continue;
    const instances = createGroupInstances(instance, step, ofWholeSteps.instancesOf(instance), stepInstances.length);
    const found = instances.map((instance) => {
      const row = rowOf.get(instance.stepId);
      // With other arguments, the list may hold another item at the same position.
      return row?.item === JSON.stringify(instance.item) ? row : undefined;
    });
    if (found.some((row) => row !== undefined))
      stepInstances.push(...instances.flatMap((instance, at) => (found[at] ? keep(found[at], instance.n) : instance)));
  }
  return { state: stateOf, steps: stepInstances.flatMap(toRow) };

  function stateOf(): RunState {
    const ended = [...keptAt]
      .toSorted(([, a], [, b]) => Number(a.item === null) - Number(b.item === null))
      .map(([instance, row]) => endedBefore(row, instance, oldId, sealer));
    return createRunState({ job, run, instances: stepInstances, ended });
  }

  function toRow(instance: StepInstance): NewStep[] {
    const step = steps[instance.index];
    const row = keptAt.get(instance);
    if (!step) return [];
    return [row ? { ...toNewStep(instance, step), kept: keptOf(row) } : toNewStep(instance, step)];
  }

  /** Sealed outputs are bound to their run, so they are sealed again for the new one. */
  function keptOf(row: StepRow): NonNullable<NewStep['kept']> {
    const { status, started_at, finished_at, exit_code, outputs } = row;
    const context = sealContext(run.run_id, row.step_id, row.attempt);
    const sealed = row.sealed === null ? null : sealer.seal(JSON.stringify(unsealOutputs(row, oldId, sealer)), context);
    return { status, started_at, finished_at, exit_code, outputs, sealed };
  }
}
