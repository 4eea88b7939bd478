// The three ways in which this process stops driving a run: it writes the run's last row, an internal error ends the
// run, or another process gets the run.

import { atMost } from '../../lib/at-most.ts';
import { Superseded } from '../../store/superseded.ts';
import type { Interruption } from './attempt/outcome.ts';
import { applyBatch, type Batch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import { noArtifacts } from './run-artifacts.ts';
import { runVerdict } from './run-verdict.ts';
import { attemptsAt } from './step-commands.ts';
import { hasEnded } from './step-instances.ts';
import type { StepRunner } from './step-runner.ts';

/** How long a server that stops waits for the last rows to be written. */
const finishingMs = 1_500;

/**
 * Ends a run whose steps have all ended: takes the artifacts, closes the log and writes the batch with the run's last
 * row.
 */
export async function finishRun(driven: DrivenRun, batch: Batch): Promise<void> {
  if (driven.phase === 'over') return;
  driven.phase = 'over';
  driven.workspaceWatch?.close();
  const { state, job, artifacts, runLog, terminations, log } = driven;
  const begun = state.instances.filter(({ kind, epoch }) => kind === 'command' && epoch > 0);
  // For a job without steps, the artifacts were taken when its command ended.
  const isTaken = job.composition === 'single';
  const kept = isTaken ? noArtifacts : await artifacts.take(begun.map((instance) => attemptsAt(driven, instance)));
  const leftBehind = await artifacts.leftBehind();
  await runLog.close();
  const aborted = driven.hasAborted ? driven.aborting : undefined;
  const { move, change } = runVerdict({ state, aborted, artifactFailure: kept.failure, terminations });
  batch.artifacts.push(...kept.artifacts);
  await driven.write((tx) => {
    const { epoch, changes } = driven;
    const whole = { ...change, leftBehind, result: batch.result, atMs: changes.runEndTime(batch), epoch };
    return applyBatch(tx, driven, batch, { kind: 'end', move, change: whole });
  });
  if (move === 'fail')
    log.warn({ reason: change.reason, error: change.error?.message, hint: change.error?.hint }, 'a run failed');
  leave(driven);
}

/**
 * Ends the processes and the run after an internal error. If another process owns the run, it is left to that process.
 */
export async function abandonRun(driven: DrivenRun, runner: StepRunner, error: unknown): Promise<void> {
  const { detaching, log, runLog } = driven;
  if (detaching.signal.aborted) return;
  windDown(driven, runner);
  if (error instanceof Superseded) {
    log.warn('another process has taken the run over');
    detach(driven);
    await atMost(finishingMs, withoutLog(driven, runLog.leave()));
    driven.markFinished();
    return;
  }
  log.error({ err: error }, 'a run failed because of an internal error');
  driven.phase = 'over';
  const why = {
    status: 'failed',
    reason: 'lost',
    message: 'an internal error ended the run; the server log says why',
  } as const;
  const attempts = [...driven.attempts.values()];
  for (const attempt of attempts) attempt.interrupt(why);
  await Promise.all(attempts.map(({ gone }) => gone));
  await runLog.close().catch(() => undefined);
  for (const { childRunId, ...instance } of driven.state.instances) {
    if (childRunId !== null && !hasEnded(instance)) driven.services.children.cancel(childRunId, driven.run.run_id);
  }
  await writeAbandoned(driven, why);
  leave(driven);
}

async function writeAbandoned(driven: DrivenRun, why: Interruption & { readonly reason: 'lost' }): Promise<void> {
  const { run, state, about, time } = driven;
  const { store } = driven.context;
  // These include steps whose end was decided but not written.
  const begun = state.instances.filter(({ epoch }) => epoch > 0);
  await driven.write(async (tx) => {
    for (const { stepId, attempt, epoch } of begun) {
      await store.steps.end(tx, about, { stepId, attempt, epoch }, { ...why, atMs: time.now() });
    }
    const ending = { reason: why.reason, error: { message: why.message }, atMs: time.now(), epoch: driven.epoch };
    await store.runs.end(tx, run.run_id, 'fail', ending);
  });
}

function leave({ markFinished, context, runDir, job, log }: DrivenRun): void {
  markFinished();
  context.folders.putAway(runDir, job.composition, log);
}

/** Leaves the run to the next process, which resumes it. Never rejects. */
export async function detachRun(
  driven: DrivenRun,
  { runner, settled }: { readonly runner: StepRunner; readonly settled: () => Promise<unknown> },
): Promise<void> {
  windDown(driven, runner);
  const isEnding = driven.phase === 'over' || [...driven.attempts.values()].some((attempt) => attempt.hasEnded());
  if (isEnding) await atMost(finishingMs, settled());
  detach(driven);
  // A log that hangs must not keep the server from stopping, or the next process from resuming the run.
  await atMost(finishingMs, withoutLog(driven, driven.runLog.release()));
  driven.markFinished();
}

/** Leaves the run to another process even if its log cannot be closed. */
function withoutLog({ log }: DrivenRun, left: Promise<void>): Promise<void> {
  return left.catch((error: unknown) => log.warn({ err: error }, 'the log of a run could not be closed'));
}

/** Starts no further steps, and stops watching the size of the workspace. */
function windDown({ workspaceWatch }: DrivenRun, runner: StepRunner): void {
  runner.withdraw();
  workspaceWatch?.close();
}

function detach({ detaching, attempts }: DrivenRun): void {
  detaching.abort();
  for (const attempt of attempts.values()) attempt.detach();
}
