// What starts, drives and ends runs in this process, put together: the queue and its slots, the register of what runs,
// the reaper, and the resumption of what a former process left.

import type { SteadyClock } from '../lib/clock.ts';
import { retryShortage } from '../lib/shortage.ts';
import { isStorageError } from '../store/storage-error.ts';
import { type Cancels, createCancels } from './cancel.ts';
import type { Ends } from './ends.ts';
import { createForcedEnds } from './forced-ends.ts';
import { createOwner, type Owner } from './owner.ts';
import { createDispatcher } from './queue/dispatch.ts';
import { createEmbeddedQueue } from './queue/embedded-queue.ts';
import type { Queue, QueueLimits } from './queue/queue.ts';
import { type QueueWatch, watchQueue } from './queue/queue-watch.ts';
import { createReaper, type Reaper } from './reaper.ts';
import { createResumption, type Resumption } from './resumption.ts';
import type { Children, ControllerContext } from './run/run-context.ts';
import { createRunController } from './run/run-controller.ts';
import { createSlots, type Slots } from './run/slots.ts';
import { createRunRegister, type RunRegister } from './run-register.ts';

export type Running = {
  readonly owner: Owner;
  readonly slots: Slots;
  readonly queue: Queue;
  readonly queueWatch: QueueWatch;
  readonly register: RunRegister;
  readonly cancels: Cancels;
  readonly reaper: Reaper;
  readonly resumption: Resumption;
  /** Starts nothing more and lets go of what runs: it is left to the shims. */
  readonly letGo: () => Promise<void>;
};

export function createRunning(o: {
  readonly context: Omit<ControllerContext, 'owner'>;
  /** The id under which runs are driven: the data dir's own (ADR 0039). */
  readonly ownerId: string;
  readonly clock: SteadyClock;
  readonly limits: QueueLimits;
  readonly ends: Ends;
  /** Sub-runs of the runs that are driven. */
  readonly children: () => Children;
  readonly signal: AbortSignal;
}): Running {
  const { clock, signal } = o;
  const { store, log, sealer, worker } = o.context;
  const owner = createOwner({ id: o.ownerId, host: worker, store, clock, log, register: () => register });
  const context = { ...o.context, owner };
  const wake = (): void => dispatcher.wake();
  const slots = createSlots(o.limits.globalConcurrency, wake);
  const queue = createEmbeddedQueue({ limits: o.limits, slots, onReady: wake, tell });
  const register = createRunRegister({
    slots,
    queue,
    createController: (source) =>
      createRunController(source, context, {
        requestSlot: queue.requestSlot,
        withdrawSlot: queue.withdrawSlot,
        noticeDeadline: (atMs) => reaper.notice(atMs),
        children: o.children(),
      }),
  });
  const cancels = createCancels({ store, clock, log, ends: o.ends, queue, register, signal });
  const cancel = (runId: string): void => cancels.cancelUnwaited(runId);
  const dispatcher = createDispatcher({ store, sealer, clock, log, queue, register, cancel });
  const queueWatch = watchQueue({ queue, slots, clock, wake });
  const reaper = createReaper({
    store,
    clock,
    log,
    queue,
    register,
    owner,
    forcedEnds: createForcedEnds({ context, clock, register, cancel, signal }),
    resync: () => resumption.resync(),
    watchQueue: queueWatch.look,
    withRetry,
  });
  const parts = { context, clock, queue, dispatcher, register, withRetry, signal, cancel };
  const { expireOthers } = owner;
  const resumption = createResumption({ ...parts, expireOthers, startDeadlines: reaper.start });

  function withRetry<T>(work: () => Promise<T>): Promise<T> {
    return retryShortage(work, { isPassing: isStorageError, signal });
  }

  function tell(runId: string, waiting: string): void {
    store.db
      .transact((tx) => store.runs.setWaiting(tx, runId, waiting))
      .catch((error: unknown) => {
        if (!isStorageError(error)) log.error({ err: error }, 'a pending run could not be dealt with');
      });
  }

  return {
    owner,
    slots,
    queue,
    queueWatch,
    register,
    cancels,
    reaper,
    resumption,
    async letGo() {
      queue.close();
      // What is being resumed may wait for a disk that is full: it is let go of, too.
      await dispatcher.stop();
      await register.detach();
      await resumption.settled();
      await register.detach();
    },
  };
}
