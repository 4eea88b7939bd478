// Runs the steps of one run: commands, which need a slot, and sub-runs, approvals and delays, which do not. advance.ts
// decides what follows when a step ends.

import type { Interruption, Outcome } from './attempt/outcome.ts';
import { type Batch, newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Slot } from './slots.ts';
import { driveCommand } from './step-commands.ts';
import type { StepInstance } from './step-instances.ts';
import { createStepWaits } from './step-waits.ts';
import { driveSubRun } from './sub-run-step.ts';

export type StepRunner = ReturnType<typeof createStepRunner>;

export function createStepRunner(
  driven: DrivenRun,
  o: {
    /** Called when a step that waited starts with this batch. */
    readonly onBegin: (batch: Batch) => void;
    /** Called when a step has started. The outcome is undefined when the run was detached before the step ended. */
    readonly onOutcome: (instance: StepInstance, outcome: Promise<Outcome | undefined>) => void;
  },
) {
  const { state, changes, services, attempts } = driven;
  const waits = createStepWaits(driven, {
    onSlot(instance, slot) {
      const batch = newBatch();
      startCommand(instance, slot, batch);
      o.onBegin(batch);
    },
    onTime(instance) {
      const batch = newBatch();
      begin(instance, batch);
      o.onBegin(batch);
    },
  });

  /** Starts an instance with the batch. If it must wait, it starts later in a batch of its own. */
  function begin(instance: StepInstance, batch: Batch): void {
    const { kind } = state.stepOf(instance).action;
    if (waits.isEarly(instance)) {
      waits.delay(instance);
      batch.after.push(() => waits.startTimer(instance));
    } else if (kind === 'approval') changes.start(instance, 'waiting_approval', batch);
    else if (kind === 'job') {
      changes.start(instance, 'running', batch);
      batch.after.push(() => o.onOutcome(instance, driveSubRun(driven, instance)));
    } else {
      const slot = batch.spare ?? waits.requestSlot(instance);
      batch.spare = undefined;
      if (slot) startCommand(instance, slot, batch);
    }
  }

  function startCommand(instance: StepInstance, slot: Slot, batch: Batch): void {
    changes.start(instance, 'running', batch);
    batch.slots.push(slot);
    batch.after.push(() => driveAttempt(instance, slot, 'launch'));
  }

  function driveAttempt(instance: StepInstance, slot: Slot, mode: 'launch' | 'resume'): void {
    const outcome = driveCommand(driven, instance, slot, mode);
    if (outcome) o.onOutcome(instance, outcome);
  }

  return {
    begin,
    /** Continues a step that an earlier process started. */
    resume(instance: StepInstance, holdSlot: () => Slot): void {
      if (instance.status !== 'running') return;
      if (instance.kind === 'command') driveAttempt(instance, holdSlot(), 'resume');
      else if (instance.kind === 'job') o.onOutcome(instance, driveSubRun(driven, instance));
    },
    /** Ends a step that has started. Returns `waiting` for a step that was still waiting, and now never starts. */
    interrupt(instance: StepInstance, why: Interruption): 'interrupted' | 'waiting' | 'untouched' {
      const attempt = attempts.get(instance);
      if (attempt) return attempt.interrupt(why) ? 'interrupted' : 'untouched';
      if (instance.status === 'running' && instance.kind !== 'group') {
        instance.interruption ??= why;
        if (instance.childRunId !== null) services.children.cancel(instance.childRunId, driven.run.run_id);
        return 'interrupted';
      }
      return waits.withdraw(instance) ? 'waiting' : 'untouched';
    },
    /** Leaves waiting steps to the next process. Attempts continue until each is detached. */
    withdraw: waits.withdrawAll,
  };
}
