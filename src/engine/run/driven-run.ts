// The state of a run that this process drives. The parts of its run controller share it.

import { join } from 'node:path';
import type { Termination } from '../../domain/run.ts';
import type { WorkspaceWatch } from '../../exec/collect/workspace-size.ts';
import { createRedactor } from '../../exec/redact/redact.ts';
import { steadyFrom } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { unusableFolder } from '../../lib/files/unusable-folder.ts';
import type { Logger } from '../../lib/logger.ts';
import { createSerial } from '../../lib/serial.ts';
import { retryShortage } from '../../lib/shortage.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Transaction } from '../../store/database.ts';
import { isStorageError, refusalIn } from '../../store/storage-error.ts';
import type { Attempt } from './attempt/attempt.ts';
import type { Interruption } from './attempt/outcome.ts';
import { createRunArtifacts } from './run-artifacts.ts';
import type { ControllerContext, ControllerSource, RunServices } from './run-context.ts';
import { createRunLog } from './run-log.ts';
import { redactedTexts } from './run-secrets.ts';
import { createStepChanges } from './step-changes.ts';
import type { StepInstance } from './step-instances.ts';

type Progress = {
  /**
   * During `waiting`, approvals are refused as not ready. Cancels and deadlines have no effect yet, and the reaper
   * repeats them every second.
   */
  phase: 'waiting' | 'driven' | 'over';
  deadlineAtMs: number | null;
  /** The epoch in which this process drives the run; every write names it (ADR 0039). */
  epoch: number;
  /** Why the run ends early. */
  aborting: Interruption | undefined;
  /** Whether a step has ended, or has not started, because of `aborting`. */
  hasAborted: boolean;
  /** The highest attempt number of any step. */
  lastAttempt: number;
  workspaceWatch: WorkspaceWatch | undefined;
};

export type DrivenRun = ReturnType<typeof createDrivenRun>;

export function createDrivenRun(source: ControllerSource, context: ControllerContext, services: RunServices) {
  const { run, plan, state } = source;
  const { job } = plan;
  const { store, clock } = context;
  const log = context.log.child({ run_id: run.run_id, job_id: run.job_id });
  /** The clock for the times in the rows of the run. It never goes back. */
  const time = steadyFrom(Math.max(clock.now(), source.latestAtMs), clock);
  const runDir = join(context.runsDir, run.run_id);
  const workspaceDir = join(runDir, 'workspace');
  const redactor = createRedactor(redactedTexts(source));
  /** Aborted when this process stops driving the run and leaves the rest to the next process. */
  const detaching = new AbortController();
  const { promise: finished, resolve: markFinished } = Promise.withResolvers<void>();
  const { withRetry, waitsForDisk } = createDiskRetry(context, {
    signal: detaching.signal,
    log,
    setWaiting: (waiting) => store.db.transact((tx) => store.runs.setWaiting(tx, run.run_id, waiting, progress.epoch)),
  });
  const progress: Progress = {
    phase: 'waiting',
    deadlineAtMs: source.deadlineAtMs,
    epoch: source.epoch,
    aborting: undefined,
    hasAborted: false,
    lastAttempt: state.instances.reduce((most, { attempt }) => Math.max(most, attempt), 1),
    workspaceWatch: undefined,
  };
  const runLog = createRunLog({ run, job, store, epoch: () => progress.epoch, log, withRetry });
  const { ownFolders, artifactLimits: limits } = context;
  const files = { run, workspaceDir, ownFolders, redactor, store, limits, clock, log };
  const writes = createSerial();
  return Object.assign(progress, {
    run,
    plan,
    job,
    state,
    secrets: source.secrets,
    alsoRedacted: source.alsoRedacted,
    isCancelRequested: source.isCancelRequested,
    about: { runId: run.run_id, jobId: run.job_id, tenant: run.tenant },
    context,
    services,
    runDir,
    workspaceDir,
    log,
    time,
    redactor,
    runLog,
    artifacts: createRunArtifacts({ ...files, plan, runDir, runLog, executor: context.executor, withRetry }),
    changes: createStepChanges({
      ...context,
      time,
      state,
      latestAtMs: source.latestAtMs,
      deadlineStored: services.deadlineStored,
    }),
    /** The attempts whose outcome has not been dealt with yet. */
    attempts: new Map<StepInstance, Attempt>(),
    /** How terminated processes ended. */
    terminations: [...source.terminations] as Termination[],
    withRetry,
    waitsForDisk,
    /** Runs `work` in one transaction. Transactions are written in the order of the calls. */
    write: (work: (tx: Transaction) => Promise<void>) => writes.run(() => withRetry(() => runLog.commit(work))),
    detaching,
    finished,
    markFinished,
  });
}

