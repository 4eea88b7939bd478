// Decides whether a run starts, waits or is refused, given what waits and runs in this process.

import type { Concurrency } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import { startingWords } from '../../domain/run.ts';
import type { Slots } from '../run/slots.ts';
import type { ConcurrencyGroup, ConcurrencyGroups, GroupRun } from './concurrency-groups.ts';
import type { FairQueue } from './fair-queue.ts';
import type { Admission, CandidateRun, Outlook, Permit, QueueLimits } from './queue.ts';
import { groupOfRun, isSubRun, type WaitingRuns } from './waiting-runs.ts';

export type QueueState = {
  readonly limits: QueueLimits;
  readonly slots: Slots;
  readonly groups: ConcurrencyGroups;
  /** The runs and steps that wait. */
  readonly order: FairQueue;
  /** All runs that wait, including those that are being stored and are not in `order` yet. */
  readonly waiting: WaitingRuns;
  isOpen: boolean;
  startsRuns: boolean;
  isClosed: boolean;
};

const queueFullRetrySeconds = 5;

export function admit(state: QueueState, { onConflict, ...run }: CandidateRun): Admission {
  const group = groupOfRun(run);
  const others = onConflict === 'queue' ? [] : inGroup(state, group);
  const conflict = onConflict === 'reject' ? conflictOf(group, others) : null;
  if (conflict) throw conflict;
  const replaced = onConflict === 'cancel_running' ? replacedBy(run, group, others) : [];
  const waiting = whyWait(state, group);
  if (waiting === null) return { kind: 'start', replaced, ...permit(state, group, run) };
  const refused = isSubRun(run) ? null : fullness(state);
  if (refused) throw refused;
  state.waiting.add({ ...run, waiting });
  const giveUp = (): void => {
    if (!state.order.has(run.id)) state.waiting.remove(run.id);
  };
  return { kind: 'wait', replaced, waiting, giveUp };
}

export function outlookOf(state: QueueState, group: ConcurrencyGroup, onConflict: Concurrency['onConflict']): Outlook {
  const conflict = onConflict === 'reject' ? conflictOf(group, inGroup(state, group)) : null;
  const waiting = whyWait(state, group);
  return { waiting, refused: conflict ?? (waiting === null ? null : fullness(state)) };
}

export function permit({ slots, groups }: QueueState, group: ConcurrencyGroup, run: GroupRun): Permit {
  const slot = slots.hold();
  const hold = groups.hold(group, run);
  return {
    slot,
    hold,
    giveUp() {
      slot.release();
      hold.release();
    },
  };
}

/**
 * Why a run of the group would wait: a limit is reached, or other runs come before it. Null if it would start.
 */
export function whyWait(state: QueueState, group: ConcurrencyGroup): string | null {
  const { isOpen, isClosed, startsRuns, groups, slots, order } = state;
  if (isClosed || !startsRuns || !isOpen) return startingWords;
  const lack = groups.whyNone(group) ?? slots.whyNone();
  if (lack !== null) return lack;
  return order.peek((id) => isBlocked(state, id)) === undefined ? null : whoIsBefore(state);
}

/** Whether no run of the group with this id may start now. */
export function isBlocked({ startsRuns, waiting, groups }: QueueState, id: string): boolean {
  const group = waiting.groupOf(id);
  return !startsRuns || (group !== undefined && groups.whyNone(group) !== null);
}

export function isFull({ limits: { maxDepth }, waiting }: QueueState): boolean {
  return maxDepth !== null && waiting.boundedDepth >= maxDepth;
}

function fullness(state: QueueState): Problem | null {
  if (!isFull(state)) return null;
  const { maxDepth } = state.limits;
  const detail = `${waitWords(state.waiting.boundedDepth)} already; scheduler.queue.max_depth is ${maxDepth}.`;
  return new Problem('queue-full', detail, { retry_after: queueFullRetrySeconds });
}

function whoIsBefore({ waiting: { depth } }: QueueState): string {
  return depth === 0 ? 'steps of running runs wait before it' : `${waitWords(depth)} before it`;
}

export function waitWords(count: number): string {
  return count === 1 ? '1 run waits' : `${count} runs wait`;
}

/** The runs of the group: those that have started, then those that wait, both oldest first. */
function inGroup({ groups, waiting }: QueueState, group: ConcurrencyGroup): readonly GroupRun[] {
  return [...groups.running(group), ...waiting.inGroup(group)];
}

function conflictOf({ jobId, limit, key }: ConcurrencyGroup, others: readonly GroupRun[]): Problem | null {
  if (limit === null || others.length < limit) return null;
  const which = key === null ? jobId : `${jobId} with the concurrency key '${key}'`;
  return new Problem(
    'concurrency-conflict',
    `${others.length} of ${limit} runs of ${which} already run or wait, and the job says on_conflict: reject.`,
  );
}

/**
 * Returns the oldest runs of the group, which the new run replaces. Runs of another tenant are not replaced: the new
 * run waits for them.
 */
function replacedBy(
  { tenant }: Pick<CandidateRun, 'tenant'>,
  { limit }: ConcurrencyGroup,
  others: readonly GroupRun[],
): readonly string[] {
  const own = others.filter((run) => run.tenant === tenant);
  return own.slice(0, Math.max(0, others.length + 1 - (limit ?? 1))).map(({ id }) => id);
}
