// Cancels runs. The intent is written first: whoever drives the run acts on it, now or after a restart.

import type { Reach } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import { isFinished } from '../domain/run.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { retryShortage } from '../lib/shortage.ts';
import type { Store } from '../store/open.ts';
import { runNotFound } from '../store/run/runs.ts';
import { isStorageError } from '../store/storage-error.ts';
import type { Ends } from './ends.ts';
import type { Queue } from './queue/queue.ts';
import type { RunRegister } from './run-register.ts';

export type Cancels = {
  /**
   * The tree is gone before it says `cancelled`. Forced, the job has no time to end in order, also where it was given some before.
   * @throws Problem run-not-found, run-already-finished
   */
  readonly cancel: (
    runId: string,
    reach: Reach,
    o?: { readonly isForced: boolean },
  ) => Promise<{ readonly status: 'cancelled' | 'running' }>;
  /** The same for whoever does not wait for it; never throws. */
  readonly cancelUnwaited: (runId: string, isForced?: boolean) => void;
};

/** Beyond the grace period: what the kernel may need to end a tree of processes. */
const marginMs = 2_000;

export function createCancels(o: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ends: Ends;
  readonly queue: Pick<Queue, 'remove'>;
  readonly register: Pick<RunRegister, 'controllerOf'>;
  readonly signal: AbortSignal;
}): Cancels {
  const { store, clock } = o;

  /** `true` when the run never started. */
  async function request(runId: string, isForced: boolean): Promise<boolean> {
    const atMs = clock.now();
    const isWithdrawn = await store.db.transact(async (tx) => {
      await store.runs.requestCancel(tx, runId, atMs);
      return store.runs.end(tx, runId, 'withdraw', { atMs });
    });
    if (isWithdrawn) await o.queue.remove(runId);
    else o.register.controllerOf(runId)?.cancel(isForced);
    return isWithdrawn;
  }

  return {
    async cancel(runId, reach, { isForced } = { isForced: false }) {
      await store.runs.assertThere(runId, reach);
      const stored = await store.runs.execution(runId);
      if (!stored) throw runNotFound(runId);
      const { run, plan } = stored;
      if (run.status === 'cancelled') return { status: 'cancelled' };
      if (isFinished(run.status)) {
        throw new Problem('run-already-finished', `The run '${runId}' has ended already: ${run.status}.`);
      }
      const end = o.ends.wait(runId, plan.job.cancel.graceMs + marginMs);
      if (await request(runId, isForced)) return { status: 'cancelled' };
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
    cancelUnwaited(runId, isForced = false) {
      retryShortage(() => request(runId, isForced), { isPassing: isStorageError, signal: o.signal }).catch(
        (error: unknown) => {
          if (!o.signal.aborted) o.log.error({ err: error, run_id: runId }, 'a run could not be cancelled');
        },
      );
    },
  };
}
