// Ends runs whose run controller has not done its part long after it was told: processes and rows.

import { setTimeout as delay } from 'node:timers/promises';
import { isFinished } from '../domain/run.ts';
import type { SteadyClock } from '../lib/clock.ts';
import type { Store } from '../store/open.ts';
import type { StoredRun } from '../store/run/runs.ts';
import { endWithoutController } from './resume.ts';
import type { ControllerContext } from './run/run-context.ts';
import type { RunRegister } from './run-register.ts';

/** Why a running run is to end. */
export type Due = 'timeout' | 'cancel';

export type ForcedEnds = {
  /** Told all that are due, each time: forces those that have been due for too long. */
  readonly look: (due: ReadonlyMap<string, Due>) => void;
};

/** Beyond the grace period: after this, the run controller has not done its part. */
const overtimeMs = 15_000;
/** Large artifacts take their time. */
const storingMs = 600_000;
const droppingMs = 2_000;

type Surroundings = {
  readonly context: ControllerContext;
  readonly register: RunRegister;
  readonly cancel: (runId: string) => void;
  readonly signal: AbortSignal;
};

export function createForcedEnds(o: Surroundings & { readonly clock: SteadyClock }): ForcedEnds {
  const { clock } = o;
  const { log } = o.context;
  /** Since when (monotonic) its run controller has been told to end it, by run. */
  const toldSince = new Map<string, number>();
  const forcing = new Set<string>();

  function force(runId: string, why: Due): void {
    const nowMs = clock.monotonicMs();
    const since = toldSince.get(runId) ?? nowMs;
    toldSince.set(runId, since);
    if (nowMs - since < overtimeMs || forcing.has(runId)) return;
    forcing.add(runId);
    void forceEnd(runId, nowMs - since, why, o)
      .catch((error: unknown) => {
        if (!o.signal.aborted) log.error({ err: error, run_id: runId }, 'a run past its time could not be ended');
      })
      .finally(() => forcing.delete(runId));
  }

  return {
    look(due) {
      for (const runId of toldSince.keys()) if (!due.has(runId)) toldSince.delete(runId);
      // Side by side: one that hangs keeps no other waiting.
      for (const [runId, why] of due) force(runId, why);
    },
  };
}

/** Once the run has had its grace period since its run controller was told. */
async function forceEnd(runId: string, toldForMs: number, why: Due, o: Surroundings): Promise<void> {
  const { context, register } = o;
  const { store, log } = context;
  const before = await store.runs.execution(runId);
  const controller = register.controllerOf(runId);
  const timeoutMs = controller?.isStoring() ? storingMs : overtimeMs;
  if (!before || toldForMs < before.plan.job.cancel.graceMs + timeoutMs) return;
  // A disk that is full decides nothing about a run whose processes are gone; a sub-run has a grace period of its own.
  if (controller?.isHeldUp() || (await waitsForSubRun(before, store))) return;
  log.error({ run_id: runId }, 'a run past its time is ended without its run controller');
  await Promise.race([register.drop(runId), delay(droppingMs, undefined, { ref: false })]);
  // It may have come to something meanwhile.
  const stored = await store.runs.execution(runId);
  if (stored?.run.status !== 'running') return;
  const message = 'did not end in time, and what attended to it did not answer';
  const reason = why === 'cancel' ? 'lost' : 'timeout';
  await endWithoutController(stored, { reason, message }, { ...context, cancelChild: o.cancel });
}

async function waitsForSubRun({ attempts }: StoredRun, store: Store): Promise<boolean> {
  for (const { child_run_id: childRunId, finished_at } of attempts) {
    if (childRunId === null || finished_at !== null) continue;
    const child = await store.runs.summary(childRunId);
    if (child && !isFinished(child.status)) return true;
  }
  return false;
}
