// What waits for a slot, in the order in which it is due: weighted fair queueing over tenants (start-time fair queueing),
// by priority and age inside each. Slots, limits and what a concurrency group stands for are the caller's.

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
  readonly group: string;
};

/** Must answer the same for a concurrency group as long as one call lasts. */
type IsBlocked = (group: string) => boolean;

export type FairQueue = {
  readonly size: number;
  readonly has: (id: string) => boolean;
  /** An id that waits already stays as it is, so what is found twice may be added twice. */
  readonly add: (item: QueueItem) => void;
  readonly remove: (id: string) => QueueItem | undefined;
  /** The next whose group is not blocked, taken out; its tenant is charged. */
  readonly take: (isBlocked: IsBlocked) => QueueItem | undefined;
  /** What `take` would give, without taking or charging. */
  readonly peek: (isBlocked: IsBlocked) => QueueItem | undefined;
  /** The first of each group of each tenant, as long as the queue is not changed meanwhile. */
  readonly heads: () => Iterable<QueueItem>;
};

type GroupQueue = { readonly name: string; readonly items: BinaryHeap<QueueItem> };

type Tenant = {
  readonly queues: Map<string, GroupQueue>;
  readonly byHead: BinaryHeap<GroupQueue>;
  /** In virtual time: when what it was given last is paid for. */
  paidAt: number;
};

type Choice = { readonly item: QueueItem; readonly tenant: Tenant; readonly startTag: number };

/**
 * Adding, removing and taking are logarithmic in the items of a concurrency group and in the groups of a tenant; taking
 * also looks once at each tenant and at the blocked groups that would come first.
 */
export function createFairQueue(o: { readonly weightOf: (tenant: string) => number }): FairQueue {
  const items = new Map<string, QueueItem>();
  const tenants = new Map<string, Tenant>();
  /** Virtual time: the turn of the one that was taken last. */
  let now = 0;

  function choose(isBlocked: IsBlocked): Choice | undefined {
    const isOpen = ({ name }: GroupQueue) => name === '' || !isBlocked(name);
    let best: Choice | undefined;
    for (const tenant of tenants.values()) {
      // Whoever was idle or blocked is due now and not earlier: nobody saves up turns.
      const startTag = Math.max(now, tenant.paidAt);
      if (best && startTag > best.startTag) continue;
      const item = tenant.byHead.firstThat(isOpen)?.items.first();
      if (item && (!best || startTag < best.startTag || isOlder(item, best.item))) best = { item, tenant, startTag };
    }
    return best;
  }

  function drop(item: QueueItem): void {
    const tenant = tenants.get(item.tenant);
    const queue = tenant?.queues.get(item.group);
    invariant(tenant && queue, 'an item that waits has its place');
    items.delete(item.id);
    changeHead(tenant, queue, () => queue.items.remove(item));
  }

  /** An idle tenant that owes nothing is as good as a new one; when nothing waits, nobody owes anybody. */
  function forgetPaid(): void {
    for (const [name, { queues, paidAt }] of tenants) {
      if (items.size === 0 || (queues.size === 0 && paidAt <= now)) tenants.delete(name);
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
      const queue = tenant.queues.get(item.group) ?? { name: item.group, items: createBinaryHeap(goesBefore) };
      tenants.set(item.tenant, tenant);
      changeHead(tenant, queue, () => queue.items.add(item));
    },
    remove(id) {
      const item = items.get(id);
      if (item) drop(item);
      return item;
    },
    take(isBlocked) {
      const choice = choose(isBlocked);
      if (!choice) return undefined;
      const { item, tenant, startTag } = choice;
      const cost = 1 / o.weightOf(item.tenant);
      invariant(cost > 0 && Number.isFinite(cost), 'a weight is a number above 0');
      now = startTag;
      tenant.paidAt = startTag + cost;
      drop(item);
      forgetPaid();
      return item;
    },
    peek: (isBlocked) => choose(isBlocked)?.item,
    *heads() {
      for (const { queues } of tenants.values()) for (const queue of queues.values()) yield headOf(queue);
    },
  };
}

function createTenant(): Tenant {
  return { queues: new Map(), byHead: createBinaryHeap((a, b) => goesBefore(headOf(a), headOf(b))), paidAt: 0 };
}

/** A concurrency group stands among its tenant's by its head, so it steps aside while that may change. */
function changeHead(tenant: Tenant, queue: GroupQueue, change: () => void): void {
  tenant.byHead.remove(queue);
  change();
  if (queue.items.size > 0) {
    tenant.queues.set(queue.name, queue);
    tenant.byHead.add(queue);
  } else {
    tenant.queues.delete(queue.name);
  }
}

function headOf({ items }: GroupQueue): QueueItem {
  const head = items.first();
  invariant(head, 'a group that is kept has an item');
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
