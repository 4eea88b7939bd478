// Puts together what starts, drives and ends runs in this process: the queue and its slots, the register of running
// runs, the reaper, and the resumption of what an earlier process left.

import type { RoomLender } from '../instance/disk-reserve.ts';
import { retryShortage } from '../lib/shortage.ts';
import { isStorageError } from '../store/storage-error.ts';
import { createCancels } from './cancel.ts';
import type { Ends } from './ends.ts';
import { createForceEnds } from './forced-ends.ts';
import { createOwner } from './owner.ts';
import { createDispatcher } from './queue/dispatch.ts';
import { createEmbeddedQueue } from './queue/embedded-queue.ts';
import type { QueueLimits } from './queue/queue.ts';
import { watchQueue } from './queue/queue-watch.ts';
import { createReaper } from './reaper.ts';
import { createResumption } from './resumption.ts';
import type { Children, ControllerContext } from './run/run-context.ts';
import { createRunController } from './run/run-controller.ts';
import { createSlots } from './run/slots.ts';
import { createRunRegister } from './run-register.ts';

export function createRunning(o: {
  readonly context: Omit<ControllerContext, 'owner'>;
  /** The id of the data dir, which owns the runs that are driven here (ADR 0039). */
  readonly ownerId: string;
  readonly limits: QueueLimits;
  readonly ends: Ends;
  /** Starts sub-runs of the runs that are driven here. */
  readonly children: () => Children;
  readonly signal: AbortSignal;
  readonly room: RoomLender;
}) {
  const { signal } = o;
  const { store, log, clock, worker } = o.context;
  const owner = createOwner({ id: o.ownerId, host: worker, store, clock, log, register: () => register });
  const context: ControllerContext = { ...o.context, owner };
  const wake = (): void => dispatcher.wake();
  const slots = createSlots(o.limits.globalConcurrency, wake);
  const queue = createEmbeddedQueue({ limits: o.limits, slots, onReady: wake, setWaiting });
  const register = createRunRegister({
    slots,
    queue,
    createController: (source) =>
      createRunController(source, context, {
        requestSlot: queue.requestSlot,
        withdrawSlot: queue.withdrawSlot,
        deadlineStored: (atMs) => reaper.deadlineStored(atMs),
        children: o.children(),
      }),
  });
  const parts = { context, queue, register, withRetry, signal };
  const cancels = createCancels({ ...parts, ends: o.ends });
  const cancel = (runId: string, by?: string): void => cancels.cancelUnwaited(runId, by);
  const dispatcher = createDispatcher({ ...parts, cancel });
  const queueWatch = watchQueue({ queue, slots, clock, wake });
  const reaper = createReaper({
    ...parts,
    forceEnds: createForceEnds({ ...parts, cancel }),
    resync: () => resumption.resync(),
    watchQueue: () => queueWatch.look(),
    room: o.room,
  });
  const { expireOthers } = owner;
  const startDeadlines = (): void => reaper.start();
  const resumption = createResumption({ ...parts, dispatcher, cancel, expireOthers, startDeadlines });

  function withRetry<T>(work: () => Promise<T>): Promise<T> {
    return retryShortage(work, { isPassing: isStorageError, signal });
  }

  function setWaiting(runId: string, waiting: string): void {
    store.db
      .transact((tx) => store.runs.setWaiting(tx, runId, waiting))
      .catch((error: unknown) => {
        if (!isStorageError(error)) log.error({ err: error }, 'why a run waits could not be stored');
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
    /** Starts nothing more and stops driving the running runs: their shims keep them alive. */
    async detach(): Promise<void> {
      queue.close();
      await dispatcher.stop();
      await register.detach();
      // A run that is being resumed is detached as well, because it may wait for room on the disk.
      await resumption.settled();
      await register.detach();
    },
  };
}