/**
 * Lets a run wait while its data cannot be stored, and stores why it waits. Neither a full disk nor a replaced folder
 * of the data dir makes the run fail.
 */
function createDiskRetry(
  context: Pick<ControllerContext, 'ownFolders'>,
  o: {
    readonly signal: AbortSignal;
    readonly log: Logger;
    readonly setWaiting: (waiting: string | null) => Promise<void>;
  },
) {
  const { signal, log, setWaiting } = o;
  let waits = 0;
  let waiting: string | null = null;
  const writes = createSerial();

  /**
   * Stores why the run waits. The database may be on the same full disk, but its WAL often has room for a few more
   * bytes. If the WAL has no room, this write waits, too.
   */
  function storeWaiting(words: string | null): void {
    waiting = words;
    const write = (): Promise<void> => setWaiting(waiting);
    writes
      .run(() => retryShortage(write, { isPassing: isStorageError, signal }))
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'why a run waits could not be stored');
      });
  }

  const isPassing = (error: unknown): boolean =>
    isStorageError(error) || (errorCode(error) !== undefined && unusableFolder(context.ownFolders) !== null);

  /** Repeats the work while the disk refuses it. Throws once the run is detached. */
  async function withRetry<T>(work: () => T | Promise<T>, onFirstWait?: (error: unknown) => void): Promise<T> {
    let hasWaited = false;
    const onWait = (error: unknown): void => {
      hasWaited = true;
      waits += 1;
      const why = unusableFolder(context.ownFolders) ?? refusalIn(error) ?? 'the data dir cannot be written';
      log.warn({ error: why }, 'a run waits until its data can be stored');
      onFirstWait?.(error);
      storeWaiting(`${why}; the run continues when that is fixed`);
    };
    try {
      return await retryShortage(work, { isPassing, signal, onWait });
    } finally {
      if (hasWaited) waits -= 1;
      if (hasWaited && waits === 0) storeWaiting(null);
    }
  }

  return { withRetry, waitsForDisk: () => waits > 0 };
}

/** Why the run is out of time; undefined when it is not. */
export function runOverdue({ job, deadlineAtMs, context }: DrivenRun): Interruption | undefined {
  if (deadlineAtMs === null || deadlineAtMs > context.clock.now()) return undefined;
  const what = job.composition === 'single' ? '' : 'the run ';
  return timedOut(job.timeouts.runMs, what, '`timeouts: {run: …}`');
}

/** Why a step is out of time; undefined when it is not. */
export function stepOverdue({ state, context }: DrivenRun, instance: StepInstance): Interruption | undefined {
  const { deadlineAtMs, status } = instance;
  if (deadlineAtMs === null || deadlineAtMs > context.clock.now()) return undefined;
  const { timeoutMs } = state.stepOf(instance);
  if (status === 'waiting_approval') {
    return { status: 'failed', reason: 'timeout', message: `nobody answered within ${formatDuration(timeoutMs ?? 0)}` };
  }
  return timedOut(timeoutMs, '', '`timeouts: {step: …}`, or the `timeout` of the step,');
}

/** @param key what sets the limit */
function timedOut(withinMs: number | null, what: string, key: string): Interruption {
  const message = `${what}did not end within ${formatDuration(withinMs ?? 0)}`;
  const hint = `if it needs longer, raise ${key} in config.yaml`;
  return { status: 'failed', reason: 'timeout', message, hint };
}

/** Call it when the wall clock was set. Deadlines and pauses keep the time they had left. */
export function moveDeadlines(driven: DrivenRun, byMs: number): void {
  if (driven.deadlineAtMs !== null) driven.deadlineAtMs += byMs;
  for (const instance of driven.state.instances) {
    if (instance.deadlineAtMs !== null) instance.deadlineAtMs += byMs;
    if (instance.notBeforeMs !== null) instance.notBeforeMs += byMs;
  }
}
