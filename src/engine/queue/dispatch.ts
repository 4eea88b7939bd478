// Starts waiting runs while slots are free: asks the queue which runs may start, and begins each of them.

import { isStorageError } from '../../store/storage-error.ts';
import { Superseded } from '../../store/superseded.ts';
import type { ControllerContext, ControllerSource } from '../run/run-context.ts';
import { toSource } from '../run/run-source.ts';
import type { RunRegister } from '../run-register.ts';
import type { Claim, Queue } from './queue.ts';

export type Dispatcher = ReturnType<typeof createDispatcher>;

/** How long the dispatcher pauses after the database has refused a claim. */
const againMs = 1_000;

type Parts = {
  readonly context: ControllerContext;
  readonly queue: Queue;
  readonly register: RunRegister;
  readonly cancel: (runId: string) => void;
};

export function createDispatcher(o: Parts) {
  const { queue } = o;
  const { log } = o.context;
  const starting = new Set<Promise<void>>();
  let claiming: Promise<void> = Promise.resolve();
  let isWoken = false;
  let isPaused = false;
  let isStopped = false;

  /**
   * Call it when a run may be able to start. After several calls in one turn of the event loop, the queue is asked only
   * once.
   */
  function wake(): void {
    if (isWoken || isPaused || isStopped) return;
    isWoken = true;
    setImmediate(() => {
      claiming = claiming.then(claim).catch((error: unknown) => {
        log.error({ err: error }, 'waiting runs could not be claimed');
        pause();
      });
    });
  }

  async function claim(): Promise<void> {
    isWoken = false;
    if (isPaused || isStopped) return;
    for (const claimed of await queue.claim()) {
      const work = start(claimed).catch((error: unknown) =>
        log.error({ err: error }, 'a pending run could not be started'),
      );
      starting.add(work);
      void work.then(() => starting.delete(work));
    }
  }

  async function start({ run, ...permit }: Claim): Promise<void> {
    try {
      // The run is read before it is claimed. Otherwise a run that cannot be read would be running without a process.
      const source = await sourceOf(run.id, o);
      if (source) return await o.register.begin(source, permit);
      permit.giveUp();
    } catch (error) {
      permit.giveUp();
      if (error instanceof Superseded || isStopped) return;
      if (!isStorageError(error)) return failRun(run.id, error, o);
      pause();
      // During the pause, the run keeps its place in the queue.
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
    /** How many runs have left the queue and are still pending in the database. */
    get starting() {
      return starting.size;
    },
    wake,
    async stop(): Promise<void> {
      isStopped = true;
      await claiming;
      await Promise.all(starting);
    },
  };
}

/** Returns undefined when the run is no longer pending or should be cancelled. */
async function sourceOf(runId: string, { context, cancel }: Parts): Promise<ControllerSource | undefined> {
  const stored = await context.store.runs.execution(runId);
  if (stored?.run.status !== 'pending') return undefined;
  if (stored.run.cancel_requested_at === null) return toSource(stored, context.sealer);
  cancel(runId);
  return undefined;
}

/** Ends a pending run that cannot be started. */
async function failRun(runId: string, error: unknown, { context }: Parts): Promise<void> {
  const { store, clock, log } = context;
  log.error({ err: error, run_id: runId }, 'a run that could not be started was marked as failed');
  const message = 'the run could not be started; the server log says why';
  const change = { atMs: clock.now(), reason: 'start_failed', error: { message } } as const;
  await store.db.transact((tx) => store.runs.end(tx, runId, 'expire', change));
}
