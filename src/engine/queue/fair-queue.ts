// Orders what waits for a slot: weighted fair queueing between tenants (start-time fair queueing), then priority and
// age within each tenant. The caller manages slots, limits and the meaning of concurrency groups.

import { type BinaryHeap, createBinaryHeap } from '../../domain/binary-heap.ts';
import { invariant } from '../../domain/problem.ts';

export type QueueItem = {
  readonly id: string;
  readonly tenant: string;
  /** From −100 to 100, higher first. Priorities of different tenants are not compared. */
  readonly priority: number;
  /** Whether the run has started. At the same priority, its further steps come before runs that have not started. */
  readonly isStarted: boolean;
  readonly createdAtMs: number;
  /** The group that may be blocked, such as a job with a concurrency key. '' is never blocked. */
  readonly group: string;
};

/** Must give the same answer for a group throughout one call. */
type IsBlocked = (group: string) => boolean;

export type FairQueue = ReturnType<typeof createFairQueue>;

type GroupQueue = { readonly name: string; readonly items: BinaryHeap<QueueItem> };

type Tenant = {
  readonly queues: Map<string, GroupQueue>;
  readonly byHead: BinaryHeap<GroupQueue>;
  /** The finish tag of the last item that the tenant took: the item's start tag plus its cost. */
  paidAt: number;
};

type Choice = { readonly item: QueueItem; readonly tenant: Tenant; readonly startTag: number };

/**
 * Adding, removing and taking are logarithmic in the items of a group and in the groups of a tenant. Taking also looks
 * once at each tenant, and at the blocked groups that would come first.
 */
export function createFairQueue(o: { readonly weightOf: (tenant: string) => number }) {
  const items = new Map<string, QueueItem>();
  const tenants = new Map<string, Tenant>();
  /** The virtual time of the last item taken. */
  let now = 0;

  function choose(isBlocked: IsBlocked): Choice | undefined {
    const isOpen = ({ name }: GroupQueue) => name === '' || !isBlocked(name);
    let best: Choice | undefined;
    for (const tenant of tenants.values()) {
      // A tenant that was idle or blocked is due now, not earlier: nobody saves up turns.
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

  /**
   * Forgets tenants that are idle and owe nothing, because they are like new tenants. When nothing waits, all tenants
   * are forgotten.
   */
  function forgetPaid(): void {
    for (const [name, { queues, paidAt }] of tenants) {
      if (items.size === 0 || (queues.size === 0 && paidAt <= now)) tenants.delete(name);
    }
  }

  return {
    get size() {
      return items.size;
    },
    has: (id: string): boolean => items.has(id),
    /** Does nothing if an item with this id already waits. */
    add(item: QueueItem): void {
      if (items.has(item.id)) return;
      items.set(item.id, item);
      const tenant = tenants.get(item.tenant) ?? createTenant();
      const queue = tenant.queues.get(item.group) ?? { name: item.group, items: createBinaryHeap(goesBefore) };
      tenants.set(item.tenant, tenant);
      changeHead(tenant, queue, () => queue.items.add(item));
    },
    remove(id: string): QueueItem | undefined {
      const item = items.get(id);
      if (item) drop(item);
      return item;
    },
    /** Takes the next item whose group is not blocked, and charges its tenant. */
    take(isBlocked: IsBlocked): QueueItem | undefined {
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
    /** What `take` would return, without taking or charging. */
    peek: (isBlocked: IsBlocked): QueueItem | undefined => choose(isBlocked)?.item,
    /** The first item of each group of each tenant. Do not change the queue while iterating. */
    *heads(): Generator<QueueItem> {
      for (const { queues } of tenants.values()) for (const queue of queues.values()) yield headOf(queue);
    },
  };
}

function createTenant(): Tenant {
  return { queues: new Map(), byHead: createBinaryHeap((a, b) => goesBefore(headOf(a), headOf(b))), paidAt: 0 };
}

/**
 * The groups of a tenant are sorted by their heads. So a group is removed before its head may change, and added again
 * afterwards.
 */
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
