// How this process stops driving a run: the run's last row is written, or an error of flwd ends it, or it is left to
// another process.

import { setTimeout as delay } from 'node:timers/promises';
import { Superseded } from '../../store/superseded.ts';
import type { Interruption } from './attempt/outcome.ts';
import { applyBatch, type Batch } from './batch.ts';
import type { DrivenRun } from './driven-run.ts';
import { noArtifacts } from './run-artifacts.ts';
import { runVerdict } from './run-verdict.ts';
import { attemptsAt } from './step-commands.ts';
import { hasEnded } from './step-instances.ts';
import type { StepRunner } from './step-runner.ts';

/** A server that stops waits so long for the rows of what has ended. */
const finishingMs = 1_500;

/** Every step has ended: takes the artifacts, closes the log, and writes the run's last row with the batch. */
export async function finishRun(driven: DrivenRun, batch: Batch): Promise<void> {
  if (driven.phase === 'over') return;
  driven.phase = 'over';
  driven.workspaceWatch?.close();
  const { state, job, artifacts, runLog, terminations, log } = driven;
  const begun = state.instances.filter(({ kind, epoch }) => kind === 'command' && epoch > 0);
  // Those of a job without steps were taken with the end of its command.
  const isTaken = job.composition === 'single';
  const kept = isTaken ? noArtifacts : await artifacts.take(begun.map((instance) => attemptsAt(driven, instance)));
  const leftBehind = await artifacts.leftBehind();
  await runLog.close();
  const aborted = driven.hasAborted ? driven.aborting : undefined;
  const { move, change } = runVerdict({ state, aborted, artifactFailure: kept.failure, terminations });
  batch.artifacts.push(...kept.artifacts);
  await driven.write((tx) => {
    const { epoch, time } = driven;
    const whole = { ...change, leftBehind, result: batch.result, atMs: time.now(), epoch };
    return applyBatch(tx, driven, batch, { kind: 'end', move, change: whole });
  });
  if (move === 'fail') log.warn({ reason: change.reason, error: change.error?.message }, 'a run failed');
  leave(driven);
}

/** An error of flwd: what is alive is ended, and the run with it. A run that another process owns is left to it. */
export async function abandonRun(driven: DrivenRun, runner: StepRunner, error: unknown): Promise<void> {
  const { detaching, log, runLog } = driven;
  if (detaching.signal.aborted) return;
  windDown(driven, runner);
  if (error instanceof Superseded) {
    log.warn('another process has taken the run over');
    detach(driven, runner);
    await atMost(finishingMs, withoutLog(driven, runLog.leave()));
    driven.markFinished();
    return;
  }
  log.error({ err: error }, 'a run could not be attended');
  driven.phase = 'over';
  const why = { status: 'failed', reason: 'lost', message: 'the engine could not attend to the run' } as const;
  for (const attempt of runner.attempts()) attempt.interrupt(why);
  await Promise.all(runner.attempts().map(({ gone }) => gone));
  await runLog.close().catch(() => undefined);
  for (const { childRunId, ...instance } of driven.state.instances) {
    if (childRunId !== null && !hasEnded(instance)) driven.around.children.cancel(childRunId);
  }
  await writeAbandoned(driven, why);
  leave(driven);
}

async function writeAbandoned(driven: DrivenRun, why: Interruption & { readonly reason: 'lost' }): Promise<void> {
  const { run, state, about, time } = driven;
  const { store } = driven.context;
  // Also those whose end was decided and not written.
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

/** Leaves the run to the next start, which goes on with it. Never rejects. */
export async function detachRun(
  driven: DrivenRun,
  { runner, settled }: { readonly runner: StepRunner; readonly settled: () => Promise<unknown> },
): Promise<void> {
  windDown(driven, runner);
  const isEnding = driven.phase === 'over' || runner.attempts().some((attempt) => attempt.hasEnded());
  if (isEnding) await atMost(finishingMs, settled());
  detach(driven, runner);
  // What hangs must keep neither the server from stopping nor the run's place from the next one.
  await atMost(finishingMs, withoutLog(driven, driven.runLog.release()));
  driven.markFinished();
}

/** The run is left to another process, even if its log cannot be closed. */
function withoutLog({ log }: DrivenRun, left: Promise<void>): Promise<void> {
  return left.catch((error: unknown) => log.warn({ err: error }, 'the log of a run was left as it was'));
}

/** No step begins any more, and nobody watches how large the workspace is. */
function windDown({ workspaceWatch }: DrivenRun, runner: StepRunner): void {
  runner.withdraw();
  workspaceWatch?.close();
}

function detach({ detaching }: DrivenRun, runner: StepRunner): void {
  detaching.abort();
  for (const attempt of runner.attempts()) attempt.detach();
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, delay(ms, undefined, { ref: false })]);
}
