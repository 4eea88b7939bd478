// Starts what waits while slots are free: asks the queue for its claims, and begins each claimed run.

import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { Superseded } from '../../store/superseded.ts';
import type { ControllerSource } from '../run/run-context.ts';
import { toSource } from '../run/run-source.ts';
import type { RunRegister } from '../run-register.ts';
import type { Sealer } from '../secrets/seal.ts';
import type { Claim, Queue } from './queue.ts';

export type Dispatcher = {
  /** Runs that left the queue and are still pending in the database. */
  readonly starting: number;
  /** Something may start: looks once in this turn of the event loop, however many ask for it. */
  readonly wake: () => void;
  readonly stop: () => Promise<void>;
};

/** After the database has refused a claim. */
const againMs = 1_000;

type Surroundings = {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cancel: (runId: string) => void;
};

export function createDispatcher(
  o: Surroundings & { readonly queue: Queue; readonly register: RunRegister },
): Dispatcher {
  const { log, queue } = o;
  const starting = new Set<Promise<void>>();
  let claiming: Promise<void> = Promise.resolve();
  let isWoken = false;
  let isPaused = false;
  let isStopped = false;

  function wake(): void {
    if (isWoken || isPaused || isStopped) return;
    isWoken = true;
    setImmediate(() => {
      claiming = claiming.then(claim).catch((error: unknown) => {
        log.error({ err: error }, 'what waits could not be claimed');
        pause();
      });
    });
  }

  async function claim(): Promise<void> {
    isWoken = false;
    if (isPaused || isStopped) return;
    for (const claimed of await queue.claim()) {
      const work = start(claimed).catch((error: unknown) =>
        log.error({ err: error }, 'a pending run could not be dealt with'),
      );
      starting.add(work);
      void work.then(() => starting.delete(work));
    }
  }

  async function start({ run, ...permit }: Claim): Promise<void> {
    try {
      // Read before the claim: a run that cannot be read is never one without a process.
      const source = await sourceOf(run.id, o);
      if (source) return await o.register.begin(source, permit);
      permit.giveUp();
    } catch (error) {
      permit.giveUp();
      if (error instanceof Superseded || isStopped) return;
      if (!isStorageError(error)) return setAside(run.id, error, o);
      pause();
      // It keeps its place meanwhile.
      await queue.add(run);
    }
  }

  function pause(): void {
    if (isPaused) return;
    isPaused = true;
    const goOn = (): void => {
      isPaused = false;
      wake();
    };
    setTimeout(goOn, againMs).unref();
  }

  return {
    get starting() {
      return starting.size;
    },
    wake,
    async stop() {
      isStopped = true;
      await claiming;
      await Promise.all(starting);
    },
  };
}

/** undefined when there is no such run any more, or it is to be cancelled. */
async function sourceOf(runId: string, o: Surroundings): Promise<ControllerSource | undefined> {
  const stored = await o.store.runs.execution(runId);
  if (stored?.run.status !== 'pending') return undefined;
  if (stored.run.cancel_requested_at === null) return toSource(stored, o.sealer);
  o.cancel(runId);
  return undefined;
}

/** Ends a pending run that cannot be started. */
async function setAside(runId: string, error: unknown, { store, clock, log }: Surroundings): Promise<void> {
  log.error({ err: error, run_id: runId }, 'a run is set aside as failed');
  const message = 'the run could not be started; the server log says why';
  const change = { atMs: clock.now(), reason: 'start_failed', error: { message } } as const;
  await store.db.transact((tx) => store.runs.end(tx, runId, 'expire', change));
}
