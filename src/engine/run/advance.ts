// Brings a run on from one end to the next: decides what follows, writes it with what has led to it in one
// transaction, and then starts what begins (ADR 0014).

import { retryDelayMs } from '../../domain/retry.ts';
import type { Decision as Approval } from '../../domain/run.ts';
import type { Outcome } from './attempt/outcome.ts';
import { applyBatch, type Batch, carryOn, giveUpBatch, newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import { abandonRun, finishRun } from './run-end.ts';
import type { Decision } from './run-state.ts';
import { attemptsAt } from './step-commands.ts';
import type { Ending } from './step-endings.ts';
import type { StepInstance } from './step-instances.ts';
import { createStepRunner, type StepRunner } from './step-runner.ts';

export type Advance = {
  readonly runner: StepRunner;
  /** An instance has ended: its row, and what the state decides. */
  readonly end: (instance: StepInstance, outcome: Ending & Partial<Outcome>, batch: Batch, approval?: Approval) => void;
  readonly carryOut: (decisions: readonly Decision[], batch: Batch) => void;
  /** Decides what follows from the batch, writes all of it, and starts what begins. */
  readonly complete: (batch: Batch) => Promise<void>;
  /** For work that nobody awaits: an error of it abandons the run. */
  readonly watch: (work: Promise<void>) => void;
  /** All that is watched now. Never rejects. */
  readonly settled: () => Promise<unknown>;
};

export function createAdvance(driven: DrivenRun): Advance {
  const { state, changes, detaching, log } = driven;
  const watched = new Set<Promise<void>>();
  const runner = createStepRunner(driven, {
    onBegin: (batch) => watch(complete(batch)),
    onOutcome: (instance, outcome) => watch(outcome.then((how) => (how ? settle(instance, how) : undefined))),
  });

  /** An attempt is over: it is tried again, or its step has ended. */
  async function settle(instance: StepInstance, outcome: Outcome): Promise<void> {
    const hadProcess = runner.attemptOf(instance) !== undefined;
    if (outcome.termination) driven.terminations.push(outcome.termination);
    const delayMs = delayOfRetry(driven, instance, outcome);
    const batch = newBatch();
    if (delayMs !== undefined) {
      runner.forget(instance);
      changes.retry(instance, outcome, delayMs, batch);
      driven.lastAttempt = Math.max(driven.lastAttempt, instance.attempt);
      runner.begin(instance, batch);
    } else {
      const ending = hadProcess ? await takeArtifacts(driven, instance, outcome, batch) : outcome;
      batch.result = ending.result;
      runner.forget(instance);
      end(instance, ending, batch);
    }
    await complete(batch);
  }

  function end(...[instance, outcome, batch, approval]: Parameters<Advance['end']>): void {
    changes.end(instance, outcome, batch, approval);
    carryOut(state.end(instance, outcome), batch);
  }

  function carryOut(decisions: readonly Decision[], batch: Batch): void {
    for (const decision of decisions) {
      if (decision.kind === 'begin') runner.begin(decision.instance, batch);
      else if (decision.kind === 'end') changes.end(decision.instance, decision.ending, batch);
      else if (decision.kind === 'expand') changes.expand(decision, batch);
      else {
        if (decision.reason === 'run_ended') driven.hasAborted = true;
        changes.skip(decision, batch);
      }
    }
  }

  async function complete(batch: Batch): Promise<void> {
    carryOut(state.next(driven.aborting !== undefined), batch);
    if (state.isOver) return finishRun(driven, batch);
    if (batch.changes.length > 0) await writeBatch(driven, batch);
    // The run was abandoned or detached meanwhile: nothing starts any more.
    if (driven.phase === 'over' || detaching.signal.aborted) giveUpBatch(batch);
    else carryOn(batch);
  }

  function watch(work: Promise<void>): void {
    const watching = work
      .catch((error: unknown) => abandonRun(driven, runner, error))
      .catch((error: unknown) => {
        if (!detaching.signal.aborted) log.error({ err: error }, 'the end of a run was not written');
      });
    watched.add(watching);
    void watching.finally(() => watched.delete(watching));
  }

  return { runner, end, carryOut, complete, watch, settled: () => Promise.all(watched) };
}

async function writeBatch(driven: DrivenRun, batch: Batch): Promise<void> {
  const touch = { kind: 'touch', attempt: driven.lastAttempt, result: batch.result, epoch: driven.epoch } as const;
  try {
    await driven.write((tx) => applyBatch(tx, driven, batch, touch));
  } catch (error) {
    giveUpBatch(batch);
    throw error;
  }
}

/** undefined: the step is not tried again. */
function delayOfRetry(
  { aborting, state, job }: DrivenRun,
  instance: StepInstance,
  { status, reason, exitCode }: Outcome,
): number | undefined {
  if (aborting || status !== 'failed') return undefined;
  const { retry: policy } = state.stepOf(instance);
  const { attempt } = instance;
  return retryDelayMs(policy, { attempt, reason, exitCode, retriesLost: job.onLost === 'retry' });
}

/** The artifacts of a job without steps are taken with the end of its command, and may fail it. */
async function takeArtifacts(
  driven: DrivenRun,
  instance: StepInstance,
  outcome: Outcome,
  batch: Batch,
): Promise<Outcome> {
  // Other steps may still write to the workspace: what this one named is taken at the run's end.
  if (driven.job.composition !== 'single') return outcome;
  const { artifacts, failure } = await driven.artifacts.take([attemptsAt(driven, instance)]);
  batch.artifacts.push(...artifacts);
  if (!failure || outcome.status !== 'success') return outcome;
  return { ...outcome, status: 'failed', reason: failure.reason, message: failure.message };
}
