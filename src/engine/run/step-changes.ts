// What a conductor writes of its steps: each change of a place, in memory at once, and as a row in the turn's transaction.
// A change of an attempt that another process holds by now fails the whole turn.

import type { Decision as Approval, Run } from '../../domain/run.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Transaction } from '../../store/database.ts';
import type { About, StepStore } from '../../store/run/steps.ts';
import type { Sealer } from '../secrets/seal.ts';
import type { Outcome } from './attempt.ts';
import { type Place, toNewStep } from './places.ts';
import type { Decision, Ending, RunState } from './run-state.ts';
import type { Slot } from './slots.ts';

/** Another process holds the attempt by now: this one must not touch it. */
export class Superseded extends Error {}

type Change = (tx: Transaction) => Promise<void>;

/**
 * What one event brings about: rows, written together, and what is done once they are durable. `slots` are those of the
 * processes that start then, or are given back.
 */
export type Turn = {
  readonly changes: Change[];
  readonly after: (() => void)[];
  readonly slots: Slot[];
  result: Run['result'];
};

export function newTurn(): Turn {
  return { changes: [], after: [], slots: [], result: null };
}

/** What comes once it is durable. */
export function carryOn({ after }: Turn): void {
  for (const act of after) act();
}

/** It was not written: nothing of it starts. */
export function giveUpTurn({ slots }: Turn): void {
  for (const slot of slots) slot.release();
}

export type StepChanges = ReturnType<typeof createStepChanges>;

export function createStepChanges(o: {
  readonly about: About;
  readonly state: RunState;
  readonly steps: StepStore;
  readonly sealer: Sealer;
  /** The wall clock: deadlines and pauses are by it. */
  readonly clock: Clock;
  /** What the run's rows are dated by. */
  readonly time: Clock;
  readonly worker: string;
  /** A deadline is in the database from now on. */
  readonly noticeDeadline: (atMs: number) => void;
}) {
  const { about, state, steps, clock, time } = o;

  function start(place: Place, status: 'running' | 'waiting_approval', turn: Turn): void {
    const atMs = time.now();
    const { timeoutMs, action } = state.stepOf(place);
    const { stepId, attempt } = place;
    // The whole of its instances has no time of its own.
    const deadlineAtMs = timeoutMs === null || place.kind === 'group' ? null : clock.now() + timeoutMs;
    Object.assign(place, { status, epoch: 1, deadlineAtMs });
    const message = status === 'waiting_approval' && action.kind === 'approval' ? action.text : null;
    const row = { status, atMs, worker: o.worker, deadlineAtMs, message };
    turn.changes.push(async (tx) => must(await steps.start(tx, about, { stepId, attempt }, row)));
    if (deadlineAtMs !== null) turn.after.push(() => o.noticeDeadline(deadlineAtMs));
  }

  /** The row alone: what follows from it is the state's. */
  function end(place: Place, outcome: Ending & Partial<Outcome>, turn: Turn, approval: Approval | null = null): void {
    const { stepId, attempt, epoch } = place;
    const { status, reason, message, exitCode, outputs, openOutputs, termination = null } = outcome;
    const holdsSecret = Object.entries(openOutputs).some(([key, value]) => outputs[key] !== value);
    const row = { status, reason, atMs: time.now(), exitCode, message, outputs, termination, approval };
    turn.changes.push(async (tx) => {
      // In the transaction: what waits for a disk is sealed by the key of that time.
      const sealed = holdsSecret
        ? o.sealer.seal(JSON.stringify(openOutputs), sealContext(about.runId, stepId, attempt))
        : null;
      must(await steps.end(tx, about, { stepId, attempt, epoch }, { ...row, sealed }));
    });
  }

  /** Ends the attempt, and makes the next one, which waits for `delayMs`. */
  function retry(place: Place, outcome: Outcome, delayMs: number, turn: Turn): void {
    end(place, outcome, turn);
    const notBeforeMs = clock.now() + delayMs;
    Object.assign(place, {
      attempt: place.attempt + 1,
      epoch: 0,
      status: 'pending',
      notBeforeMs,
      deadlineAtMs: null,
      childRunId: null,
      interruption: undefined,
    });
    const row = { ...toNewStep(place, state.stepOf(place)), not_before: notBeforeMs };
    const message = `${outcome.message ?? 'it failed'}; attempt ${place.attempt} in ${formatDuration(delayMs)}`;
    turn.changes.push((tx) => steps.retry(tx, about, row, message));
  }

  function skip({ place, reason, message }: Extract<Decision, { kind: 'skip' }>, turn: Turn): void {
    const { stepId } = place;
    const row = { reason, message, atMs: time.now() };
    turn.changes.push(async (tx) => must(await steps.skip(tx, about, stepId, row)));
  }

  function expand({ place, added }: Extract<Decision, { kind: 'expand' }>, turn: Turn): void {
    start(place, 'running', turn);
    const rows = added.map((instance) => toNewStep(instance, state.stepOf(place)));
    turn.changes.push((tx) => steps.add(tx, about.runId, rows));
  }

  return { start, end, retry, skip, expand };
}

/** @throws Superseded */
export function must(isDone: boolean): void {
  if (!isDone) throw new Superseded('the attempt is another’s by now');
}

/** What sealed outputs are bound to. */
export function sealContext(runId: string, stepId: string, attempt: number): string {
  return `${runId} ${stepId} ${attempt}`;
}
