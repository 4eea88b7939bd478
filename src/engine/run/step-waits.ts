// Keeps the steps that may start but have not yet: they wait for a slot, or for the time of their next attempt.

import { toTimerDelay } from '../../lib/clock.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Slot } from './slots.ts';
import type { StepInstance } from './step-instances.ts';

export function createStepWaits(
  { run, context, services, detaching }: DrivenRun,
  o: {
    readonly onSlot: (instance: StepInstance, slot: Slot) => void;
    readonly onTime: (instance: StepInstance) => void;
  },
) {
  const { clock } = context;
  const queued = new Set<StepInstance>();
  const delayed = new Set<StepInstance>();
  const timers = new Map<StepInstance, NodeJS.Timeout>();

  return {
    /** Returns a slot if one is free; otherwise `onSlot` is called when it is the step's turn. */
    requestSlot(instance: StepInstance): Slot | undefined {
      queued.add(instance);
      const slot = services.requestSlot(run, instance.n, (granted) => {
        queued.delete(instance);
        if (detaching.signal.aborted || instance.status !== 'pending') granted.release();
        else o.onSlot(instance, granted);
      });
      if (slot) queued.delete(instance);
      return slot;
    },
    /** Whether the time of the step's next attempt is still to come. */
    isEarly: ({ notBeforeMs }: StepInstance): boolean => notBeforeMs !== null && notBeforeMs > clock.now(),
    /** Adds a step whose next attempt is decided. The wait for that attempt begins with `startTimer`. */
    delay: (instance: StepInstance): void => void delayed.add(instance),
    /** Call it once the next attempt is stored. `onTime` is called when its time comes. */
    startTimer(instance: StepInstance): void {
      if (!delayed.has(instance)) return;
      const leftMs = (instance.notBeforeMs ?? 0) - clock.now();
      const timer = setTimeout(() => {
        timers.delete(instance);
        delayed.delete(instance);
        o.onTime(instance);
      }, toTimerDelay(leftMs));
      timers.set(instance, timer);
    },
    /** Returns false when the step was not waiting. */
    withdraw(instance: StepInstance): boolean {
      const isDelayed = delayed.delete(instance);
      clearTimeout(timers.get(instance));
      timers.delete(instance);
      const isQueued = queued.delete(instance);
      if (isQueued) services.withdrawSlot(run.run_id, instance.n);
      return isDelayed || isQueued;
    },
    withdrawAll: (): void => {
      delayed.clear();
      for (const timer of timers.values()) clearTimeout(timer);
      for (const instance of queued) services.withdrawSlot(run.run_id, instance.n);
    },
  };
}
