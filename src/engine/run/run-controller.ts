// Drives one run, from its first step to its last row. It turns decisions into rows and processes. Everything that
// follows from the end of a step is one transaction, and a process starts only after that transaction is stored (ADR
// 0014).

import type { Principal } from '../../domain/principal.ts';
import type { Decision } from '../../domain/run.ts';
import type { Transaction } from '../../store/database.ts';
import type { RunClaim } from '../../store/run/run-moves.ts';
import type { StepStart } from '../../store/run/step-moves.ts';
import { Superseded } from '../../store/superseded.ts';
import { isAgentApproval } from '../plan/agent-approval.ts';
import { type Advance, createAdvance } from './advance.ts';
import { approveStep } from './approvals.ts';
import { cancelled } from './attempt/outcome.ts';
import { applyBatch, type Batch, continueBatch, giveUpBatch, newBatch } from './batch.ts';
import { createDrivenRun, type DrivenRun, moveDeadlines, runOverdue } from './driven-run.ts';
import { abortRun, endGracePeriods, enforceDeadlines, watchSize } from './interruptions.ts';
import type { ControllerContext, ControllerSource, RunServices } from './run-context.ts';
import { detachRun, finishRun } from './run-end.ts';
import type { Slot } from './slots.ts';
import { hasEnded } from './step-instances.ts';

export type RunController = ReturnType<typeof createRunController>;

/** Adds the run as already running, with this claim. `starts` has the steps that start with the run, by their ids. */
export type AddClaimed = (tx: Transaction, claim: RunClaim, starts: ReadonlyMap<string, StepStart>) => Promise<void>;

export function createRunController(source: ControllerSource, context: ControllerContext, services: RunServices) {
  const driven = createDrivenRun(source, context, services);
  const advance = createAdvance(driven);
  const { attempts } = driven;
  const hasNoProcess = (): boolean => [...attempts.values()].every((attempt) => attempt.hasEnded());
  return {
    runId: source.run.run_id,
    /** Resolves when the run's last row is written, or this process no longer drives the run. */
    finished: driven.finished,
    /**
     * Claims the run and starts its first steps, in one transaction. `add` adds a run that is not stored yet. `slot` is
     * for one of the steps.
     */
    begin: (slot: Slot, add?: AddClaimed) => begin(driven, advance, slot, add),
    /** Continues what an earlier process started. */
    resume: (holdSlot: () => Slot) => resume(driven, advance, holdSlot),
    /** Ends the whole run. A second call changes nothing, except that `isForced` cuts the grace period short. */
    cancel(isForced = false): void {
      abortRun(driven, advance, cancelled);
      if (isForced) endGracePeriods(driven);
    },
    /** Ends the processes of the run, and stores nothing. */
    async kill(): Promise<void> {
      for (const attempt of attempts.values()) {
        attempt.interrupt(cancelled);
        attempt.endGracePeriod();
      }
      await Promise.all([...attempts.values()].map(({ gone }) => gone));
    },
    /** @throws Problem not-ready, approval-not-pending, permission-denied */
    approve: (stepId: string, decision: Decision, by: Principal) => approveStep(driven, advance, stepId, decision, by),
    enforceDeadlines: () => enforceDeadlines(driven, advance),
    /** Call it when the wall clock was set by `byMs`: the deadlines move with it. */
    clockSet: (byMs: number) => moveDeadlines(driven, byMs),
    /** True if no process of the run is left and its output and files are being stored. */
    isStoring: () => attempts.size > 0 && hasNoProcess(),
    /** True if no process of the run is left and the rest of its end waits for room on the disk. */
    isHeldUp: () => driven.waitsForDisk() && hasNoProcess(),
    /** Leaves the run to the next process, which resumes it. Never rejects. */
    detach: () => detachRun(driven, advance),
  };
}

async function begin(driven: DrivenRun, advance: Advance, slot: Slot, add: AddClaimed | undefined): Promise<void> {
  const { state, job } = driven;
  const { clock, owner, worker } = driven.context;
  driven.phase = 'driven';
  const batch = newBatch(slot);
  const atMs = driven.time.now();
  // The run's timeout does not count while the run waits for a person to approve its start.
  const isHeld = job.steps.some(isAgentApproval);
  const deadlineAtMs = job.timeouts.runMs === null || isHeld ? null : clock.now() + job.timeouts.runMs;
  driven.deadlineAtMs = deadlineAtMs;
  const known = new Set(state.instances.map(({ stepId }) => stepId));
  advance.carryOut(state.next(false), batch);
  const endsAtOnce = state.isOver;
  const epoch = driven.epoch + 1;
  try {
    await owner.transact(async (tx) => {
      const claim = { atMs, owner: owner.id, worker, deadlineAtMs };
      const first = endsAtOnce ? newBatch() : batch;
      if (!add) await applyBatch(tx, driven, first, { kind: 'claim', claim });
      else {
        const { starts, others } = takeStarts(first, known);
        await add(tx, claim, starts);
        await applyBatch(tx, driven, { ...first, changes: others }, null);
      }
      // The epoch is set before the commit. If the same commit stores a cancel, the code that cancels may continue
      // before this function does, and its changes need this epoch.
      driven.epoch = epoch;
    });
  } catch (error) {
    driven.detaching.abort();
    advance.runner.withdraw();
    giveUpBatch(batch);
    throw error;
  }
  batch.spare?.release();
  watchSize(driven, advance);
  if (deadlineAtMs !== null) driven.services.deadlineStored(deadlineAtMs);
  if (endsAtOnce) advance.watch(finishRun(driven, batch));
  // The answer is sent first, because starting a process blocks the event loop for milliseconds.
  else setImmediate(() => (driven.phase === 'over' ? giveUpBatch(batch) : continueBatch(batch)));
}

/** Takes out the starts of these steps: they are stored with the rows of the steps. */
function takeStarts({ changes }: Batch, steps: ReadonlySet<string>) {
  const starts = new Map<string, StepStart>();
  const others = changes.filter((change) => {
    if (change.kind !== 'start' || !steps.has(change.at.stepId)) return true;
    starts.set(change.at.stepId, change.start);
    return false;
  });
  return { starts, others };
}

async function resume(driven: DrivenRun, advance: Advance, holdSlot: () => Slot): Promise<void> {
  const { run, state } = driven;
  const { store, owner, worker } = driven.context;
  const takeover = { owner: owner.id, worker, epoch: driven.epoch };
  const isTaken = await driven.withRetry(() => owner.transact((tx) => store.runs.take(tx, run.run_id, takeover)));
  if (!isTaken) throw new Superseded('another process has taken the run over');
  driven.epoch += 1;
  for (const instance of state.instances) if (instance.epoch > 0 && !hasEnded(instance)) instance.epoch += 1;
  await driven.runLog.announceRest();
  const batch = newBatch();
  for (const instance of state.instances) {
    if (instance.status === 'pending' && instance.item !== null) advance.runner.begin(instance, batch);
    else advance.runner.resume(instance, holdSlot);
  }
  driven.phase = 'driven';
  watchSize(driven, advance);
  // This comes first, so that no step starts only to be ended.
  const why = driven.isCancelRequested ? cancelled : runOverdue(driven);
  if (why) abortRun(driven, advance, why, batch);
  else advance.watch(advance.complete(batch));
}
