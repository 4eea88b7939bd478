// Runs a step that starts another job, from the start of that run to its end.

import { setTimeout as delay } from 'node:timers/promises';
import { invariant, Problem } from '../../domain/problem.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { nothingDone, type Outcome } from './attempt/outcome.ts';
import type { DrivenRun } from './driven-run.ts';
import type { StepInstance } from './step-instances.ts';
import { openScopeOf } from './step-values.ts';

/** How long to wait before asking again whether a sub-run may start. */
const noRoomMs = 250;

/**
 * Starts the sub-run, or waits for the sub-run that an earlier process started. Returns undefined if the run was
 * detached first.
 */
export async function driveSubRun(driven: DrivenRun, instance: StepInstance): Promise<Outcome | undefined> {
  const { children } = driven.services;
  const { signal } = driven.detaching;
  try {
    while (instance.childRunId === null) {
      if (instance.interruption) return { ...nothingDone, ...instance.interruption };
      const started = await start(driven, instance);
      if (started !== undefined) instance.childRunId = started;
      else if (!instance.interruption) await delay(noRoomMs, undefined, { signal });
    }
  } catch (error) {
    if (!(error instanceof Problem) || isStorageError(error)) throw error;
    const message = driven.redactor.text(error.message);
    return { ...nothingDone, status: 'failed', reason: 'start_failed', message };
  }
  if (instance.interruption) children.cancel(instance.childRunId, driven.run.run_id);
  const outcome = await children.end(instance.childRunId, signal);
  if (signal.aborted) return undefined;
  return instance.interruption ? { ...outcome, ...instance.interruption } : outcome;
}

/** Returns undefined if there is no room for the sub-run at present, or if the step was interrupted. */
async function start(driven: DrivenRun, instance: StepInstance): Promise<string | undefined> {
  const { run, plan, state } = driven;
  const { action } = state.stepOf(instance);
  invariant(action.kind === 'job', 'a sub-run is started for a step that names a job');
  const { stepId, attempt, epoch } = instance;
  const at = { runId: run.run_id, stepId, attempt, epoch };
  const scope = { ...state.scope, ...instance.item };
  const openScope = () => openScopeOf(scope, driven.secrets, state.values);
  const from = { run, plan, at, action, scope, openScope, secrets: driven };
  // This is repeated, because a server that has just started may not have read its sources yet.
  return driven.withRetry(() => (instance.interruption ? undefined : driven.services.children.start(from)));
}
