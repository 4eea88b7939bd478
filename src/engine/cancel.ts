// Cancels runs. Stores the request first, so that it takes effect even after a restart.

import type { Principal } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished } from '../domain/run.ts';
import { runNotFound } from '../store/run/runs.ts';
import type { Ends } from './ends.ts';
import type { Queue } from './queue/queue.ts';
import type { ControllerContext } from './run/run-context.ts';
import type { RunRegister } from './run-register.ts';

export type Cancels = ReturnType<typeof createCancels>;

/** Added to the grace period, because the kernel may need this long to end a tree of processes. */
const marginMs = 2_000;

export function createCancels(o: {
  readonly context: Pick<ControllerContext, 'store' | 'clock' | 'log'>;
  readonly ends: Ends;
  readonly queue: Pick<Queue, 'remove'>;
  readonly register: Pick<RunRegister, 'controllerOf'>;
  readonly withRetry: <T>(work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
}) {
  const { store, clock, log } = o.context;

  /**
   * Returns true if the run had not started. Such a run never starts.
   * @param by undefined: the request is already stored
   */
  async function request(runId: string, by: string | undefined, isForced: boolean): Promise<boolean> {
    const atMs = clock.now();
    const isWithdrawn = await store.db.transact(async (tx) => {
      if (by !== undefined) await store.runs.requestCancel(tx, runId, { atMs, by });
      return store.runs.end(tx, runId, 'withdraw', { atMs });
    });
    if (isWithdrawn) await o.queue.remove(runId);
    else o.register.controllerOf(runId)?.cancel(isForced);
    return isWithdrawn;
  }

  return {
    /**
     * Returns `cancelled` once all processes of the run are gone. With `isForced`, the job gets no grace period, or its
     * grace period ends now.
     * @throws Problem run-not-found, run-already-finished
     */
    async cancel(
      runId: string,
      principal: Pick<Principal, 'name' | 'tenant' | 'jobs'>,
      { isForced }: { readonly isForced: boolean } = { isForced: false },
    ): Promise<{ readonly status: 'cancelled' | 'running' }> {
      await store.runs.assertThere(runId, principal);
      const stored = await store.runs.execution(runId);
      if (!stored) throw runNotFound(runId);
      const { run, plan } = stored;
      if (run.status === 'cancelled') return { status: 'cancelled' };
      if (isFinished(run.status)) {
        throw new Problem('run-already-finished', `The run '${runId}' has already ended: ${run.status}.`);
      }
      const end = o.ends.wait(runId, plan.job.cancel.graceMs + marginMs);
      if (await request(runId, principal.name, isForced)) return { status: 'cancelled' };
      await end;
      const now = await store.runs.get(runId);
      if (now?.status === 'cancelled') return { status: 'cancelled' };
      if (now && isFinished(now.status)) {
        throw new Problem(
          'run-already-finished',
          `The run '${runId}' ended before it could be cancelled: ${now.status}.`,
        );
      }
      return { status: 'running' };
    },
    /**
     * Like `cancel`, but does not wait for the end. Never throws.
     * @param by undefined: the request is already stored
     */
    cancelUnwaited(runId: string, by?: string, isForced = false): void {
      o.withRetry(() => request(runId, by, isForced)).catch((error: unknown) => {
        if (!o.signal.aborted) log.error({ err: error, run_id: runId }, 'a run could not be cancelled');
      });
    },
  };
}
