// Moves a run on when a step ends: decides what follows, writes the end and the decision in one transaction, and then
// starts the next processes (ADR 0014).

import { retryDelayMs } from '../../domain/retry.ts';
import type { Decision as Approval } from '../../domain/run.ts';
import type { Outcome } from './attempt/outcome.ts';
import { applyBatch, type Batch, continueBatch, giveUpBatch, newBatch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import { abandonRun, finishRun } from './run-end.ts';
import type { Decision } from './run-state.ts';
import { attemptsAt } from './step-commands.ts';
import type { Ending } from './step-endings.ts';
import type { StepInstance } from './step-instances.ts';
import { createStepRunner } from './step-runner.ts';

export type Advance = ReturnType<typeof createAdvance>;

export function createAdvance(driven: DrivenRun) {
  const { state, changes, detaching, log, attempts } = driven;
  const watched = new Set<Promise<void>>();
  const runner = createStepRunner(driven, {
    onBegin: (batch) => watch(complete(batch)),
    onOutcome: (instance, outcome) => watch(outcome.then((how) => (how ? settle(instance, how) : undefined))),
  });

  /** Handles the end of an attempt: retries the step, or ends it. */
  async function settle(instance: StepInstance, outcome: Outcome): Promise<void> {
    const hadProcess = attempts.has(instance);
    if (outcome.termination) driven.terminations.push(outcome.termination);
    const delayMs = delayOfRetry(driven, instance, outcome);
    const batch = newBatch();
    batch.endedBeforeAtMs = outcome.endedBeforeAtMs;
    // The step is not retried, because the run is being ended.
    if (driven.aborting && delayMs !== undefined) driven.hasAborted = true;
    if (!driven.aborting && delayMs !== undefined) {
      attempts.delete(instance);
      changes.retry(instance, outcome, delayMs, batch);
      driven.lastAttempt = Math.max(driven.lastAttempt, instance.attempt);
      runner.begin(instance, batch);
    } else {
      const ending = hadProcess ? await takeArtifacts(driven, instance, outcome, batch) : outcome;
      batch.result = ending.result;
      attempts.delete(instance);
      end(instance, ending, batch);
    }
    await complete(batch);
  }

  /** Adds the end of an instance to the batch, and everything that the state decides because of it. */
  function end(instance: StepInstance, outcome: Ending & Partial<Outcome>, batch: Batch, approval?: Approval): void {
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

  /** Decides what follows from the batch, writes all of it, and starts the next steps. */
  async function complete(batch: Batch): Promise<void> {
    carryOut(state.next(driven.aborting !== undefined), batch);
    if (state.isOver) return finishRun(driven, batch);
    if (batch.changes.length > 0) await writeBatch(driven, batch);
    // If the run was abandoned or detached in the meantime, nothing more starts.
    if (driven.phase === 'over' || detaching.signal.aborted) giveUpBatch(batch);
    else continueBatch(batch);
  }

  /** Watches work that nobody awaits. If it fails, the run is abandoned. */
  function watch(work: Promise<void>): void {
    const watching = work
      .catch((error: unknown) => abandonRun(driven, runner, error))
      .catch((error: unknown) => {
        if (!detaching.signal.aborted) log.error({ err: error }, 'the end of a run was not written');
      });
    watched.add(watching);
    void watching.finally(() => watched.delete(watching));
  }

  /** Resolves when everything that is watched now has ended. Never rejects. */
  const settled = (): Promise<unknown> => Promise.all(watched);

  return { runner, end, carryOut, complete, watch, settled };
}

async function writeBatch(driven: DrivenRun, batch: Batch): Promise<void> {
  const { lastAttempt: attempt } = driven;
  try {
    await driven.write((tx) => {
      const { epoch } = driven;
      const { result, deadlineAtMs } = batch;
      return applyBatch(tx, driven, batch, { kind: 'touch', attempt, result, deadlineAtMs, epoch });
    });
  } catch (error) {
    giveUpBatch(batch);
    throw error;
  }
}

/** Returns how long to wait before the next attempt; undefined if the step is not retried. */
function delayOfRetry(
  { state, job }: DrivenRun,
  instance: StepInstance,
  { status, reason, exitCode }: Outcome,
): number | undefined {
  if (status !== 'failed') return undefined;
  const { retry: policy } = state.stepOf(instance);
  const { attempt } = instance;
  return retryDelayMs(policy, { attempt, reason, exitCode, retriesLost: job.onLost === 'retry' });
}

/** Takes the artifacts of a job without steps when its command ends. A problem with them can make the run fail. */
async function takeArtifacts(
  driven: DrivenRun,
  instance: StepInstance,
  outcome: Outcome,
  batch: Batch,
): Promise<Outcome> {
  // In a job with steps, other steps may still write to the workspace, so all files are taken when the run ends.
  if (driven.job.composition !== 'single') return outcome;
  const { artifacts, failure } = await driven.artifacts.take([attemptsAt(driven, instance)]);
  batch.artifacts.push(...artifacts);
  if (!failure || outcome.status !== 'success') return outcome;
  return { ...outcome, status: 'failed', reason: failure.reason, message: failure.message };
}
