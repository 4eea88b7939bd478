// A server with slots and a simulated clock in front of the fair queue. Records what the queue held at every take.

import { type Arbitrary, array, boolean, constantFrom, integer, nat, record, tuple } from 'fast-check';
import { createFairQueue, type QueueItem } from '../../src/engine/queue/fair-queue.ts';

type Arrival = QueueItem & { readonly serviceMs: number };

export type Scene = {
  readonly slots: number;
  /** The most runs of one group at the same time. The group '' has no limit. */
  readonly groupLimit: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly arrivals: readonly Arrival[];
};

/** `open` has the items that waited, before the take, in a concurrency group that was not blocked. */
export type Take = { readonly item: QueueItem; readonly open: readonly QueueItem[] };

/** The state of the server when it could start nothing more at an instant. */
export type Rest = { readonly freeSlots: number; readonly open: readonly QueueItem[] };

export const tenants = ['ann', 'bob', 'cyd', 'dan'] as const;
const groups = ['', 'build', 'deploy', 'test'] as const;

export const anItem: Arbitrary<Omit<QueueItem, 'id'>> = record({
  tenant: constantFrom(...tenants),
  priority: integer({ min: -2, max: 2 }),
  isStarted: boolean(),
  createdAtMs: nat(200),
  group: constantFrom(...groups),
});

export const aScene: Arbitrary<Scene> = record({
  slots: integer({ min: 1, max: 4 }),
  groupLimit: integer({ min: 1, max: 3 }),
  weights: record({ ann: weight(), bob: weight(), cyd: weight(), dan: weight() }),
  arrivals: array(aBurst(), { maxLength: 16, size: 'max' }).map((bursts) => bursts.flat().map(withId)),
});

/** Many similar arrivals at once, so that a tenant is idle for a long time and then has much work. */
function aBurst(): Arbitrary<Omit<Arrival, 'id'>[]> {
  return tuple(anItem, integer({ min: 1, max: 20 }), integer({ min: 1, max: 20 })).map(([item, serviceMs, count]) =>
    Array.from({ length: count }, () => ({ ...item, serviceMs })),
  );
}

function withId(arrival: Omit<Arrival, 'id'>, index: number): Arrival {
  return { ...arrival, id: `run_${index}` };
}

function weight(): Arbitrary<number> {
  return constantFrom(1, 2, 3, 0.5);
}

/** Runs from the first arrival until nothing waits and nothing runs. */
export function serve({ slots, groupLimit, weights, arrivals }: Scene): { takes: Take[]; rests: Rest[]; left: number } {
  const queue = createFairQueue({ weightOf: (tenant) => weights[tenant] ?? 1 });
  const coming = arrivals.toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  const waiting = new Map<string, Arrival>();
  const running: { readonly group: string; readonly endsAtMs: number }[] = [];
  const takes: Take[] = [];
  const rests: Rest[] = [];

  const isBlocked = (group: string) => running.filter((one) => one.group === group).length >= groupLimit;
  const open = () => [...waiting.values()].filter(({ group }) => group === '' || !isBlocked(group));

  let atMs = 0;
  while (atMs !== Number.POSITIVE_INFINITY) {
    for (let index = running.length - 1; index >= 0; index -= 1) {
      if ((running[index]?.endsAtMs ?? 0) <= atMs) running.splice(index, 1);
    }
    while (coming[0] && coming[0].createdAtMs <= atMs) {
      const arrival = coming.shift();
      if (!arrival) break;
      waiting.set(arrival.id, arrival);
      queue.add(arrival);
    }
    while (running.length < slots) {
      const before = open();
      const item = queue.take(isBlocked);
      if (!item) break;
      const arrival = waiting.get(item.id);
      if (!arrival) throw new Error(`${item.id} was taken, but did not wait`);
      takes.push({ item, open: before });
      running.push({ group: item.group, endsAtMs: atMs + arrival.serviceMs });
      waiting.delete(item.id);
    }
    rests.push({ freeSlots: slots - running.length, open: open() });
    atMs = Math.min(...running.map(({ endsAtMs }) => endsAtMs), coming[0]?.createdAtMs ?? Number.POSITIVE_INFINITY);
  }
  return { takes, rests, left: queue.size };
}
