// Brings the steps of one run to their ends: processes, which need a slot; sub-runs, approvals and delays, which need none.
// What an end means is the run controller's.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../domain/problem.ts';
import type { RunPlan } from '../../domain/run.ts';
import type { Namer } from '../../exec/collect/collect.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import { toTimerDelay } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { About } from '../../store/run/step-moves.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { type Attempt, type Interruption, type Outcome, startAttempt } from './attempt.ts';
import type { ControllerContext, Surroundings } from './run-context.ts';
import type { RunLog } from './run-log.ts';
import type { RunState } from './run-state.ts';
import type { Slot } from './slots.ts';
import { type Batch, newBatch, type StepChanges } from './step-changes.ts';
import { hasEnded, type StepInstance } from './step-instances.ts';
import { ancestorsOf, openScopeOf, type RunFacts, stepVariables } from './step-values.ts';

export type StepRunner = {
  /** Starts an instance in the turn, or sees to it that it starts later. */
  readonly begin: (
    instance: StepInstance,
    batch: Batch,
    takeSlot?: (instance: StepInstance) => Slot | undefined,
  ) => void;
  /** Goes on with what a former process has begun; nothing for what waits. */
  readonly resume: (instance: StepInstance, holdSlot: () => Slot) => void;
  readonly requestSlot: (instance: StepInstance) => Slot | undefined;
  readonly attemptOf: (instance: StepInstance) => Attempt | undefined;
  readonly attempts: () => readonly Attempt[];
  /** Its end is known by now. */
  readonly forget: (instance: StepInstance) => void;
  /** Ends what has begun and not ended. `waiting`: it has not begun, and will not any more. */
  readonly interrupt: (instance: StepInstance, why: Interruption) => 'interrupted' | 'waiting' | 'untouched';
  /** What is being ended has no more time for it. */
  readonly hasten: (instances: readonly StepInstance[]) => void;
  /** All that it had, the last one last. */
  readonly attemptsAt: (instance: StepInstance) => readonly Namer[];
  /** Whatever waits here is left to the next start; attempts too, with `detach` of each. */
  readonly withdraw: () => void;
};

/** Between two looks whether a sub-run may start. */
const noRoomMs = 250;

export const nothingDone = {
  exitCode: null,
  result: null,
  outputs: {},
  openOutputs: {},
  termination: null,
} as const;

