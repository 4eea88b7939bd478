// Drives one run, from its first step to its last row. It turns decisions into rows and processes: what follows
// from one end is one transaction, and a process starts only once that is durable (ADR 0014).

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../domain/problem.ts';
import { noResources, workspaceOverMessage } from '../../domain/resources.ts';
import { retryDelayMs } from '../../domain/retry.ts';
import type { Decision as Approval } from '../../domain/run.ts';
import { type WorkspaceWatch, watchWorkspace } from '../../exec/collect/workspace-size.ts';
import { attemptDirs } from '../../exec/proc/attempt-files.ts';
import { createRedactor } from '../../exec/redact/redact.ts';
import { steadyFrom } from '../../lib/clock.ts';
import type { Transaction } from '../../store/database.ts';
import { endingOfApproval } from './approval.ts';
import { cancelled, type Interruption, type Outcome } from './attempt.ts';
import { createDiskRetry } from './disk-retry.ts';
import { runOverdue, stepOverdue } from './overdue.ts';
import { createRunArtifacts, noArtifacts } from './run-artifacts.ts';
import type { ControllerContext, ControllerSource, Surroundings } from './run-context.ts';
import { createRunLog } from './run-log.ts';
import { redactedTexts } from './run-secrets.ts';
import type { Decision, Ending } from './run-state.ts';
import { runVerdict } from './run-verdict.ts';
import type { Slot } from './slots.ts';
import { type Batch, carryOn, createStepChanges, giveUpBatch, must, newBatch, Superseded } from './step-changes.ts';
import { hasEnded, moveDeadlines, type StepInstance } from './step-instances.ts';
import { createStepRunner, nothingDone } from './step-runner.ts';

export type RunController = {
  readonly runId: string;
  /** The run's last row is written, or this process has let go of it. */
  readonly finished: Promise<void>;
  /** Claims the run and begins its first steps, in one transaction with `work`; `slot` is for one of them. */
  readonly begin: (slot: Slot, work?: (tx: Transaction) => Promise<void>) => Promise<void>;
  /** Goes on with what a former process has begun. */
  readonly resume: (holdSlot: () => Slot) => Promise<void>;
  /** Ends all of it. Calling it again changes nothing, but for `isForced`: what has time to end in order has none any more. */
  readonly cancel: (isForced?: boolean) => void;
  /** @throws Problem approval-not-pending, permission-denied */
  readonly approve: (stepId: string, approval: Approval) => Promise<void>;
  /** Interrupts what has outlived its deadline. False when nothing has. */
  readonly enforceDeadlines: () => boolean;
  /** The wall clock was set by so much: its deadlines move with it. */
  readonly clockSet: (byMs: number) => void;
  /** It waits for a disk to have room for what has ended. */
  readonly isHeldUp: () => boolean;
  /** No process of it is left: it is putting away what they left. */
  readonly isStoring: () => boolean;
  /** Lets go of it: the next start resumes it. Never rejects. */
  readonly detach: () => Promise<void>;
};

/** A server that stops waits so long for the rows of what has ended. */
const finishingMs = 1_500;

