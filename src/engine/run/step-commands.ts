// Runs steps that are commands: takes each attempt from its slot to its outcome.

import { join } from 'node:path';
import type { Namer } from '../../exec/collect/collect.ts';
import { startAttempt } from './attempt/attempt.ts';
import { nothingDone, type Outcome } from './attempt/outcome.ts';
import { type DrivenRun, runOverdue, stepOverdue } from './driven-run.ts';
import { answerKv } from './run-kv.ts';
import type { Slot } from './slots.ts';
import { attemptFolder, type StepInstance } from './step-instances.ts';
import { ancestorsOf, stepVariables } from './step-values.ts';

/**
 * Starts the attempt, or resumes an attempt that an earlier process started. Releases the slot when the attempt's
 * processes are gone. Returns undefined when the run was detached first.
 */
export function driveCommand(
  driven: DrivenRun,
  instance: StepInstance,
  slot: Slot,
  mode: 'launch' | 'resume',
): Promise<Outcome> | undefined {
  const { plan, state, attempts } = driven;
  const { interruption, stepId, attempt: number, item } = instance;
  const { id, action } = state.stepOf(instance);
  if (action.kind !== 'command') return undefined;
  // If the run was detached after this start was decided, the next process starts what the database says.
  if (driven.detaching.signal.aborted) {
    slot.release();
    return undefined;
  }
  if (interruption && mode === 'launch') {
    slot.release();
    return Promise.resolve({ ...nothingDone, ...interruption });
  }
  const sinceMs = performance.now();
  const attempt = startAttempt({
    ...driven,
    at: { stepId, attempt: number },
    action,
    variables: stepVariables(item, ancestorsOf(plan.job.steps, id), state.values),
    attemptDir: attemptDirOf(driven, instance, number),
    mode,
    answerKv: (request) => answerKv(driven, { stepId, attempt: number }, request),
    mayHaveLost: () => driven.context.disk.wasExhaustedSince(sinceMs),
    overdue: () => runOverdue(driven) ?? stepOverdue(driven, instance),
    onSignal: (signal, processes) => announceSignal(driven, stepId, signal, processes),
  });
  attempts.set(instance, attempt);
  if (interruption) attempt.interrupt(interruption);
  void attempt.gone.then(() => slot.release());
  return attempt.outcome;
}

function announceSignal({ about, context, log }: DrivenRun, stepId: string, signal: string, processes: number): void {
  const message = `sent ${signal} to ${processes} ${processes === 1 ? 'process' : 'processes'}`;
  const data = { signal, message, step_id: stepId };
  context.store.db
    .transact(async (tx) => tx.emit({ type: 'run.cancelling', ...about, data }))
    .catch((error: unknown) => log.error({ err: error }, 'an event of the cancel was not written'));
}

function attemptDirOf({ runDir }: DrivenRun, { n }: StepInstance, attempt: number): string {
  return join(runDir, attemptFolder(n, attempt));
}

/** All attempts of an instance, in order. */
export function attemptsAt(driven: DrivenRun, instance: StepInstance): readonly Namer[] {
  return Array.from({ length: instance.attempt }, (_, before) => {
    const attempt = before + 1;
    return { stepId: instance.stepId, attempt, attemptDir: attemptDirOf(driven, instance, attempt) };
  });
}
