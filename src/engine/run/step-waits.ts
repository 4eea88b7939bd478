// Steps that may begin and have not: they wait for a slot, or for the time of their next attempt.

import { toTimerDelay } from '../../lib/clock.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Slot } from './slots.ts';
import type { StepInstance } from './step-instances.ts';

export type StepWaits = {
  /** A slot at once. Without one, `onSlot` is called in the step's turn. */
  readonly requestSlot: (instance: StepInstance) => Slot | undefined;
  /** Whether its next attempt has a time that has not come. */
  readonly isEarly: (instance: StepInstance) => boolean;
  /** Its next attempt is decided; it begins some time after `startTimer`. */
  readonly delay: (instance: StepInstance) => void;
  /** Call once the next attempt is durable. `onTime` is called when its time comes. */
  readonly startTimer: (instance: StepInstance) => void;
  /** False when it did not wait. */
  readonly withdraw: (instance: StepInstance) => boolean;
  readonly withdrawAll: () => void;
};

export function createStepWaits(
  { run, context, around, detaching }: DrivenRun,
  o: {
    readonly onSlot: (instance: StepInstance, slot: Slot) => void;
    readonly onTime: (instance: StepInstance) => void;
  },
): StepWaits {
  const { clock } = context;
  const queued = new Set<StepInstance>();
  const delayed = new Set<StepInstance>();
  const timers = new Map<StepInstance, NodeJS.Timeout>();

  return {
    requestSlot(instance) {
      queued.add(instance);
      const slot = around.requestSlot(run, instance.n, (granted) => {
        queued.delete(instance);
        if (detaching.signal.aborted || instance.status !== 'pending') granted.release();
        else o.onSlot(instance, granted);
      });
      if (slot) queued.delete(instance);
      return slot;
    },
    isEarly: ({ notBeforeMs }) => notBeforeMs !== null && notBeforeMs > clock.now(),
    delay: (instance) => void delayed.add(instance),
    startTimer(instance) {
      if (!delayed.has(instance)) return;
      const leftMs = (instance.notBeforeMs ?? 0) - clock.now();
      const timer = setTimeout(() => {
        timers.delete(instance);
        delayed.delete(instance);
        o.onTime(instance);
      }, toTimerDelay(leftMs));
      timers.set(instance, timer);
    },
    withdraw(instance) {
      const isDelayed = delayed.delete(instance);
      clearTimeout(timers.get(instance));
      timers.delete(instance);
      const isQueued = queued.delete(instance);
      if (isQueued) around.withdrawSlot(run.run_id, instance.n);
      return isDelayed || isQueued;
    },
    withdrawAll() {
      delayed.clear();
      for (const timer of timers.values()) clearTimeout(timer);
      for (const instance of queued) around.withdrawSlot(run.run_id, instance.n);
    },
  };
}
