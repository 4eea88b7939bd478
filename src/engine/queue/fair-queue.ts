// What waits for a slot, in the order in which it is due: weighted fair queueing over tenants (start-time fair queueing),
// by priority and age inside each. Slots, limits and what a lane stands for are the caller's.

import { type BinaryHeap, createBinaryHeap } from '../../domain/binary-heap.ts';
import { invariant } from '../../domain/problem.ts';

export type QueueItem = {
  readonly id: string;
  readonly tenant: string;
  /** −100 to 100, higher first. Never across tenants. */
  readonly priority: number;
  /** Whether its run has started: a further step of it goes before runs that have not, at the same priority. */
  readonly isStarted: boolean;
  readonly createdAtMs: number;
  /** What may block it, such as its job and concurrency key; '' is never blocked. */
  readonly lane: string;
};

/** Must answer the same for a lane as long as one call lasts. */
type IsBlocked = (lane: string) => boolean;

export type FairQueue = {
  readonly size: number;
  readonly has: (id: string) => boolean;
  /** An id that waits already stays as it is, so what is found twice may be added twice. */
  readonly add: (item: QueueItem) => void;
  readonly remove: (id: string) => QueueItem | undefined;
  /** The next whose lane is not blocked, taken out; its tenant is charged. */
  readonly take: (isBlocked: IsBlocked) => QueueItem | undefined;
  /** What `take` would give, without taking or charging. */
  readonly peek: (isBlocked: IsBlocked) => QueueItem | undefined;
  /** The first of each lane of each tenant, as long as the queue is not changed meanwhile. */
  readonly heads: () => Iterable<QueueItem>;
};

type Lane = { readonly name: string; readonly items: BinaryHeap<QueueItem> };

type Tenant = {
  readonly lanes: Map<string, Lane>;
  readonly byHead: BinaryHeap<Lane>;
  /** In virtual time: when what it was given last is paid for. */
  paidAt: number;
};

type Choice = { readonly item: QueueItem; readonly tenant: Tenant; readonly turn: number };

/**
 * Adding, removing and taking are logarithmic in the items of a lane and in the lanes of a tenant; taking also looks once at
 * each tenant and at the blocked lanes that would come first.
 */
export function createFairQueue(o: { readonly weightOf: (tenant: string) => number }): FairQueue {
  const items = new Map<string, QueueItem>();
  const tenants = new Map<string, Tenant>();
  /** Virtual time: the turn of the one that was taken last. */
  let now = 0;

  function choose(isBlocked: IsBlocked): Choice | undefined {
    const isOpen = ({ name }: Lane) => name === '' || !isBlocked(name);
    let best: Choice | undefined;
    for (const tenant of tenants.values()) {
      // Whoever was idle or blocked is due now and not earlier: nobody saves up turns.
      const turn = Math.max(now, tenant.paidAt);
      if (best && turn > best.turn) continue;
      const item = tenant.byHead.firstThat(isOpen)?.items.first();
      if (item && (!best || turn < best.turn || isOlder(item, best.item))) best = { item, tenant, turn };
    }
    return best;
  }

  function drop(item: QueueItem): void {
    const tenant = tenants.get(item.tenant);
    const lane = tenant?.lanes.get(item.lane);
    invariant(tenant && lane, 'an item that waits has its place');
    items.delete(item.id);
    changeHead(tenant, lane, () => lane.items.remove(item));
  }

  /** An idle tenant that owes nothing is as good as a new one; when nothing waits, nobody owes anybody. */
  function forgetPaid(): void {
    for (const [name, { lanes, paidAt }] of tenants) {
      if (items.size === 0 || (lanes.size === 0 && paidAt <= now)) tenants.delete(name);
    }
  }

  return {
    get size() {
      return items.size;
    },
    has: (id) => items.has(id),
    add(item) {
      if (items.has(item.id)) return;
      items.set(item.id, item);
      const tenant = tenants.get(item.tenant) ?? createTenant();
      const lane = tenant.lanes.get(item.lane) ?? { name: item.lane, items: createBinaryHeap(goesBefore) };
      tenants.set(item.tenant, tenant);
      changeHead(tenant, lane, () => lane.items.add(item));
    },
    remove(id) {
      const item = items.get(id);
      if (item) drop(item);
      return item;
    },
    take(isBlocked) {
      const choice = choose(isBlocked);
      if (!choice) return undefined;
      const { item, tenant, turn } = choice;
      const cost = 1 / o.weightOf(item.tenant);
      invariant(cost > 0 && Number.isFinite(cost), 'a weight is a number above 0');
      now = turn;
      tenant.paidAt = turn + cost;
      drop(item);
      forgetPaid();
      return item;
    },
    peek: (isBlocked) => choose(isBlocked)?.item,
    *heads() {
      for (const { lanes } of tenants.values()) for (const lane of lanes.values()) yield headOf(lane);
    },
  };
}

function createTenant(): Tenant {
  return { lanes: new Map(), byHead: createBinaryHeap((a, b) => goesBefore(headOf(a), headOf(b))), paidAt: 0 };
}

/** A lane stands among its tenant's by its head, so it steps aside while that may change. */
function changeHead(tenant: Tenant, lane: Lane, change: () => void): void {
  tenant.byHead.remove(lane);
  change();
  if (lane.items.size > 0) {
    tenant.lanes.set(lane.name, lane);
    tenant.byHead.add(lane);
  } else {
    tenant.lanes.delete(lane.name);
  }
}

function headOf({ items }: Lane): QueueItem {
  const head = items.first();
  invariant(head, 'a lane that is kept has an item');
  return head;
}

function goesBefore(a: QueueItem, b: QueueItem): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.isStarted !== b.isStarted) return a.isStarted;
  return isOlder(a, b);
}

function isOlder(a: QueueItem, b: QueueItem): boolean {
  return a.createdAtMs < b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id < b.id);
}
