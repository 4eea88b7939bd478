// The runs that this process drives, by their ids, from the claim to the last row.

import type { Transaction } from '../store/database.ts';
import type { ConcurrencyGroup } from './queue/concurrency-groups.ts';
import type { Hold, Permit, Queue } from './queue/queue.ts';
import type { ControllerSource } from './run/run-context.ts';
import type { RunController } from './run/run-controller.ts';
import type { Slots } from './run/slots.ts';

export type RunRegister = {
  readonly controllerOf: (runId: string) => RunController | undefined;
  readonly controllers: () => readonly RunController[];
  /**
   * Claims a run and starts it, in one transaction with `work`. If that fails, the caller still has to give up the
   * permit.
   */
  readonly begin: (
    source: ControllerSource,
    permit: Permit,
    work?: (tx: Transaction) => Promise<void>,
  ) => Promise<void>;
  /** Resumes a run that an earlier process left running. */
  readonly resume: (source: ControllerSource, group: ConcurrencyGroup) => Promise<void>;
  /** Stops driving a run that is ended without its run controller, or by another process. */
  readonly drop: (runId: string) => Promise<void>;
  /** Stops driving all runs: the next start resumes them. */
  readonly detach: () => Promise<void>;
};

export function createRunRegister(o: {
  readonly slots: Slots;
  readonly queue: Pick<Queue, 'hold'>;
  readonly createController: (source: ControllerSource) => RunController;
}): RunRegister {
  const controllers = new Map<string, RunController>();

  function keep(controller: RunController, hold: Hold): RunController {
    controllers.set(controller.runId, controller);
    void controller.finished.then(() => {
      controllers.delete(controller.runId);
      hold.release();
    });
    return controller;
  }

  return {
    controllerOf: (runId) => controllers.get(runId),
    controllers: () => [...controllers.values()],
    async begin(source, { slot, hold }, work) {
      const controller = keep(o.createController(source), hold);
      await controller.begin(slot, work).catch((error: unknown) => {
        controllers.delete(controller.runId);
        throw error;
      });
    },
    async resume(source, group) {
      const { run_id: id, tenant } = source.run;
      const controller = keep(o.createController(source), o.queue.hold(group, { id, tenant }));
      // A process that held a slot before the restart still holds one, even if the limits have been lowered since.
      await controller.resume(o.slots.hold);
    },
    async drop(runId) {
      await controllers.get(runId)?.detach();
      controllers.delete(runId);
    },
    async detach() {
      await Promise.all([...controllers.values()].map((controller) => controller.detach()));
    },
  };
}