export function createStepRunner(o: {
  readonly run: RunFacts;
  readonly plan: RunPlan;
  readonly secrets: ReadonlyMap<string, string>;
  readonly alsoRedacted: readonly string[];
  readonly state: RunState;
  readonly changes: StepChanges;
  readonly about: About;
  readonly runDir: string;
  readonly workspaceDir: string;
  readonly redactor: Redactor;
  readonly runLog: RunLog;
  readonly context: ControllerContext;
  readonly around: Surroundings;
  readonly log: Logger;
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
  readonly detaching: AbortSignal;
  readonly settle: (instance: StepInstance, outcome: Outcome) => Promise<void>;
  /** Why its time is over, or the run's. */
  readonly overdue: (instance: StepInstance) => Interruption | undefined;
  /** Writes a turn and does what follows. */
  readonly complete: (batch: Batch) => Promise<void>;
  /** Sees to errors of what nobody awaits. */
  readonly watch: (work: Promise<void>) => void;
}): StepRunner {
  const { run, plan, state, changes, context, around, watch } = o;
  const { store, clock } = context;
  const attempts = new Map<StepInstance, Attempt>();
  const queued = new Set<StepInstance>();
  /** Between two attempts; without a timer until the next one is in the database. */
  const delayed = new Set<StepInstance>();
  const timers = new Map<StepInstance, NodeJS.Timeout>();

  function begin(instance: StepInstance, batch: Batch, takeSlot = requestSlot): void {
    if (instance.notBeforeMs !== null && instance.notBeforeMs > clock.now()) {
      delayed.add(instance);
      batch.after.push(() => waitUntil(instance));
      return;
    }
    const { kind } = state.stepOf(instance).action;
    if (kind === 'approval') changes.start(instance, 'waiting_approval', batch);
    else if (kind === 'job') {
      changes.start(instance, 'running', batch);
      batch.after.push(() => watch(attendChild(instance)));
    } else {
      const slot = takeSlot(instance);
      if (slot) startProcess(instance, slot, batch);
    }
  }

  function requestSlot(instance: StepInstance): Slot | undefined {
    queued.add(instance);
    const slot = around.requestSlot(run, instance.n, (granted) => {
      queued.delete(instance);
      if (o.detaching.aborted || instance.status !== 'pending') return granted.release();
      const batch = newBatch();
      startProcess(instance, granted, batch);
      watch(o.complete(batch));
    });
    if (slot) queued.delete(instance);
    return slot;
  }

  function startProcess(instance: StepInstance, slot: Slot, batch: Batch): void {
    changes.start(instance, 'running', batch);
    batch.slots.push(slot);
    batch.after.push(() => attend(instance, slot, 'launch'));
  }

  function waitUntil(instance: StepInstance): void {
    if (!delayed.has(instance)) return;
    const leftMs = (instance.notBeforeMs ?? 0) - clock.now();
    const timer = setTimeout(() => {
      timers.delete(instance);
      delayed.delete(instance);
      const batch = newBatch();
      begin(instance, batch);
      watch(o.complete(batch));
    }, toTimerDelay(leftMs));
    timers.set(instance, timer);
  }

  function attend(instance: StepInstance, slot: Slot, mode: 'launch' | 'take-up'): void {
    const { id, action } = state.stepOf(instance);
    if (action.kind !== 'command') return;
    // The run has been let go of since this was decided: the next start begins what is in the database.
    if (o.detaching.aborted) {
      slot.release();
      return;
    }
    if (instance.interruption && mode === 'launch') {
      slot.release();
      watch(o.settle(instance, { ...nothingDone, ...instance.interruption }));
      return;
    }
    const { stepId, attempt: number } = instance;
    const attempt = startAttempt({
      ...o,
      at: { stepId, attempt: number },
      action,
      variables: stepVariables(instance.item, ancestorsOf(plan.job.steps, id), state.values),
      attemptDir: namerOf(instance, number).attemptDir,
      mode,
      overdue: () => o.overdue(instance),
      onSignal: (signal, processes) => announceSignal(instance, signal, processes),
    });
    attempts.set(instance, attempt);
    if (instance.interruption) attempt.interrupt(instance.interruption);
    void attempt.gone.then(() => slot.release());
    watch(attempt.outcome.then((outcome) => o.settle(instance, outcome)));
  }

  function namerOf({ stepId, n }: StepInstance, attempt: number): Namer {
    return { stepId, attempt, attemptDir: join(o.runDir, attemptFolder(n, attempt)) };
  }

  function announceSignal({ stepId }: StepInstance, signal: string, processes: number): void {
    const message = `sent ${signal} to ${processes} ${processes === 1 ? 'process' : 'processes'}`;
    const data = { signal, message, step_id: stepId };
    store.db
      .transact(async (tx) => tx.emit({ type: 'run.cancelling', ...o.about, data }))
      .catch((error: unknown) => o.log.error({ err: error }, 'an event of the cancel was not written'));
  }

  async function attendChild(instance: StepInstance): Promise<void> {
    const { action } = state.stepOf(instance);
    if (action.kind !== 'job') return;
    const { stepId, attempt, epoch } = instance;
    try {
      const scope = { ...state.scope, ...instance.item };
      const openScope = () => openScopeOf(scope, o.secrets, state.values);
      const at = { runId: run.run_id, stepId, attempt, epoch };
      const from = { run, plan, at, action, scope, openScope, secrets: o };
      while (instance.childRunId === null) {
        if (instance.interruption) return o.settle(instance, { ...nothingDone, ...instance.interruption });
        // A server that has just started may not have read its sources yet.
        const started = await o.withRetry(() => (instance.interruption ? undefined : around.children.start(from)));
        if (started !== undefined) instance.childRunId = started;
        else if (!instance.interruption) await delay(noRoomMs, undefined, { signal: o.detaching });
      }
    } catch (error) {
      if (!(error instanceof Problem) || isStorageError(error)) throw error;
      const message = o.redactor.text(error.message);
      return o.settle(instance, { ...nothingDone, status: 'failed', reason: 'start_failed', message });
    }
    if (instance.interruption) around.children.cancel(instance.childRunId);
    const outcome = await around.children.end(instance.childRunId, o.detaching);
    if (o.detaching.aborted) return;
    await o.settle(instance, instance.interruption ? { ...outcome, ...instance.interruption } : outcome);
  }

  function interrupt(instance: StepInstance, why: Interruption): ReturnType<StepRunner['interrupt']> {
    const attempt = attempts.get(instance);
    if (attempt) return attempt.interrupt(why) ? 'interrupted' : 'untouched';
    if (instance.status === 'running' && instance.kind !== 'group') {
      instance.interruption ??= why;
      if (instance.childRunId !== null) around.children.cancel(instance.childRunId);
      return 'interrupted';
    }
    const isDelayed = delayed.delete(instance);
    clearTimeout(timers.get(instance));
    timers.delete(instance);
    const isQueued = queued.delete(instance);
    if (isQueued) around.withdrawSlot(run.run_id, instance.n);
    return isDelayed || isQueued ? 'waiting' : 'untouched';
  }

  return {
    begin,
    requestSlot,
    resume(instance, holdSlot) {
      if (instance.status !== 'running') return;
      if (instance.kind === 'command') attend(instance, holdSlot(), 'take-up');
      else if (instance.kind === 'job') watch(attendChild(instance));
    },
    attemptOf: (instance) => attempts.get(instance),
    attempts: () => [...attempts.values()],
    forget: (instance) => void attempts.delete(instance),
    interrupt,
    hasten(instances) {
      for (const attempt of attempts.values()) attempt.hasten();
      for (const instance of instances)
        if (instance.childRunId !== null && !hasEnded(instance)) around.children.cancel(instance.childRunId, true);
    },
    attemptsAt: (instance) => Array.from({ length: instance.attempt }, (_, before) => namerOf(instance, before + 1)),
    withdraw() {
      delayed.clear();
      for (const timer of timers.values()) clearTimeout(timer);
      for (const instance of queued) around.withdrawSlot(run.run_id, instance.n);
    },
  };
}

/** The folder of an attempt, inside its run's. */
export function attemptFolder(n: number, attempt: number): string {
  return `${n}-${attempt}`;
}
