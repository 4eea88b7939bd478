// Resumes what a former process has left: running runs with their shims, then those that wait. Each run by itself, in
// the background, and one that cannot be dealt with is set aside.

import { join } from 'node:path';
import { outputTypeOf } from '../domain/event.ts';
import type { Termination } from '../domain/run.ts';
import type { Executor } from '../exec/executor.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Store } from '../store/open.ts';
import type { PendingRun, StoredRun } from '../store/run/runs.ts';
import type { StepRow } from '../store/schema.ts';
import { Superseded } from '../store/superseded.ts';
import type { Owner } from './owner.ts';
import type { RunFolders } from './run/run-folders.ts';
import { joinTerminations } from './run/run-verdict.ts';
import { attemptFolder } from './run/step-instances.ts';

/** A run that nobody drives; where its plan cannot be read, without that. */
export type Remains = Pick<StoredRun, 'run' | 'attempts' | 'owner' | 'epoch'> & {
  readonly plan: StoredRun['plan'] | null;
};

const hardest = { signal: 'KILL', graceMs: 0 } as const;

/** It was started before steps had epochs, in a folder of another name. */
function isOfEarlierBuild({ status, epoch }: Pick<StepRow, 'status' | 'epoch'>): boolean {
  return status === 'running' && epoch === 0;
}

/** Ends every process that is left of it; the proofs of it. */
async function endProcesses(stored: Remains, runsDir: string, executor: Executor): Promise<Termination[]> {
  const running = stored.attempts.filter(
    ({ kind, status, finished_at }) => kind === 'command' && status === 'running' && finished_at === null,
  );
  const proofs = await Promise.all(
    running.map(async (row) => {
      const folder = isOfEarlierBuild(row) ? String(row.attempt) : attemptFolder(row.n, row.attempt);
      const process = executor.resume(join(runsDir, stored.run.run_id, folder));
      return process?.terminate(stored.plan?.job.cancel ?? hardest);
    }),
  );
  return proofs.filter((proof) => proof !== undefined);
}

/**
 * Ends a running run in the database whatever became of its run controller: whoever writes later is of an older epoch.
 * Does nothing where another has taken it over.
 */
export async function endWithoutController(
  stored: Remains,
  why: { readonly reason: 'lost' | 'timeout'; readonly message: string },
  o: {
    readonly store: Store;
    readonly clock: Clock;
    readonly log: Logger;
    readonly executor: Executor;
    readonly runsDir: string;
    readonly folders: RunFolders;
    readonly owner: Pick<Owner, 'id' | 'transact'>;
    readonly worker: string;
    readonly cancelChild: (runId: string) => void;
  },
): Promise<void> {
  const { store } = o;
  const { run_id: runId, job_id: jobId, tenant } = stored.run;
  const { owner, worker } = o;
  const isTaken = await owner.transact((tx) =>
    store.runs.take(tx, runId, { owner: owner.id, worker, epoch: stored.epoch }),
  );
  if (!isTaken) return;
  const epoch = stored.epoch + 1;
  const terminations = await endProcesses(stored, o.runsDir, o.executor);
  const sealed = await sealLog(stored, epoch, o);
  const atMs = o.clock.now();
  const { reason, message } = why;
  const outputType = stored.plan ? outputTypeOf(stored.plan.job) : 'run.output';
  const isEnded = await store.db.transact(async (tx) => {
    if (sealed.lineCount > 0) tx.emit({ type: outputType, runId, jobId, tenant, ...sealed });
    for (const { step_id: stepId, attempt, epoch: before, status, finished_at } of stored.attempts) {
      if (status === 'pending' || finished_at !== null) continue;
      const at = { stepId, attempt, epoch: before + 1 };
      await store.steps.end(tx, { runId, jobId, tenant }, at, { status: 'failed', reason, message, atMs });
    }
    const termination = joinTerminations(terminations);
    return store.runs.end(tx, runId, 'fail', { reason, error: { message }, termination, atMs, epoch });
  });
  if (!isEnded) return;
  for (const { child_run_id: childRunId, finished_at } of stored.attempts) {
    if (childRunId !== null && finished_at === null) o.cancelChild(childRunId);
  }
  o.folders.putAway(join(o.runsDir, runId), stored.plan?.job.composition ?? 'single', o.log);
}

/** What was stored of it is readable from then on; which lines have not been announced. */
async function sealLog(
  { run, plan }: Remains,
  epoch: number,
  { store, log }: { readonly store: Store; readonly log: Logger },
): Promise<{ readonly firstSeq: number; readonly lineCount: number }> {
  const announced = await store.journal.lastOutputSeq(run.run_id);
  try {
    const writer = await store.logs.openWriter({
      runId: run.run_id,
      epoch,
      maxSizeBytes: plan?.job.logs.maxSizeBytes ?? 0,
    });
    await writer.close();
    return { firstSeq: announced + 1, lineCount: writer.lastSeq - announced };
  } catch (error) {
    log.warn({ err: error, run_id: run.run_id }, 'the log of a run was left as it was');
    return { firstSeq: announced + 1, lineCount: 0 };
  }
}

const pendingPage = 500;

export type ResumeContext = {
  readonly store: Store;
  readonly log: Logger;
  readonly owner: Pick<Owner, 'id'>;
  readonly resume: (stored: StoredRun) => Promise<void>;
  readonly setAside: (stored: Remains, error: unknown) => Promise<void>;
  /** Does the work again while it is the disk that refuses it. */
  readonly withRetry: <T>(work: () => Promise<T>) => Promise<T>;
  readonly addPending: (run: PendingRun) => Promise<void>;
  readonly signal: AbortSignal;
};

/** Resumes running runs side by side, then hands those that wait to the queue. */
export async function resumeRuns(o: ResumeContext): Promise<void> {
  const running = await o.withRetry(() => o.store.runs.running(o.owner.id));
  await Promise.all(running.map((runId) => resumeRun(runId, o)));
  if (running.length > 0) o.log.info({ runs: running.length }, 'resumed running runs');
  await addPendingRuns(o);
}

/** Resumes one that is running, or sets it aside. Never rejects. */
export async function resumeRun(runId: string, { store, log, withRetry, signal, ...o }: ResumeContext): Promise<void> {
  try {
    let plan: StoredRun['plan'] | null = null;
    try {
      const stored = await withRetry(() => store.runs.execution(runId));
      if (stored?.run.status !== 'running' || signal.aborted) return;
      ({ plan } = stored);
      if (stored.attempts.some(isOfEarlierBuild)) throw new Error('an earlier build of flwd has started it');
      await o.resume(stored);
    } catch (error) {
      if (signal.aborted || error instanceof Superseded) return;
      // Without its secrets, what it prints cannot be redacted: nobody may read it.
      const now = await withRetry(() => store.runs.remains(runId));
      if (now) await withRetry(() => o.setAside({ ...now, plan }, error));
    }
  } catch (error) {
    if (!signal.aborted)
      log.error({ err: error, run_id: runId }, 'a run of the previous server process could not be resumed');
  }
}

/** All that the database has, oldest first. */
export async function addPendingRuns(o: Pick<ResumeContext, 'store' | 'withRetry' | 'addPending'>): Promise<void> {
  let afterId: string | undefined;
  for (;;) {
    const page = await o.withRetry(() => o.store.runs.pending(pendingPage, afterId));
    for (const run of page) await o.addPending(run);
    afterId = page.at(-1)?.id;
    if (page.length < pendingPage) return;
  }
}
