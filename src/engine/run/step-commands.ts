// Steps that are commands: each attempt from the slot that it was given to its outcome.

import { join } from 'node:path';
import type { Namer } from '../../exec/collect/collect.ts';
import { type Attempt, startAttempt } from './attempt/attempt.ts';
import { nothingDone, type Outcome } from './attempt/outcome.ts';
import { type DrivenRun, runOverdue, stepOverdue } from './driven-run.ts';
import type { Slot } from './slots.ts';
import { attemptFolder, type StepInstance } from './step-instances.ts';
import { ancestorsOf, stepVariables } from './step-values.ts';

export type StepCommands = {
  /** Starts the attempt, or goes on with one that a former process has started. Releases the slot with the process. */
  readonly attend: (instance: StepInstance, slot: Slot, mode: 'launch' | 'take-up') => void;
  readonly attemptOf: (instance: StepInstance) => Attempt | undefined;
  readonly attempts: () => readonly Attempt[];
  /** Its outcome is dealt with. */
  readonly forget: (instance: StepInstance) => void;
};

export function createStepCommands(
  driven: DrivenRun,
  onOutcome: (instance: StepInstance, outcome: Promise<Outcome>) => void,
): StepCommands {
  const { plan, state, about, context, log, detaching } = driven;
  const attempts = new Map<StepInstance, Attempt>();

  function announceSignal({ stepId }: StepInstance, signal: string, processes: number): void {
    const message = `sent ${signal} to ${processes} ${processes === 1 ? 'process' : 'processes'}`;
    const data = { signal, message, step_id: stepId };
    context.store.db
      .transact(async (tx) => tx.emit({ type: 'run.cancelling', ...about, data }))
      .catch((error: unknown) => log.error({ err: error }, 'an event of the cancel was not written'));
  }

  return {
    attend(instance, slot, mode) {
      const { id, action } = state.stepOf(instance);
      if (action.kind !== 'command') return;
      // The run was detached after this was decided: the next start begins what is in the database.
      if (detaching.signal.aborted) {
        slot.release();
        return;
      }
      if (instance.interruption && mode === 'launch') {
        slot.release();
        onOutcome(instance, Promise.resolve({ ...nothingDone, ...instance.interruption }));
        return;
      }
      const { stepId, attempt: number, item } = instance;
      const attempt = startAttempt({
        ...driven,
        at: { stepId, attempt: number },
        action,
        variables: stepVariables(item, ancestorsOf(plan.job.steps, id), state.values),
        attemptDir: attemptDirOf(driven, instance, number),
        mode,
        overdue: () => runOverdue(driven) ?? stepOverdue(driven, instance),
        onSignal: (signal, processes) => announceSignal(instance, signal, processes),
      });
      attempts.set(instance, attempt);
      if (instance.interruption) attempt.interrupt(instance.interruption);
      void attempt.gone.then(() => slot.release());
      onOutcome(instance, attempt.outcome);
    },
    attemptOf: (instance) => attempts.get(instance),
    attempts: () => [...attempts.values()],
    forget: (instance) => void attempts.delete(instance),
  };
}

function attemptDirOf({ runDir }: DrivenRun, { n }: StepInstance, attempt: number): string {
  return join(runDir, attemptFolder(n, attempt));
}

/** All attempts of an instance, in their order. */
export function attemptsAt(driven: DrivenRun, instance: StepInstance): readonly Namer[] {
  return Array.from({ length: instance.attempt }, (_, before) => {
    const attempt = before + 1;
    return { stepId: instance.stepId, attempt, attemptDir: attemptDirOf(driven, instance, attempt) };
  });
}
