// Ends a running run that no run controller of this process drives: its processes, its log and its rows.

import { join } from 'node:path';
import { outputTypeOf } from '../domain/event.ts';
import { runAsRequester } from '../domain/outcome/cancel-request.ts';
import type { Termination } from '../domain/run.ts';
import type { Executor } from '../exec/executor.ts';
import type { StoredRun } from '../store/run/runs.ts';
import type { StepRow } from '../store/schema.ts';
import type { ControllerContext } from './run/run-context.ts';
import { joinTerminations } from './run/run-verdict.ts';
import { attemptFolder } from './run/step-instances.ts';

/** A running run that no process drives. `plan` is null when it cannot be read. */
export type Orphan = Pick<StoredRun, 'run' | 'attempts' | 'owner' | 'epoch'> & {
  readonly plan: StoredRun['plan'] | null;
};

const hardest = { signal: 'KILL', graceMs: 0 } as const;

/**
 * Whether an older build of flwd, which did not know epochs, started the attempt. That build also named the attempt's
 * folder differently.
 */
export function isOfEarlierBuild({ status, epoch }: Pick<StepRow, 'status' | 'epoch'>): boolean {
  return status === 'running' && epoch === 0;
}

/** Ends every process that is left of the run. Returns how each of them ended. */
async function endProcesses(stored: Orphan, runsDir: string, executor: Executor): Promise<Termination[]> {
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
 * Ends a running run in the database and ends its processes. A run controller that still exists somewhere cannot write
 * any more, because its epoch is older. Does nothing when another process has taken over the run.
 */
export async function endOrphan(
  stored: Orphan,
  why: { readonly reason: 'lost' | 'timeout'; readonly message: string },
  o: ControllerContext,
  cancelChild: (runId: string, by: string) => void,
): Promise<void> {
  const { store, owner, worker } = o;
  const { run_id: runId, job_id: jobId, tenant } = stored.run;
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
  o.log.warn({ run_id: runId, job_id: jobId, reason, error: message }, 'a run failed');
  for (const { child_run_id: childRunId, finished_at } of stored.attempts) {
    if (childRunId !== null && finished_at === null) cancelChild(childRunId, runAsRequester(runId));
  }
  o.folders.putAway(join(o.runsDir, runId), stored.plan?.job.composition ?? 'single', o.log);
}

/** Makes the stored lines of the log readable. Returns which of them have not been announced yet. */
async function sealLog(
  { run, plan }: Orphan,
  epoch: number,
  { store, log }: Pick<ControllerContext, 'store' | 'log'>,
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
    log.warn({ err: error, run_id: run.run_id }, 'the log of a run could not be closed');
    return { firstSeq: announced + 1, lineCount: 0 };
  }
}
