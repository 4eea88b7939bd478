// Brings the runs in the database back to this process: all of them after a start, later those that nobody here drives.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../domain/problem.ts';
import { wasRestored } from '../exec/run-folder.ts';
import type { SteadyClock } from '../lib/clock.ts';
import type { PendingRun, StoredRun } from '../store/run/runs.ts';
import { Superseded } from '../store/superseded.ts';
import type { Owner } from './owner.ts';
import type { Dispatcher } from './queue/dispatch.ts';
import type { Queue } from './queue/queue.ts';
import { addPendingRuns, endWithoutController, type ResumeContext, resumeRun, resumeRuns } from './resume.ts';
import type { ControllerContext } from './run/run-context.ts';
import { toSource } from './run/run-source.ts';
import type { RunRegister } from './run-register.ts';

export type Resumption = {
  /** All runs of the database are resumed or in the queue. */
  readonly isDone: boolean;
  /** It takes longer than it should. */
  readonly isLate: () => boolean;
  /** Begins, in the background. With `only`, the other waiting runs stay where they are. */
  readonly start: (only?: ReadonlySet<string>) => void;
  /** With `only`: this run is started too, if it waits. */
  readonly attend: (runId: string) => void;
  /** Finds runs that nobody here deals with: another process, or an error, has left them so. */
  readonly resync: () => Promise<void>;
  /** Resolves when all runs are resumed. @throws Problem not-ready, if the server stops before */
  readonly untilDone: () => Promise<void>;
  /** Nobody needs to wait any longer: the server stops. */
  readonly giveUp: () => void;
  /** Resolves when nothing is being resumed. */
  readonly settled: () => Promise<void>;
};

/** Of 100 running runs it takes less than 2 s. */
const resumeMs = 5_000;

type Surroundings = Pick<ResumeContext, 'withRetry' | 'signal'> & {
  readonly clock: SteadyClock;
  readonly context: ControllerContext;
  readonly queue: Queue;
  readonly dispatcher: Pick<Dispatcher, 'starting'>;
  readonly register: RunRegister;
  readonly expireOthers: Owner['expireOthers'];
  readonly cancel: (runId: string) => void;
  /** Deadlines hold from now on. */
  readonly startDeadlines: () => void;
};

export function createResumption(o: Surroundings): Resumption {
  const { clock, queue, withRetry, signal } = o;
  const { store, log } = o.context;
  const { promise: done, resolve: markDone } = Promise.withResolvers<void>();
  let only: Set<string> | undefined;
  let isDone = false;
  let wereOrphans: ReadonlySet<string> = new Set();
  let startedAtMs = clock.monotonicMs();
  let resuming: Promise<void> | undefined;
  const resumeContext = toResumeContext(o, addPending);

  async function addPending(run: PendingRun): Promise<void> {
    // A sub-run is part of a run that has started.
    if (only && !only.has(run.id) && run.trigger !== 'job') return;
    await queue.add(run);
  }

  async function resumeAll(): Promise<void> {
    // A run that hangs while it is resumed is ended by its deadline.
    o.startDeadlines();
    await resumeRuns(resumeContext);
    for (const runId of await withRetry(() => store.runs.cancelling('pending'))) o.cancel(runId);
    isDone = true;
    queue.open();
    markDone();
  }

  return {
    get isDone() {
      return isDone;
    },
    isLate: () => !isDone && clock.monotonicMs() - startedAtMs > resumeMs,
    start(given) {
      only = given && new Set(given);
      startedAtMs = clock.monotonicMs();
      resuming = resumeAll().catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'runs of the previous server process could not be resumed');
      });
    },
    attend(runId) {
      if (!only || only.has(runId)) return;
      only.add(runId);
      done
        .then(() => addPendingRuns(resumeContext))
        .catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error, run_id: runId }, 'a run that waits was not started');
        });
    },
    async resync() {
      if (!isDone || only) return;
      const { pending } = await store.runs.counts();
      await o.expireOthers();
      if (pending > queue.depth + o.dispatcher.starting) await addPendingRuns(resumeContext);
      const running = await store.runs.running(o.context.owner.id);
      const orphans = running.filter((runId) => !queue.has(runId));
      // One that has just ended, or has just been claimed, may look like one.
      const left = orphans.filter((runId) => wereOrphans.has(runId));
      wereOrphans = new Set(orphans);
      for (const runId of left) {
        log.warn({ run_id: runId }, 'a running run that nothing drove is resumed');
        await resumeRun(runId, resumeContext);
      }
    },
    async untilDone() {
      await done;
      if (signal.aborted) throw new Problem('not-ready', 'The server is stopping.');
    },
    giveUp: markDone,
    async settled() {
      await resuming;
    },
  };
}

/** How one run is resumed here, and how one that cannot be is ended. */
function toResumeContext(o: Surroundings, addPending: ResumeContext['addPending']): ResumeContext {
  const { context, register, withRetry, signal } = o;
  const { store, log, sealer } = context;
  const ending = { ...context, cancelChild: o.cancel };
  return {
    store,
    log,
    owner: context.owner,
    withRetry,
    addPending,
    signal,
    async resume(stored) {
      const why = { reason: 'lost', message: 'it was running when the backup was made' } as const;
      const runDir = join(context.runsDir, stored.run.run_id);
      if (wasRestored(runDir)) return endWithoutController(stored, why, ending);
      if (isOutOfReach(stored, context.owner.id, runDir)) {
        const message = `the server on ${stored.run.worker} that drove it is gone: its lease has expired`;
        return endWithoutController(stored, { reason: 'lost', message }, ending);
      }
      const source = toSource(stored, sealer);
      if (signal.aborted) return;
      const { run, concurrency } = stored;
      await register.resume(source, { jobId: run.job_id, ...concurrency }).catch(async (error: unknown) => {
        if (error instanceof Superseded) await register.drop(run.run_id);
        throw error;
      });
    },
    async setAside(stored, error) {
      log.error({ err: error, run_id: stored.run.run_id }, 'a run is set aside as failed');
      await register.drop(stored.run.run_id);
      const message = 'the run could not be resumed after a restart; the server log says why';
      await endWithoutController(stored, { reason: 'lost', message }, ending);
    },
  };
}

/** Its folder is on the server of its former owner. */
function isOutOfReach({ owner }: StoredRun, ownId: string, runDir: string): boolean {
  return owner !== null && owner !== ownId && !existsSync(runDir);
}
