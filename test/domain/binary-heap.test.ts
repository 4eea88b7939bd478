import { array, assert, nat, property, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { createBinaryHeap } from '../../src/domain/binary-heap.ts';

type Value = { readonly rank: number };

test('a heap returns the first value, and the first value that passes a test, whatever was removed', () => {
  assert(
    property(array(tuple(nat(3), nat(1_000)), { maxLength: 200, size: 'max' }), nat(5), (actions, modulus) => {
      const heap = createBinaryHeap<Value>((a, b) => a.rank < b.rank);
      const held: Value[] = [];
      const passes = ({ rank }: Value) => rank % (modulus + 1) === modulus;
      for (const [kind, number] of actions) {
        const there = held[number % Math.max(1, held.length)];
        if (kind === 0 && there) {
          expect(heap.remove(there)).toBe(true);
          held.splice(held.indexOf(there), 1);
        } else {
          if (held.some(({ rank }) => rank === number)) continue;
          const value = { rank: number };
          held.push(value);
          heap.add(value);
        }
        const inOrder = held.toSorted((a, b) => a.rank - b.rank);
        expect(heap.size).toBe(held.length);
        expect(heap.first()).toBe(inOrder[0]);
        expect(heap.firstThat(passes)).toBe(inOrder.find(passes));
      }
    }),
    { numRuns: 300 },
  );
});

test('removing a value that is not in the heap returns false', () => {
  const heap = createBinaryHeap<Value>((a, b) => a.rank < b.rank);
  const value = { rank: 1 };
  heap.add(value);
  expect(heap.remove({ rank: 1 })).toBe(false);
  expect(heap.remove(value)).toBe(true);
  expect(heap.remove(value)).toBe(false);
});
