// Ends a run by force, both its processes and its rows, if its run controller should have ended it long ago.

import { isFinished } from '../domain/run.ts';
import { atMost } from '../lib/at-most.ts';
import type { Store } from '../store/open.ts';
import type { StoredRun } from '../store/run/runs.ts';
import { endOrphan } from './end-orphan.ts';
import type { ControllerContext } from './run/run-context.ts';
import type { RunRegister } from './run-register.ts';

/** Why a running run must end. */
export type Due = 'timeout' | 'cancel';

/** Call it with all runs that are due. Those that have been due for too long are ended by force. */
export type ForceEnds = (due: ReadonlyMap<string, Due>) => void;

/** A run controller that has not ended its run this long after the grace period is considered stuck. */
const overtimeMs = 15_000;
/** The same time for a run whose files are being stored. It is longer, because large artifacts take time. */
const storingMs = 600_000;
const droppingMs = 2_000;

type Parts = {
  readonly context: ControllerContext;
  readonly register: RunRegister;
  readonly cancel: (runId: string, by: string) => void;
  readonly signal: AbortSignal;
};

export function createForceEnds(o: Parts): ForceEnds {
  const { log, clock } = o.context;
  /** When each run controller was first asked to end its run, on the monotonic clock. */
  const endRequestedAtMs = new Map<string, number>();
  const forcing = new Set<string>();

  function force(runId: string, why: Due): void {
    const nowMs = clock.monotonicMs();
    const since = endRequestedAtMs.get(runId) ?? nowMs;
    endRequestedAtMs.set(runId, since);
    if (nowMs - since < overtimeMs || forcing.has(runId)) return;
    forcing.add(runId);
    void forceEnd(runId, nowMs - since, why, o)
      .catch((error: unknown) => {
        if (!o.signal.aborted) log.error({ err: error, run_id: runId }, 'an overdue run could not be ended by force');
      })
      .finally(() => forcing.delete(runId));
  }

  return (due) => {
    for (const runId of endRequestedAtMs.keys()) if (!due.has(runId)) endRequestedAtMs.delete(runId);
    // All runs are ended at the same time, so that a run that hangs does not hold up the others.
    for (const [runId, why] of due) force(runId, why);
  };
}

/** Does nothing until the run's grace period and some more time are over. */
async function forceEnd(runId: string, requestedForMs: number, why: Due, o: Parts): Promise<void> {
  const { context, register } = o;
  const { store, log } = context;
  const before = await store.runs.execution(runId);
  const controller = register.controllerOf(runId);
  const timeoutMs = controller?.isStoring() ? storingMs : overtimeMs;
  if (!before || requestedForMs < before.plan.job.cancel.graceMs + timeoutMs) return;
  // A run whose processes are gone may wait for room on the disk. A step may wait for the grace period of its sub-run.
  if (controller?.isHeldUp() || (await waitsForSubRun(before, store))) return;
  log.error({ run_id: runId }, 'an overdue run is ended without its run controller');
  await atMost(droppingMs, register.drop(runId));
  // The run may have ended in the meantime.
  const stored = await store.runs.execution(runId);
  if (stored?.run.status !== 'running') return;
  const message = 'did not end in time; the server ended it by force';
  const reason = why === 'cancel' ? 'lost' : 'timeout';
  await endOrphan(stored, { reason, message }, context, o.cancel);
}

async function waitsForSubRun({ attempts }: StoredRun, store: Store): Promise<boolean> {
  for (const { child_run_id: childRunId, finished_at } of attempts) {
    if (childRunId === null || finished_at !== null) continue;
    const child = await store.runs.summary(childRunId);
    if (child && !isFinished(child.status)) return true;
  }
  return false;
}
