import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkGraph, createPrecedence, inGraphOrder } from '../../src/catalog/job/step-graph.ts';

type Step = { readonly id: string; readonly needs: readonly string[] };

/** Any graph of up to 12 steps, with and without cycles. */
const graphs = fc
  .array(fc.uniqueArray(fc.nat(11), { maxLength: 4 }), { minLength: 1, maxLength: 12 })
  .map((edges): Step[] =>
    edges.map((needs, at) => ({
      id: `s${at}`,
      needs: needs.filter((need) => need < edges.length).map((need) => `s${need}`),
    })),
  );

/** The plain definition: whether there is a path along needs. */
function reaches(steps: readonly Step[], from: string, to: string, seen = new Set<string>()): boolean {
  const needs = steps.find(({ id }) => id === from)?.needs ?? [];
  return needs.some((need) => {
    if (need === to) return true;
    if (seen.has(need)) return false;
    return reaches(steps, need, to, seen.add(need));
  });
}

test('a cycle is an error exactly when a step needs itself, directly or through others', () => {
  fc.assert(
    fc.property(graphs, (steps) => {
      const errors = checkGraph(steps);
      expect(errors.length).toBe(steps.some(({ id }) => reaches(steps, id, id)) ? 1 : 0);
      const circle = errors[0]?.message.split(': ')[1]?.split(' → ') ?? [];
      for (const [at, id] of circle.slice(1).entries()) {
        if (id === '…' || circle[at] === '…') continue;
        expect(steps.find((step) => step.id === circle[at])?.needs).toContain(id);
      }
    }),
  );
});

test('a step precedes another exactly when the other needs it, directly or through others', () => {
  const withoutCircles = graphs.map((steps) =>
    steps.map((step, at) => ({ ...step, needs: step.needs.filter((need) => Number(need.slice(1)) < at) })),
  );
  fc.assert(
    fc.property(withoutCircles, (steps) => {
      const precedes = createPrecedence(steps);
      for (const { id } of steps) {
        for (const { id: other } of steps) expect(precedes(other, id)).toBe(reaches(steps, id, other));
      }
    }),
  );
});

test('the graph’s order puts each step after the steps it needs, and otherwise keeps the file’s order', () => {
  const idsOf = (steps: readonly Step[]) => inGraphOrder(steps).map(({ id }) => id);
  expect(
    idsOf([
      { id: 'deploy', needs: ['test', 'build'] },
      { id: 'notify', needs: [] },
      { id: 'test', needs: ['build'] },
      { id: 'build', needs: [] },
      { id: 'sweep', needs: [] },
    ]),
  ).toEqual(['notify', 'build', 'test', 'deploy', 'sweep']);
  const withoutCircles = graphs.filter((steps) => checkGraph(steps).length === 0);
  fc.assert(
    fc.property(withoutCircles, (steps) => {
      const order = idsOf(steps);
      expect(order.toSorted()).toEqual(steps.map(({ id }) => id).toSorted());
      for (const { id, needs } of steps)
        for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id));
    }),
  );
});
