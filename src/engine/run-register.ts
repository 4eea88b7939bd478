// The runs that this process drives, by their ids. A run is in the register from its claim until its last row is
// written.

import type { ConcurrencyGroup } from './queue/concurrency-groups.ts';
import type { Hold, Permit, Queue } from './queue/queue.ts';
import type { ControllerSource } from './run/run-context.ts';
import type { AddClaimed, RunController } from './run/run-controller.ts';
import type { Slots } from './run/slots.ts';

export type RunRegister = ReturnType<typeof createRunRegister>;

export function createRunRegister(o: {
  readonly slots: Slots;
  readonly queue: Pick<Queue, 'hold'>;
  readonly createController: (source: ControllerSource) => RunController;
}) {
  const controllers = new Map<string, RunController>();

  function register(controller: RunController, hold: Hold): RunController {
    controllers.set(controller.runId, controller);
    void controller.finished.then(() => {
      controllers.delete(controller.runId);
      hold.release();
    });
    return controller;
  }

  return {
    controllerOf: (runId: string) => controllers.get(runId),
    controllers: (): readonly RunController[] => [...controllers.values()],
    /**
     * Claims a run and starts it, in one transaction. `add` adds a run that is not stored yet. If `begin` fails, the
     * caller still has to give up the permit.
     */
    async begin(
      source: ControllerSource,
      { slot, hold }: Pick<Permit, 'slot' | 'hold'>,
      add?: AddClaimed,
    ): Promise<void> {
      const controller = register(o.createController(source), hold);
      await controller.begin(slot, add).catch((error: unknown) => {
        controllers.delete(controller.runId);
        throw error;
      });
    },
    /** Resumes a run that an earlier process left running. */
    async resume(source: ControllerSource, group: ConcurrencyGroup): Promise<void> {
      const { run_id: id, tenant } = source.run;
      const controller = register(o.createController(source), o.queue.hold(group, { id, tenant }));
      // A process that held a slot before the restart still holds one, even if the limits have been lowered since.
      await controller.resume(o.slots.hold);
    },
    /** Stops driving a run that is ended without its run controller, or by another process. */
    async drop(runId: string): Promise<void> {
      await controllers.get(runId)?.detach();
      controllers.delete(runId);
    },
    /** Ends the processes of all runs, and stores nothing. */
    async kill(): Promise<void> {
      await Promise.all([...controllers.values()].map((controller) => controller.kill()));
    },
    /** Stops driving all runs: the next start resumes them. */
    async detach(): Promise<void> {
      await Promise.all([...controllers.values()].map((controller) => controller.detach()));
    },
  };
}
