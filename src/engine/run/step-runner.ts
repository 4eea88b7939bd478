// Brings the steps of one run to their ends: processes, which need a slot; sub-runs, approvals and delays, which need none.
// What an end means is the conductor's.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../domain/problem.ts';
import type { RunPlan } from '../../domain/run.ts';
import type { Namer } from '../../exec/collect/collect.ts';
import type { Redactor } from '../../exec/redact/redact.ts';
import { toTimerDelay } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { About } from '../../store/run/steps.ts';
import { isStorageFault } from '../../store/storage-fault.ts';
import { type Attempt, type Interruption, type Outcome, startAttempt } from './attempt.ts';
import { hasEnded, type Place } from './places.ts';
import type { ConductContext, Surroundings } from './run-context.ts';
import type { RunLog } from './run-log.ts';
import type { RunState } from './run-state.ts';
import type { Slot } from './slots.ts';
import { newTurn, type StepChanges, type Turn } from './step-changes.ts';
import { ancestorsOf, openScopeOf, type RunFacts, stepVariables } from './step-values.ts';

export type StepRunner = {
  /** Starts a place in the turn, or sees to it that it starts later. */
  readonly begin: (place: Place, turn: Turn, takeSlot?: (place: Place) => Slot | undefined) => void;
  /** Goes on with what a former process has begun; nothing for what waits. */
  readonly takeUp: (place: Place, holdSlot: () => Slot) => void;
  readonly requestSlot: (place: Place) => Slot | undefined;
  readonly attemptOf: (place: Place) => Attempt | undefined;
  readonly attempts: () => readonly Attempt[];
  /** Its end is known by now. */
  readonly forget: (place: Place) => void;
  /** Ends what has begun and not ended. `waiting`: it has not begun, and will not any more. */
  readonly interrupt: (place: Place, why: Interruption) => 'interrupted' | 'waiting' | 'untouched';
  /** What is being ended has no more time for it. */
  readonly hasten: (places: readonly Place[]) => void;
  /** All that it had, the last one last. */
  readonly attemptsAt: (place: Place) => readonly Namer[];
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
  readonly context: ConductContext;
  readonly around: Surroundings;
  readonly log: Logger;
  readonly patiently: <T>(work: () => T | Promise<T>) => Promise<T>;
  readonly detaching: AbortSignal;
  readonly settle: (place: Place, outcome: Outcome) => Promise<void>;
  /** Why its time is over, or the run's. */
  readonly overdue: (place: Place) => Interruption | undefined;
  /** Writes a turn and does what follows. */
  readonly complete: (turn: Turn) => Promise<void>;
  /** Sees to faults of what nobody awaits. */
  readonly watch: (work: Promise<void>) => void;
}): StepRunner {
  const { run, plan, state, changes, context, around, watch } = o;
  const { store, clock } = context;
  const attempts = new Map<Place, Attempt>();
  const queued = new Set<Place>();
  /** Between two attempts; without a timer until the next one is in the database. */
  const delayed = new Set<Place>();
  const timers = new Map<Place, NodeJS.Timeout>();

  function begin(place: Place, turn: Turn, takeSlot = requestSlot): void {
    if (place.notBeforeMs !== null && place.notBeforeMs > clock.now()) {
      delayed.add(place);
      turn.after.push(() => waitUntil(place));
      return;
    }
    const { kind } = state.stepOf(place).action;
    if (kind === 'approval') changes.start(place, 'waiting_approval', turn);
    else if (kind === 'job') {
      changes.start(place, 'running', turn);
      turn.after.push(() => watch(attendChild(place)));
    } else {
      const slot = takeSlot(place);
      if (slot) startProcess(place, slot, turn);
    }
  }

  function requestSlot(place: Place): Slot | undefined {
    queued.add(place);
    const slot = around.requestSlot(run, place.n, (granted) => {
      queued.delete(place);
      if (o.detaching.aborted || place.status !== 'pending') return granted.release();
      const turn = newTurn();
      startProcess(place, granted, turn);
      watch(o.complete(turn));
    });
    if (slot) queued.delete(place);
    return slot;
  }

  function startProcess(place: Place, slot: Slot, turn: Turn): void {
    changes.start(place, 'running', turn);
    turn.slots.push(slot);
    turn.after.push(() => attend(place, slot, 'launch'));
  }

  function waitUntil(place: Place): void {
    if (!delayed.has(place)) return;
    const leftMs = (place.notBeforeMs ?? 0) - clock.now();
    const timer = setTimeout(() => {
      timers.delete(place);
      delayed.delete(place);
      const turn = newTurn();
      begin(place, turn);
      watch(o.complete(turn));
    }, toTimerDelay(leftMs));
    timers.set(place, timer);
  }

  function attend(place: Place, slot: Slot, mode: 'launch' | 'take-up'): void {
    const { id, action } = state.stepOf(place);
    if (action.kind !== 'command') return;
    // The run has been let go of since this was decided: the next start begins what is in the database.
    if (o.detaching.aborted) {
      slot.release();
      return;
    }
    if (place.interruption && mode === 'launch') {
      slot.release();
      watch(o.settle(place, { ...nothingDone, ...place.interruption }));
      return;
    }
    const { stepId, attempt: number } = place;
    const attempt = startAttempt({
      ...o,
      at: { stepId, attempt: number },
      action,
      variables: stepVariables(place.item, ancestorsOf(plan.job.steps, id), state.values),
      attemptDir: placeOf(place, number).attemptDir,
      mode,
      overdue: () => o.overdue(place),
      onSignal: (signal, processes) => announceSignal(place, signal, processes),
    });
    attempts.set(place, attempt);
    if (place.interruption) attempt.interrupt(place.interruption);
    void attempt.gone.then(() => slot.release());
    watch(attempt.outcome.then((outcome) => o.settle(place, outcome)));
  }

  function placeOf({ stepId, n }: Place, attempt: number): Namer {
    return { stepId, attempt, attemptDir: join(o.runDir, attemptFolder(n, attempt)) };
  }

  function announceSignal({ stepId }: Place, signal: string, processes: number): void {
    const message = `sent ${signal} to ${processes} ${processes === 1 ? 'process' : 'processes'}`;
    const data = { signal, message, step_id: stepId };
    store.db
      .transact(async (tx) => tx.emit({ type: 'run.cancelling', ...o.about, data }))
      .catch((error: unknown) => o.log.error({ err: error }, 'an event of the cancel was not written'));
  }

  async function attendChild(place: Place): Promise<void> {
    const { action } = state.stepOf(place);
    if (action.kind !== 'job') return;
    const { stepId, attempt, epoch } = place;
    try {
      const scope = { ...state.scope, ...place.item };
      const openScope = () => openScopeOf(scope, o.secrets, state.values);
      const at = { runId: run.run_id, stepId, attempt, epoch };
      const from = { run, plan, at, action, scope, openScope, secrets: o };
      while (place.childRunId === null) {
        if (place.interruption) return o.settle(place, { ...nothingDone, ...place.interruption });
        // A server that has just started may not have read its sources yet.
        const started = await o.patiently(() => (place.interruption ? undefined : around.children.start(from)));
        if (started !== undefined) place.childRunId = started;
        else if (!place.interruption) await delay(noRoomMs, undefined, { signal: o.detaching });
      }
    } catch (error) {
      if (!(error instanceof Problem) || isStorageFault(error)) throw error;
      const message = o.redactor.text(error.message);
      return o.settle(place, { ...nothingDone, status: 'failed', reason: 'start_failed', message });
    }
    if (place.interruption) around.children.cancel(place.childRunId);
    const outcome = await around.children.end(place.childRunId, o.detaching);
    if (o.detaching.aborted) return;
    await o.settle(place, place.interruption ? { ...outcome, ...place.interruption } : outcome);
  }

  function interrupt(place: Place, why: Interruption): ReturnType<StepRunner['interrupt']> {
    const attempt = attempts.get(place);
    if (attempt) return attempt.interrupt(why) ? 'interrupted' : 'untouched';
    if (place.status === 'running' && place.kind !== 'group') {
      place.interruption ??= why;
      if (place.childRunId !== null) around.children.cancel(place.childRunId);
      return 'interrupted';
    }
    const isDelayed = delayed.delete(place);
    clearTimeout(timers.get(place));
    timers.delete(place);
    const isQueued = queued.delete(place);
    if (isQueued) around.withdrawSlot(run.run_id, place.n);
    return isDelayed || isQueued ? 'waiting' : 'untouched';
  }

  return {
    begin,
    requestSlot,
    takeUp(place, holdSlot) {
      if (place.status !== 'running') return;
      if (place.kind === 'command') attend(place, holdSlot(), 'take-up');
      else if (place.kind === 'job') watch(attendChild(place));
    },
    attemptOf: (place) => attempts.get(place),
    attempts: () => [...attempts.values()],
    forget: (place) => void attempts.delete(place),
    interrupt,
    hasten(places) {
      for (const attempt of attempts.values()) attempt.hasten();
      for (const place of places)
        if (place.childRunId !== null && !hasEnded(place)) around.children.cancel(place.childRunId, true);
    },
    attemptsAt: (place) => Array.from({ length: place.attempt }, (_, before) => placeOf(place, before + 1)),
    withdraw() {
      delayed.clear();
      for (const timer of timers.values()) clearTimeout(timer);
      for (const place of queued) around.withdrawSlot(run.run_id, place.n);
    },
  };
}

/** The folder of an attempt, inside its run's. */
export function attemptFolder(n: number, attempt: number): string {
  return `${n}-${attempt}`;
}
