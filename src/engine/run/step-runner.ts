// Brings the steps of one run to their ends: commands, which need a slot; sub-runs, approvals and delays, which need
// none. What an end means is decided elsewhere (advance.ts): the runner only hands it over.

import type { Attempt } from './attempt/attempt.ts';
import type { Interruption, Outcome } from './attempt/outcome.ts';
import { type Batch, newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Slot } from './slots.ts';
import { createStepCommands } from './step-commands.ts';
import { hasEnded, type StepInstance } from './step-instances.ts';
import { createStepWaits } from './step-waits.ts';
import { driveSubRun } from './sub-run-step.ts';

export type StepRunner = {
  /** Starts an instance with the batch. What must wait starts later, in a batch of its own. */
  readonly begin: (instance: StepInstance, batch: Batch) => void;
  /** Goes on with what a former process has begun. */
  readonly resume: (instance: StepInstance, holdSlot: () => Slot) => void;
  readonly attemptOf: (instance: StepInstance) => Attempt | undefined;
  readonly attempts: () => readonly Attempt[];
  /** Its outcome is dealt with. */
  readonly forget: (instance: StepInstance) => void;
  /** Ends what has begun and not ended. `waiting`: it has not begun, and now never will. */
  readonly interrupt: (instance: StepInstance, why: Interruption) => 'interrupted' | 'waiting' | 'untouched';
  /** What is being ended is ended at once. */
  readonly hasten: () => void;
  /** Leaves what waits to the next start. Attempts go on until each is detached. */
  readonly withdraw: () => void;
};

export function createStepRunner(
  driven: DrivenRun,
  o: {
    /** A step that waited begins with this batch. */
    readonly onBegin: (batch: Batch) => void;
    /** A step is on its way. undefined: the run was detached before the step ended. */
    readonly onOutcome: (instance: StepInstance, outcome: Promise<Outcome | undefined>) => void;
  },
): StepRunner {
  const { state, changes, around } = driven;
  const commands = createStepCommands(driven, o.onOutcome);
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
    batch.after.push(() => commands.attend(instance, slot, 'launch'));
  }

  return {
    begin,
    resume(instance, holdSlot) {
      if (instance.status !== 'running') return;
      if (instance.kind === 'command') commands.attend(instance, holdSlot(), 'take-up');
      else if (instance.kind === 'job') o.onOutcome(instance, driveSubRun(driven, instance));
    },
    attemptOf: commands.attemptOf,
    attempts: commands.attempts,
    forget: commands.forget,
    interrupt(instance, why) {
      const attempt = commands.attemptOf(instance);
      if (attempt) return attempt.interrupt(why) ? 'interrupted' : 'untouched';
      if (instance.status === 'running' && instance.kind !== 'group') {
        instance.interruption ??= why;
        if (instance.childRunId !== null) around.children.cancel(instance.childRunId);
        return 'interrupted';
      }
      return waits.withdraw(instance) ? 'waiting' : 'untouched';
    },
    hasten() {
      for (const attempt of commands.attempts()) attempt.hasten();
      for (const instance of state.instances)
        if (instance.childRunId !== null && !hasEnded(instance)) around.children.cancel(instance.childRunId, true);
    },
    withdraw: waits.withdrawAll,
  };
}
