// A run while this process drives it: what the parts of its controller work with, and how far the run has come.

import { join } from 'node:path';
import type { JobDefinition } from '../../domain/job.ts';
import type { Termination } from '../../domain/run.ts';
import type { WorkspaceWatch } from '../../exec/collect/workspace-size.ts';
import { createRedactor, type Redactor } from '../../exec/redact/redact.ts';
import { type Clock, steadyFrom } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { retryShortage } from '../../lib/shortage.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Transaction } from '../../store/database.ts';
import type { About } from '../../store/run/step-moves.ts';
import { isStorageError } from '../../store/storage-error.ts';
import type { Interruption } from './attempt/outcome.ts';
import { createRunArtifacts, type RunArtifacts } from './run-artifacts.ts';
import type { ControllerContext, ControllerSource, Surroundings } from './run-context.ts';
import { createRunLog, type RunLog } from './run-log.ts';
import { redactedTexts } from './run-secrets.ts';
import { createStepChanges, type StepChanges } from './step-changes.ts';
import type { StepInstance } from './step-instances.ts';

export type DrivenRun = Omit<ControllerSource, 'terminations' | 'deadlineAtMs' | 'epoch'> & {
  readonly context: ControllerContext;
  readonly around: Surroundings;
  readonly job: JobDefinition;
  readonly about: About;
  readonly runDir: string;
  readonly workspaceDir: string;
  readonly log: Logger;
  /** What the run's rows are dated by: it never goes back. */
  readonly time: Clock;
  readonly redactor: Redactor;
  readonly runLog: RunLog;
  readonly artifacts: RunArtifacts;
  readonly changes: StepChanges;
  /** Repeats the work while the disk refuses it. Throws once the run is detached. */
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
  readonly waitsForDisk: () => boolean;
  /** One transaction. Transactions are written in the order of the calls. */
  readonly write: (work: (tx: Transaction) => Promise<void>) => Promise<void>;
  /** Aborted when this process stops driving the run: the rest is the next start's. */
  readonly detaching: AbortController;
  readonly finished: Promise<void>;
  readonly markFinished: () => void;

  /** `waiting`: callers are asked to come again, and the reaper does, each second. */
  phase: 'waiting' | 'driven' | 'over';
  deadlineAtMs: number | null;
  /** In which this process drives it: its writes name it (ADR 0039). */
  epoch: number;
  /** Why the run ends before its time. */
  aborting: Interruption | undefined;
  /** `aborting` has ended a step, or kept one from beginning. */
  hasAborted: boolean;
  /** The highest number that an attempt of it has. */
  lastAttempt: number;
  /** Proofs that processes were ended. */
  readonly terminations: Termination[];
  workspaceWatch: WorkspaceWatch | undefined;
};

export function createDrivenRun(source: ControllerSource, context: ControllerContext, around: Surroundings): DrivenRun {
  const { run, plan, state } = source;
  const { job } = plan;
  const { store, clock } = context;
  const about = { runId: run.run_id, jobId: run.job_id, tenant: run.tenant };
  const log = context.log.child({ run_id: run.run_id, job_id: run.job_id });
  const time = steadyFrom(Math.max(clock.now(), source.latestAtMs), clock);
  const runDir = join(context.runsDir, run.run_id);
  const workspaceDir = join(runDir, 'workspace');
  const redactor = createRedactor(redactedTexts(source));
  const detaching = new AbortController();
  const { promise: finished, resolve: markFinished } = Promise.withResolvers<void>();
  const { withRetry, waitsForDisk } = createDiskRetry(detaching.signal, log);
  const runLog = createRunLog({ run, job, store, epoch: () => driven.epoch, log, withRetry });
  const ofArtifacts = { run, plan, runDir, workspaceDir, redactor, runLog, limits: context.artifactLimits };
  const { noticeDeadline } = around;
  let writing: Promise<unknown> = Promise.resolve();
  const driven: DrivenRun = {
    ...source,
    context,
    around,
    job,
    about,
    runDir,
    workspaceDir,
    log,
    time,
    redactor,
    runLog,
    artifacts: createRunArtifacts({ ...ofArtifacts, executor: context.executor, store, clock, log, withRetry }),
    changes: createStepChanges({ ...context, time, state, noticeDeadline }),
    withRetry,
    waitsForDisk,
    write(work) {
      const written = writing.then(() => withRetry(() => runLog.commit(work)));
      writing = written.catch(() => undefined);
      return written;
    },
    detaching,
    finished,
    markFinished,
    phase: 'waiting',
    aborting: undefined,
    hasAborted: false,
    lastAttempt: state.instances.reduce((most, { attempt }) => Math.max(most, attempt), 1),
    terminations: [...source.terminations],
    workspaceWatch: undefined,
  };
  return driven;
}

/** A full disk decides nothing about a run: it waits. */
function createDiskRetry(signal: AbortSignal, log: Logger): Pick<DrivenRun, 'withRetry' | 'waitsForDisk'> {
  let waits = 0;
  return {
    async withRetry(work) {
      let hasWaited = false;
      const onWait = (error: unknown): void => {
        hasWaited = true;
        waits += 1;
        log.warn({ err: error }, 'a run waits for the disk');
      };
      try {
        return await retryShortage(work, { isPassing: isStorageError, signal, onWait });
      } finally {
        if (hasWaited) waits -= 1;
      }
    },
    waitsForDisk: () => waits > 0,
  };
}

/** The run's own time is over. */
export function runOverdue({ job, deadlineAtMs, context }: DrivenRun): Interruption | undefined {
  if (deadlineAtMs === null || deadlineAtMs > context.clock.now()) return undefined;
  const message = didNotEnd(job.timeouts.runMs);
  return {
    status: 'failed',
    reason: 'timeout',
    message: job.composition === 'single' ? message : `the run ${message}`,
  };
}

/** The time of one step is over. */
export function stepOverdue({ state, context }: DrivenRun, instance: StepInstance): Interruption | undefined {
  const { deadlineAtMs } = instance;
  if (deadlineAtMs === null || deadlineAtMs > context.clock.now()) return undefined;
  return { status: 'failed', reason: 'timeout', message: didNotEnd(state.stepOf(instance).timeoutMs) };
}

function didNotEnd(withinMs: number | null): string {
  return `did not end within ${formatDuration(withinMs ?? 0)}`;
}

/** The wall clock was set: what is left of each time and each pause stays as it was. */
export function moveDeadlines(driven: DrivenRun, byMs: number): void {
  if (driven.deadlineAtMs !== null) driven.deadlineAtMs += byMs;
  for (const instance of driven.state.instances) {
    if (instance.deadlineAtMs !== null) instance.deadlineAtMs += byMs;
    if (instance.notBeforeMs !== null) instance.notBeforeMs += byMs;
  }
}