export function createRunController(
  source: ControllerSource,
  context: ControllerContext,
  around: Surroundings,
): RunController {
  const { run, plan, state } = source;
  const { store, clock } = context;
  const { job } = plan;
  const time = steadyFrom(Math.max(clock.now(), source.latestAtMs), clock);
  const about = { runId: run.run_id, jobId: run.job_id, tenant: run.tenant };
  const log = context.log.child({ run_id: run.run_id, job_id: run.job_id });
  const runDir = join(context.runsDir, run.run_id);
  const workspaceDir = join(runDir, 'workspace');
  const isSingle = job.composition === 'single';
  const redactor = createRedactor(redactedTexts(source));
  const settling = new Set<Promise<unknown>>();
  const terminations = [...source.terminations];
  const detaching = new AbortController();
  const { promise: finished, resolve: markFinished } = Promise.withResolvers<void>();
  let { deadlineAtMs } = source;
  let aborting: Interruption | undefined;
  /** Something was ended, or kept from its turn, by `aborting`. */
  let hasAborted = false;
  let isOver = false;
  /** Of all steps. */
  let lastAttempt = state.instances.reduce((most, { attempt }) => Math.max(most, attempt), 1);
  let workspaceWatch: WorkspaceWatch | undefined;
  /** Until then, whoever asks for something is asked to come again: the reaper does, each second. */
  let isAttending = false;
  let writing: Promise<unknown> = Promise.resolve();
  /** A disk that is full decides nothing about a run. After `detach` the rest is the next start's. */
  const { withRetry, isWaiting } = createDiskRetry({
    signal: detaching.signal,
    onWait: (error) => log.warn({ err: error }, 'a run waits for the disk'),
  });
  const runLog = createRunLog({ run, job, store, log, withRetry });
  const ofArtifacts = { run, plan, runDir, workspaceDir, redactor, runLog, limits: context.artifactLimits };
  const artifacts = createRunArtifacts({ ...ofArtifacts, store, clock, log, withRetry });
  const { noticeDeadline } = around;
  const changes = createStepChanges({ ...context, time, about, state, steps: store.steps, noticeDeadline });

  const runner = createStepRunner({
    ...source,
    changes,
    about,
    runDir,
    workspaceDir,
    redactor,
    runLog,
    context,
    around,
    log,
    withRetry,
    detaching: detaching.signal,
    settle,
    overdue: (instance) =>
      runOverdue(job, deadlineAtMs, clock.now()) ?? stepOverdue(instance, state.stepOf(instance), clock.now()),
    complete,
    watch,
  });

  /** Whole, and in the order of the decisions. */
  function write(work: (tx: Transaction) => Promise<void>): Promise<void> {
    const written = writing.then(() => withRetry(() => runLog.commit(work)));
    writing = written.catch(() => undefined);
    return written;
  }

  /** An attempt is over: it is tried again, or its step has ended. */
  async function settle(instance: StepInstance, outcome: Outcome): Promise<void> {
    const hadProcess = runner.attemptOf(instance) !== undefined;
    if (outcome.termination) terminations.push(outcome.termination);
    const delayMs = aborting ? undefined : delayOfRetry(instance, outcome);
    const batch = newBatch();
    if (delayMs !== undefined) {
      runner.forget(instance);
      changes.retry(instance, outcome, delayMs, batch);
      lastAttempt = Math.max(lastAttempt, instance.attempt);
      runner.begin(instance, batch);
      return complete(batch);
    }
    let ending = outcome;
    // Other steps may still write to the workspace: what this one named is taken at the run's end.
    if (hadProcess && isSingle) {
      const { artifacts: taken, failure } = await artifacts.take([runner.attemptsAt(instance)]);
      batch.changes.push((tx) => store.artifacts.add(tx, taken));
      const { reason, message } = failure ?? outcome;
      if (failure && outcome.status === 'success') ending = { ...outcome, status: 'failed', reason, message };
    }
    batch.result = ending.result;
    runner.forget(instance);
    end(instance, ending, batch);
    await complete(batch);
  }

  function delayOfRetry(instance: StepInstance, { status, reason, exitCode }: Outcome): number | undefined {
    if (status !== 'failed') return undefined;
    const { retry: policy } = state.stepOf(instance);
    const { attempt } = instance;
    return retryDelayMs(policy, { attempt, reason, exitCode, retriesLost: job.onLost === 'retry' });
  }

  function end(
    instance: StepInstance,
    outcome: Ending & Partial<Outcome>,
    batch: Batch,
    approval: Approval | null = null,
  ): void {
    changes.end(instance, outcome, batch, approval);
    carryOut(state.end(instance, outcome), batch);
  }

  function carryOut(decisions: readonly Decision[], batch: Batch, takeSlot = runner.requestSlot): void {
    for (const decision of decisions) {
      if (decision.kind === 'begin') runner.begin(decision.instance, batch, takeSlot);
      else if (decision.kind === 'end') changes.end(decision.instance, decision.ending, batch);
      else if (decision.kind === 'expand') changes.expand(decision, batch);
      else {
        if (decision.reason === 'run_ended') hasAborted = true;
        changes.skip(decision, batch);
      }
    }
  }

  /** Decides what follows, writes it with what has led to it, and then starts what begins. */
  async function complete(batch: Batch): Promise<void> {
    carryOut(state.next(aborting !== undefined), batch);
    if (state.isOver) return finish(batch);
    if (batch.changes.length > 0) {
      await write(async (tx) => {
        for (const change of batch.changes) await change(tx);
        must(await store.steps.touch(tx, run.run_id, { attempt: lastAttempt, result: batch.result }));
      }).catch((error: unknown) => {
        giveUpBatch(batch);
        throw error;
      });
    }
    // Abandoned or let go of meanwhile: nothing starts any more.
    if (isOver || detaching.signal.aborted) giveUpBatch(batch);
    else carryOn(batch);
  }

  async function finish(batch: Batch): Promise<void> {
    if (isOver) return;
    isOver = true;
    workspaceWatch?.close();
    const begun = state.instances.filter(({ kind, epoch }) => kind === 'command' && epoch > 0);
    const kept = isSingle ? noArtifacts : await artifacts.take(begun.map(runner.attemptsAt));
    const leftBehind = await artifacts.leftBehind();
    await runLog.close();
    const aborted = hasAborted ? aborting : undefined;
    const { move, change } = runVerdict({ state, aborted, artifactFailure: kept.failure, terminations });
    await write(async (tx) => {
      for (const act of batch.changes) await act(tx);
      await store.artifacts.add(tx, kept.artifacts);
      must(
        await store.runs.end(tx, run.run_id, move, { ...change, leftBehind, result: batch.result, atMs: time.now() }),
      );
    });
    if (move === 'fail') log.warn({ reason: change.reason, error: change.error?.message }, 'a run failed');
    markFinished();
    context.folders.putAway(runDir, job.composition, log);
  }

  /** One instance is to end, because of its time or the run's. */
  function interrupt(instance: StepInstance, why: Interruption, batch: Batch): void {
    const isOfRun = why === aborting;
    if (instance.status === 'waiting_approval') {
      hasAborted ||= isOfRun;
      end(instance, { ...nothingDone, ...why }, batch);
      return;
    }
    const what = runner.interrupt(instance, why);
    if (what === 'interrupted') hasAborted ||= isOfRun;
    if (what === 'waiting') carryOut(state.drop(instance, 'run_ended', 'the run ended before its turn'), batch);
  }

  /** Of all steps together, from the first on. */
  function watchSize(): void {
    const { workspaceBytes: limitBytes } = plan.resources ?? noResources;
    if (limitBytes === null) return;
    workspaceWatch = watchWorkspace({
      dir: workspaceDir,
      attemptDirs: () => attemptDirs(runDir),
      limitBytes,
      onOver(bytes) {
        abort({ status: 'failed', reason: 'quota_exceeded', message: workspaceOverMessage(limitBytes, bytes) });
      },
      onError: (error) => log.error({ err: error }, 'the size of a workspace is not watched any more'),
    });
  }

  function abort(why: Interruption, batch: Batch = newBatch()): void {
    if (aborting || isOver || !isAttending || detaching.signal.aborted) return;
    aborting = why;
    for (const instance of state.instances) if (!hasEnded(instance)) interrupt(instance, why, batch);
    watch(complete(batch));
  }

  /** An error of flwd: what is alive is ended, and the run with it. */
  async function abandon(error: unknown): Promise<void> {
    if (detaching.signal.aborted) return;
    if (error instanceof Superseded) {
      log.warn('another process has taken the run over');
      runner.withdraw();
      detaching.abort();
      for (const attempt of runner.attempts()) attempt.detach();
      markFinished();
      return;
    }
    log.error({ err: error }, 'a run could not be attended');
    workspaceWatch?.close();
    isOver = true;
    runner.withdraw();
    const message = 'the engine could not attend to the run';
    const why: Interruption = { status: 'failed', reason: 'lost', message };
    for (const attempt of runner.attempts()) attempt.interrupt(why);
    await Promise.all(runner.attempts().map(({ gone }) => gone));
    await runLog.close().catch(() => undefined);
    for (const { childRunId, ...instance } of state.instances) {
      if (childRunId !== null && !hasEnded(instance)) around.children.cancel(childRunId);
    }
    // Those too whose end was decided and not written.
    const begun = state.instances.filter(({ epoch }) => epoch > 0);
    await write(async (tx) => {
      for (const { stepId, attempt, epoch } of begun) {
        await store.steps.end(tx, about, { stepId, attempt, epoch }, { ...why, atMs: time.now() });
      }
      const ending = { reason: 'lost', error: { message }, atMs: time.now() } as const;
      await store.runs.end(tx, run.run_id, 'fail', ending);
    });
    markFinished();
    context.folders.putAway(runDir, job.composition, log);
  }

  function watch(work: Promise<void>): void {
    const watched = work.catch(abandon).catch((error: unknown) => {
      if (!detaching.signal.aborted) log.error({ err: error }, 'the end of a run was not written');
    });
    settling.add(watched);
    void watched.finally(() => settling.delete(watched));
  }

  return {
    runId: run.run_id,
    finished,
    async begin(given, work) {
      let spare: Slot | undefined = given;
      const takeSlot = (instance: StepInstance): Slot | undefined => {
        if (!spare) return runner.requestSlot(instance);
        const slot = spare;
        spare = undefined;
        return slot;
      };
      isAttending = true;
      const batch = newBatch();
      const atMs = time.now();
      deadlineAtMs = job.timeouts.runMs === null ? null : clock.now() + job.timeouts.runMs;
      carryOut(state.next(false), batch, takeSlot);
      const endsAtOnce = state.isOver;
      try {
        await store.db.transact(async (tx) => {
          await work?.(tx);
          must(await store.runs.claim(tx, run.run_id, { atMs, worker: context.worker, deadlineAtMs }));
          if (!endsAtOnce) for (const change of batch.changes) await change(tx);
        });
      } catch (error) {
        detaching.abort();
        runner.withdraw();
        given.release();
        giveUpBatch(batch);
        throw error;
      }
      spare?.release();
      watchSize();
      if (deadlineAtMs !== null) around.noticeDeadline(deadlineAtMs);
      if (endsAtOnce) watch(finish(batch));
      // Starting a process holds the event loop for milliseconds: the answer goes out first.
      else setImmediate(() => (isOver ? giveUpBatch(batch) : carryOn(batch)));
    },
    async resume(holdSlot) {
      await withRetry(() => store.db.transact((tx) => store.steps.resume(tx, run.run_id, context.worker)));
      for (const instance of state.instances) if (instance.epoch > 0 && !hasEnded(instance)) instance.epoch += 1;
      await runLog.resume();
      const batch = newBatch();
      for (const instance of state.instances) {
        if (instance.status === 'pending' && instance.item !== null) runner.begin(instance, batch);
        else runner.resume(instance, holdSlot);
      }
      isAttending = true;
      watchSize();
      // Before anything begins that is not going to have its turn.
      const why = source.isCancelRequested ? cancelled : runOverdue(job, deadlineAtMs, clock.now());
      if (why) abort(why, batch);
      else watch(complete(batch));
    },
    cancel(isForced = false) {
      abort(cancelled);
      if (isForced) runner.hasten(state.instances);
    },
    async approve(stepId, approval) {
      if (!isAttending) throw new Problem('not-ready', 'The server is taking the run up.');
      const instance = state.instances.find((one) => one.stepId === stepId && one.kind === 'approval');
      if (instance?.status !== 'waiting_approval' || isOver) {
        throw new Problem('approval-not-pending', `The step '${stepId}' of the run does not wait for an approval.`);
      }
      const batch = newBatch();
      end(instance, endingOfApproval(state.stepOf(instance), approval), batch, approval);
      const completed = complete(batch);
      watch(completed);
      await completed;
    },
    enforceDeadlines() {
      const nowMs = clock.now();
      const why = runOverdue(job, deadlineAtMs, nowMs);
      if (why) abort(why);
      const late = state.instances.flatMap((instance) => {
        const reason = hasEnded(instance) ? undefined : stepOverdue(instance, state.stepOf(instance), nowMs);
        return reason ? [{ instance, reason }] : [];
      });
      const batch = newBatch();
      if (!why && isAttending) for (const { instance, reason } of late) interrupt(instance, reason, batch);
      if (batch.changes.length > 0) watch(complete(batch));
      return why !== undefined || late.length > 0;
    },
    clockSet(byMs) {
      if (deadlineAtMs !== null) deadlineAtMs += byMs;
      moveDeadlines(state.instances, byMs);
    },
    isStoring: () => runner.attempts().length > 0 && runner.attempts().every((attempt) => attempt.hasEnded()),
    isHeldUp: () => isWaiting() && runner.attempts().every((attempt) => attempt.hasEnded()),
    async detach() {
      runner.withdraw();
      workspaceWatch?.close();
      const isEnding = isOver || runner.attempts().some((attempt) => attempt.hasEnded());
      if (isEnding) await Promise.race([Promise.all(settling), delay(finishingMs, undefined, { ref: false })]);
      detaching.abort();
      for (const attempt of runner.attempts()) attempt.detach();
      const released = runLog
        .release()
        .catch((error: unknown) => log.warn({ err: error }, 'the log of a run was left as it was'));
      // What hangs must keep neither the server from stopping nor the run's place from the next one.
      await Promise.race([released, delay(finishingMs, undefined, { ref: false })]);
      markFinished();
    },
  };
}
