import { type Arbitrary, array, assert, integer, nat, oneof, property, record, subarray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFairQueue, type FairQueue, type QueueItem } from '../../src/engine/queue/fair-queue.ts';
import { anItem, aScene, serve, type Take, tenants } from './simulated-server.ts';

const free = () => false;
const even = () => createFairQueue({ weightOf: () => 1 });

describe('a server that takes items from the queue', () => {
  test('starts every item that arrives, once', () => {
    assert(
      property(aScene, (scene) => {
        const { takes, left } = serve(scene);
        expect(takes.map(({ item }) => item.id).toSorted()).toEqual(scene.arrivals.map(({ id }) => id).toSorted());
        expect(left).toBe(0);
      }),
    );
  });

  test('leaves no slot free while an item waits in a concurrency group that is not blocked', () => {
    assert(
      property(aScene, (scene) => {
        for (const { freeSlots, open } of serve(scene).rests) expect(freeSlots === 0 || open.length === 0).toBe(true);
      }),
    );
  });

  test('gives two tenants that both have waiting items their shares, to within one item of each', () => {
    assert(
      property(aScene, ({ weights, ...scene }) => {
        const { takes } = serve({ weights, ...scene });
        for (const a of tenants) {
          for (const b of tenants.filter((tenant) => tenant > a)) {
            const [costOfA, costOfB] = [1 / (weights[a] ?? 1), 1 / (weights[b] ?? 1)];
            for (const stretch of stretchesOf(takes, a, b)) {
              expect(mostApart(stretch, { [a]: costOfA, [b]: -costOfB })).toBeLessThan(costOfA + costOfB + 1e-9);
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('takes the items of one tenant by priority, then steps of started runs, then by age, then by id', () => {
    assert(
      property(aScene, (scene) => {
        for (const { item, open } of serve(scene).takes) {
          const own = open.filter(({ tenant }) => tenant === item.tenant);
          expect(item.id).toBe(own.toSorted(byRank)[0]?.id);
        }
      }),
    );
  });
});

describe('a tenant', () => {
  const crowd = tenants.map((tenant) => ({ tenant, count: 40 }));

  test('that adds one item is served within one round, whatever the others have queued and received', () => {
    assert(
      property(nat(50), integer({ min: -100, max: 100 }), (takenBefore, priority) => {
        const queue = filled(even(), crowd, { priority: 100 });
        takeMany(queue, takenBefore);
        queue.add(item({ id: 'late', tenant: 'eve', createdAtMs: 9_999, priority }));
        // There are four others, and at most one item of each goes first.
        expect(takeMany(queue, 5)).toContain('late');
      }),
    );
  });

  test('that adds an item only after its last one was taken waits for two rounds at most', () => {
    const queue = filled(even(), crowd);
    for (let round = 0; round < 10; round += 1) {
      queue.add(item({ id: `eve_${round}`, tenant: 'eve', createdAtMs: 9_000 + round }));
      const given: string[] = [];
      while (given.at(-1) !== `eve_${round}` && given.length < 10) given.push(...takeMany(queue, 1));
      expect(given.length).toBeLessThanOrEqual(9);
      expect(given.length).toBeGreaterThanOrEqual(round === 0 ? 1 : 5);
    }
  });

  test.each([
    ['idle', false],
    ['blocked', true],
  ])('that was %s for long does not get many items in a row afterwards, and the others lose nothing', (_, isThere) => {
    assert(
      property(integer({ min: 1, max: 100 }), integer({ min: 1, max: 25 }), (before, rounds) => {
        const queue = filled(even(), [{ tenant: 'ann', count: 200 }]);
        if (isThere) filled(queue, [{ tenant: 'bob', count: 60 }], { group: 'deploy' });
        for (let taken = 0; taken < before; taken += 1) queue.take((group) => group === 'deploy');
        if (!isThere) filled(queue, [{ tenant: 'bob', count: 60 }], { group: 'deploy' });
        const ofBob = takeMany(queue, 2 * rounds).filter((id) => id.startsWith('bob')).length;
        expect(Math.abs(ofBob - rounds)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('has no debt once the queue has been empty, however expensive its last item was', () => {
    const queue = createFairQueue({ weightOf: (tenant) => (tenant === 'ann' ? 0.01 : 1) });
    filled(queue, [{ tenant: 'ann', count: 2 }]);
    takeMany(queue, 2);
    filled(queue, [
      { tenant: 'ann', count: 1 },
      { tenant: 'bob', count: 5 },
    ]);
    expect(takeMany(queue, 1)).toEqual(['ann_0']);
  });

  test('of three times the weight of another is served three times as often', () => {
    const queue = createFairQueue({ weightOf: (tenant) => (tenant === 'ann' ? 3 : 1) });
    filled(queue, [
      { tenant: 'ann', count: 80 },
      { tenant: 'bob', count: 80 },
    ]);
    expect(takeMany(queue, 80).filter((id) => id.startsWith('ann'))).toHaveLength(60);
  });

  test('whose item is older goes first when two tenants are due at once', () => {
    const queue = even();
    queue.add(item({ id: 'newer', tenant: 'ann', createdAtMs: 2, priority: 100 }));
    queue.add(item({ id: 'older', tenant: 'bob', createdAtMs: 1 }));
    expect(takeMany(queue, 2)).toEqual(['older', 'newer']);
  });

  test('with a weight of 0 or less causes an error, but loses no item', () => {
    const queue = filled(createFairQueue({ weightOf: () => 0 }), [{ tenant: 'ann', count: 1 }]);
    expect(() => queue.take(free)).toThrow('a weight is a number above 0');
    expect(queue.has('ann_0')).toBe(true);
  });
});

describe('the queue', () => {
  type Action = (queue: FairQueue, waiting: Map<string, QueueItem>) => void;
  const blockedGroups = subarray(['', 'build', 'deploy', 'test']);
  const anId = nat(25).map((number) => `run_${number}`);

  const adding: Arbitrary<Action> = record({ id: anId, rest: anItem }).map(({ id, rest }) => (queue, waiting) => {
    queue.add({ ...rest, id });
    if (!waiting.has(id)) waiting.set(id, { ...rest, id });
  });
  const removing: Arbitrary<Action> = anId.map((id) => (queue, waiting) => {
    expect(queue.remove(id)).toEqual(waiting.get(id));
    waiting.delete(id);
  });
  const taking: Arbitrary<Action> = blockedGroups.map((blocked) => (queue, waiting) => {
    const isBlocked = (group: string) => blocked.includes(group);
    const open = [...waiting.values()].filter(({ group }) => group === '' || !isBlocked(group));
    const seen = [queue.peek(isBlocked), queue.peek(isBlocked), queue.take(isBlocked)];
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toEqual(open.filter(({ tenant }) => tenant === seen[0]?.tenant).toSorted(byRank)[0]);
    expect(seen[0] === undefined).toBe(open.length === 0);
    waiting.delete(seen[0]?.id ?? '');
  });

  test('holds what was added and neither taken nor removed, and knows the first item of each tenant’s groups', () => {
    assert(
      property(
        array(oneof({ weight: 3, arbitrary: adding }, removing, taking), { maxLength: 150, size: 'max' }),
        (actions) => {
          const queue = createFairQueue({ weightOf: (tenant) => tenant.charCodeAt(0) % 3 || 0.5 });
          const waiting = new Map<string, QueueItem>();
          for (const act of actions) {
            act(queue, waiting);
            expect(queue.size).toBe(waiting.size);
            for (const id of ['run_0', 'run_7']) expect(queue.has(id)).toBe(waiting.has(id));
            const ofGroups = Map.groupBy(waiting.values(), ({ tenant, group }) => `${tenant} ${group}`);
            const firsts = [...ofGroups.values()].flatMap((group) =>
              group
                .toSorted(byRank)
                .slice(0, 1)
                .map(({ id }) => id),
            );
            expect([...queue.heads()].map(({ id }) => id).toSorted()).toEqual(firsts.toSorted());
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('passes over a blocked group, even if every older and more urgent item waits in it', () => {
    const queue = filled(even(), [{ tenant: 'ann', count: 50 }], { group: 'deploy', priority: 100 });
    queue.add(item({ id: 'other', tenant: 'ann', createdAtMs: 9_999, group: 'build' }));
    queue.add(item({ id: 'unlimited', tenant: 'ann', createdAtMs: 9_999, priority: -1 }));
    expect(queue.take((group) => group !== 'build')?.id).toBe('other');
    expect(queue.take(() => true)?.id).toBe('unlimited');
    expect(queue.take(() => true)).toBeUndefined();
  });

  test('asks about one group per take when no group is blocked, and about each group once when all are', () => {
    const queue = even();
    for (let group = 0; group < 1_000; group += 1) {
      filled(queue, [{ tenant: 'ann', count: 3 }], { group: `lane_${group}`, createdAtMs: group }, `_${group}`);
    }
    let asked = 0;
    const answering = (isBlocked: boolean) => () => {
      asked += 1;
      return isBlocked;
    };
    expect(queue.take(answering(true))).toBeUndefined();
    expect(asked).toBe(1_000);
    asked = 0;
    for (let taken = 0; taken < 3_000; taken += 1) queue.take(answering(false));
    expect(queue.size).toBe(0);
    expect(asked).toBe(3_000);
  });
});

function item(known: Partial<QueueItem> & Pick<QueueItem, 'id' | 'tenant'>): QueueItem {
  return { priority: 0, isStarted: false, createdAtMs: 0, group: '', ...known };
}

function filled(
  queue: FairQueue,
  counts: readonly { tenant: string; count: number }[],
  known: Partial<QueueItem> = {},
  suffix = '',
): FairQueue {
  for (const { tenant, count } of counts) {
    for (let n = 0; n < count; n += 1) {
      queue.add(item({ createdAtMs: n, ...known, id: `${tenant}_${n}${suffix}`, tenant }));
    }
  }
  return queue;
}

function takeMany(queue: FairQueue, count: number): string[] {
  return Array.from({ length: count }, () => queue.take(free)?.id ?? 'nothing');
}

function byRank(a: QueueItem, b: QueueItem): number {
  return (
    b.priority - a.priority ||
    Number(b.isStarted) - Number(a.isStarted) ||
    a.createdAtMs - b.createdAtMs ||
    (a.id < b.id ? -1 : 1)
  );
}

/**
 * Stretches of consecutive takes. Before each take, both tenants had an item in a concurrency group that was not
 * blocked.
 */
function stretchesOf(takes: readonly Take[], a: string, b: string): Take[][] {
  const stretches: Take[][] = [[]];
  for (const take of takes) {
    const isBoth = [a, b].every((tenant) => take.open.some((one) => one.tenant === tenant));
    if (isBoth) stretches.at(-1)?.push(take);
    else stretches.push([]);
  }
  return stretches;
}

/** The greatest change in the difference between the two tenants' charges, over every part of the stretch. */
function mostApart(stretch: readonly Take[], charges: Readonly<Record<string, number>>): number {
  let [sum, lowest, highest] = [0, 0, 0];
  for (const {
    item: { tenant },
  } of stretch) {
    sum += charges[tenant] ?? 0;
    lowest = Math.min(lowest, sum);
    highest = Math.max(highest, sum);
  }
  return highest - lowest;
}
