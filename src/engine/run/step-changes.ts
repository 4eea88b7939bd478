// Makes the changes that a run controller decides for its steps. A change applies to the instance in memory at once,
// and goes into the batch as data for the store. If another process has taken over the attempt, the whole batch fails.

import type { Decision as Approval } from '../../domain/run.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatDuration } from '../../lib/units.ts';
import type { Outcome } from './attempt/outcome.ts';
import type { Batch } from './batch.ts';
import type { Decision, RunState } from './run-state.ts';
import type { Ending } from './step-endings.ts';
import { type StepInstance, toNewStep } from './step-instances.ts';

export function createStepChanges(o: {
  readonly state: RunState;
  /** The wall clock, for deadlines and pauses. */
  readonly clock: Clock;
  /** Gives the times in the rows of the run. */
  readonly time: Clock;
  /** The latest time in the rows of the run when this process began to drive it. */
  readonly latestAtMs: number;
  readonly worker: string;
  /** Called when a deadline has been written to the database. */
  readonly deadlineStored: (atMs: number) => void;
}) {
  const { state, clock, time } = o;
  const ends = createEndTimes(o);

  function start(instance: StepInstance, status: 'running' | 'waiting_approval', batch: Batch): void {
    const atMs = time.now();
    const { timeoutMs, action } = state.stepOf(instance);
    const { stepId, attempt } = instance;
    // A group of instances has no deadline of its own.
    const deadlineAtMs = timeoutMs === null || instance.kind === 'group' ? null : clock.now() + timeoutMs;
    Object.assign(instance, { status, epoch: 1, deadlineAtMs });
    const message = status === 'waiting_approval' && action.kind === 'approval' ? action.text : null;
    const row = { status, atMs, worker: o.worker, deadlineAtMs, message };
    batch.changes.push({ kind: 'start', at: { stepId, attempt }, start: row });
    if (deadlineAtMs !== null) batch.after.push(() => o.deadlineStored(deadlineAtMs));
  }

  /** Adds the row of the end to the batch. The state decides what follows from the end. */
  function end(
    instance: StepInstance,
    outcome: Ending & Partial<Outcome>,
    batch: Batch,
    approval: Approval | null = null,
  ): void {
    const { stepId, attempt, epoch } = instance;
    const { status, reason, message, hint = null, exitCode, outputs, openOutputs, termination = null } = outcome;
    const holdsSecret = Object.entries(openOutputs).some(([key, value]) => outputs[key] !== value);
    const ending = { status, reason, atMs: ends.next(batch), exitCode, message, hint, outputs, termination, approval };
    const at = { stepId, attempt, epoch };
    batch.changes.push({ kind: 'end', at, ending, openOutputs: holdsSecret ? openOutputs : null });
  }

  /** Ends the attempt and creates the next one, which starts after `delayMs`. */
  function retry(instance: StepInstance, outcome: Outcome, delayMs: number, batch: Batch): void {
    end(instance, outcome, batch);
    const notBeforeMs = clock.now() + delayMs;
    Object.assign(instance, {
      attempt: instance.attempt + 1,
      epoch: 0,
      status: 'pending',
      notBeforeMs,
      deadlineAtMs: null,
      childRunId: null,
      interruption: undefined,
    });
    const step = { ...toNewStep(instance, state.stepOf(instance)), not_before: notBeforeMs };
    const message = `${outcome.message ?? 'it failed'}; attempt ${instance.attempt} in ${formatDuration(delayMs)}`;
    batch.changes.push({ kind: 'retry', step, message });
  }

  function skip({ instance, reason, message }: Extract<Decision, { kind: 'skip' }>, batch: Batch): void {
    const { stepId } = instance;
    batch.changes.push({ kind: 'skip', stepId, skip: { reason, message, atMs: ends.next(batch) } });
  }

  function expand({ instance: step, added }: Extract<Decision, { kind: 'expand' }>, batch: Batch): void {
    start(step, 'running', batch);
    const steps = added.map((instance) => toNewStep(instance, state.stepOf(step)));
    batch.changes.push({ kind: 'add', steps });
  }

  return { start, end, retry, skip, expand, runEndTime: ends.ofRun };
}

/**
 * Decides which time is stored as the end of a step or run. A script may have ended before this process resumed its
 * run.
 */
function createEndTimes({ time, latestAtMs }: { readonly time: Clock; readonly latestAtMs: number }) {
  let lastMs = latestAtMs;
  return {
    /** The time that the batch stores for the end of a step, and for what follows from that end. */
    next({ endedBeforeAtMs }: Batch): number {
      const nowMs = time.now();
      // The wall clock may have been set since the script ended.
      const atMs = endedBeforeAtMs === undefined ? nowMs : Math.min(nowMs, Math.max(latestAtMs, endedBeforeAtMs));
      lastMs = Math.max(lastMs, atMs);
      return atMs;
    },
    /** The time at which the run ends with this batch. */
    ofRun: ({ endedBeforeAtMs }: Batch): number => (endedBeforeAtMs === undefined ? time.now() : lastMs),
  };
}
