// The queue of a single server: in memory, on top of the fair queue. Each function decides before it returns its
// promise, so nothing can happen between the decision and the claim of the slot.

import { startingWords } from '../../domain/run.ts';
import type { Slot, Slots } from '../run/slots.ts';
import { admit, isBlocked, isFull, outlookOf, permit, type QueueState, whyWait } from './admission.ts';
import { createConcurrencyGroups, groupId } from './concurrency-groups.ts';
import { createFairQueue, type QueueItem } from './fair-queue.ts';
import type { Claim, Queue, QueueLimits } from './queue.ts';
import { createWaitingRuns, groupOfRun, type WaitingRun } from './waiting-runs.ts';

type Grants = Map<string, (slot: Slot) => void>;
type SetWaiting = (runId: string, waiting: string) => void;

/** How many runs get a new reason for waiting each time that the queue changes. */
const mostUpdated = 50;

export function createEmbeddedQueue(o: {
  readonly limits: QueueLimits;
  readonly slots: Slots;
  /** Called when a slot may be claimed. */
  readonly onReady: () => void;
  /** Called when the reason why a run waits has changed. */
  readonly setWaiting: SetWaiting;
}): Queue {
  const { limits, slots, onReady, setWaiting } = o;
  const order = createFairQueue({ weightOf: limits.weightOf });
  const groups = createConcurrencyGroups(limits.jobConcurrency, onReady);
  const waiting = createWaitingRuns();
  const grants: Grants = new Map();
  const state: QueueState = { limits, slots, groups, order, waiting, isOpen: false, startsRuns: true, isClosed: false };

  return {
    get depth() {
      return waiting.depth;
    },
    get isFull() {
      return isFull(state);
    },
    has: (runId) => waiting.get(runId) !== undefined || groups.holds(runId),
    admit: async (run) => admit(state, run),
    outlook: async (group, onConflict) => outlookOf(state, group, onConflict),
    async add(run) {
      if (state.isClosed || order.has(run.id) || groups.holds(run.id)) return;
      waiting.add(run);
      order.add(toItem(run));
      onReady();
    },
    async remove(runId) {
      if (!order.remove(runId)) return;
      waiting.remove(runId);
      onReady();
    },
    async claim() {
      if (!state.isOpen || state.isClosed) return [];
      const claims = grantSlots(state, grants);
      updateHeads(state, setWaiting);
      return claims;
    },
    async startable() {
      if (!state.isOpen || state.isClosed || slots.free === 0) return undefined;
      return order.peek((id) => isBlocked(state, id))?.id;
    },
    hold: groups.hold,
    requestSlot({ run_id: runId, tenant, priority, created_at }, n, grant) {
      if (state.isOpen && !state.isClosed && order.size === 0 && slots.free > 0) return slots.hold();
      const id = stepItemId(runId, n);
      grants.set(id, grant);
      order.add({ id, tenant, priority, createdAtMs: Date.parse(created_at), isStarted: true, group: '' });
      onReady();
      return undefined;
    },
    withdrawSlot(runId, n) {
      const id = stepItemId(runId, n);
      order.remove(id);
      grants.delete(id);
    },
    open() {
      state.isOpen = true;
      onReady();
      // So far, the runs wait because the server is starting. Gives each of them the reason for which it waits now.
      setImmediate(() => {
        for (const run of waiting.all()) if (run.waiting === startingWords) updateWaiting(state, run, setWaiting);
      });
    },
    startNoRuns() {
      state.startsRuns = false;
    },
    close() {
      state.isClosed = true;
    },
  };
}

/** Gives the free slots to the next items, in order. */
function grantSlots(state: QueueState, grants: Grants): Claim[] {
  const { slots, order, waiting } = state;
  const claims: Claim[] = [];
  while (slots.free > 0) {
    const item = order.take((id) => isBlocked(state, id));
    if (!item) break;
    const grant = grants.get(item.id);
    grants.delete(item.id);
    grant?.(slots.hold());
    const run = waiting.get(item.id);
    if (!run) continue;
    waiting.remove(item.id);
    claims.push({ run, ...permit(state, groupOfRun(run), run) });
  }
  return claims;
}

/**
 * Updates the reason why the first run of each group waits. The other runs keep the reason that they got when they were
 * added.
 */
function updateHeads(state: QueueState, setWaiting: SetWaiting): void {
  let updated = 0;
  for (const { id } of state.order.heads()) {
    if (++updated > mostUpdated) return;
    const run = state.waiting.get(id);
    if (run) updateWaiting(state, run, setWaiting);
  }
}

function updateWaiting(state: QueueState, run: WaitingRun, setWaiting: SetWaiting): void {
  const waiting = whyWait(state, groupOfRun(run));
  if (waiting === null || waiting === run.waiting) return;
  run.waiting = waiting;
  setWaiting(run.id, waiting);
}

function toItem(run: Omit<WaitingRun, 'waiting'>): QueueItem {
  const { id, tenant, priority, createdAtMs } = run;
  return { id, tenant, priority, createdAtMs, isStarted: false, group: groupId(groupOfRun(run)) };
}

function stepItemId(runId: string, n: number): string {
  return `${runId} ${n}`;
}
