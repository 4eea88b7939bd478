// Turns a stored run into what a run controller needs to drive it.

import { lastAttempts } from '../../store/run/run-rows.ts';
import type { StoredRun } from '../../store/run/runs.ts';
import type { StepRow } from '../../store/schema.ts';
import type { Sealer } from '../secrets/seal.ts';
import { sealContext } from './batch.ts';
import type { ControllerSource } from './run-context.ts';
import { unsealSecrets } from './run-secrets.ts';
import { createRunState } from './run-state.ts';
import type { EndedBefore } from './step-endings.ts';
import { restoreStepInstances, type StepInstance } from './step-instances.ts';

/** @throws Error when its secrets cannot be unsealed */
export function toSource(stored: StoredRun, sealer: Sealer): ControllerSource {
  const { run, plan, epoch, deadlineAtMs } = stored;
  const { job } = plan;
  const rows = lastAttempts(stored.attempts);
  const instances = restoreStepInstances(job.steps, rows);
  const ended = rows
    .flatMap((row, at) => {
      const instance = instances[at];
      return instance && row.finished_at !== null ? [{ row, instance }] : [];
    })
    .toSorted((a, b) => inOrder(a.row, b.row))
    .map(({ row, instance }) => endedBefore(row, instance, run.run_id, sealer));
  return {
    run,
    plan,
    ...unsealSecrets(stored, sealer),
    state: createRunState({ job, run, instances, ended }),
    terminations: stored.attempts.flatMap(({ termination }) => (termination === null ? [] : [JSON.parse(termination)])),
    isCancelRequested: run.cancel_requested_at !== null,
    epoch,
    deadlineAtMs,
    latestAtMs: Math.max(Date.parse(run.started_at ?? run.created_at), ...stored.attempts.map(latestOf)),
  };
}

function latestOf({ started_at, finished_at }: StepRow): number {
  return finished_at ?? started_at ?? 0;
}

/** The outputs of an attempt, including the secrets that they hold. */
export function unsealOutputs(row: StepRow, runId: string, sealer: Sealer): Record<string, string> {
  if (row.sealed === null) return JSON.parse(row.outputs);
  return JSON.parse(sealer.unseal(row.sealed, sealContext(runId, row.step_id, row.attempt)));
}

/** Orders rows by the time of their end. An instance comes before the step that it belongs to. */
function inOrder(a: StepRow, b: StepRow): number {
  return Number(a.finished_at) - Number(b.finished_at) || Number(a.item === null) - Number(b.item === null);
}

/** How an instance ended, from its row. */
export function endedBefore(row: StepRow, instance: StepInstance, runId: string, sealer: Sealer): EndedBefore {
  const { status, reason, message, hint, exit_code: exitCode } = row;
  const ending = {
    status: status === 'success' || status === 'cancelled' ? status : 'failed',
    reason,
    message,
    ...(hint !== null && { hint }),
    exitCode,
    outputs: JSON.parse(row.outputs),
    openOutputs: unsealOutputs(row, runId, sealer),
  } as const;
  return { instance, ending, skipped: instance.status === 'skipped' ? (reason ?? 'run_ended') : null };
}
