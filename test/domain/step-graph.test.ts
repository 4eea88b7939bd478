import { assert, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createStepGraph, type GraphStep, type StepEnd } from '../../src/domain/step-graph.ts';
import { aCancelledScene, aScene, type Scene, type Seen, type SimulatedStep, simulate } from './simulated-run.ts';

const manyRuns = { numRuns: 500 };

describe('the steps of a run', () => {
  test('each end once, as their needs, conditions and processes decide', () => {
    assert(
      property(aScene, (scene) => {
        const { graph, seen } = simulate(scene);
        const expected = expectedEnds(scene.steps);
        expect(endsOf(seen)).toHaveLength(scene.steps.length);
        expect(new Map(endsOf(seen).map(({ index, how }) => [scene.steps[index]?.id, how]))).toEqual(expected);
        expect(scene.steps.map((_, index) => graph.endOf(index))).toEqual(
          scene.steps.map(({ id }) => expected.get(id)),
        );
        expect(graph.isOver).toBe(true);
      }),
      manyRuns,
    );
  });

  test('start as soon as the last of their needs has ended', () => {
    assert(
      property(aScene, (scene) => {
        const { seen } = simulate(scene);
        const told = seen.filter(({ kind }) => kind === 'told').map(({ index }) => index);
        expect(told.toSorted((a, b) => a - b)).toEqual(scene.steps.map((_, index) => index));
        for (const index of told) {
          const needed = needsOf(scene, index).map((need) => endsOf(seen).find((end) => end.index === need));
          const at = seen.findIndex((one) => one.kind === 'told' && one.index === index);
          for (const end of needed) expect(end && seen.indexOf(end)).toBeLessThan(at);
          expect(seen[at]?.atMs).toBe(Math.max(0, ...needed.map((end) => end?.atMs ?? Number.NaN)));
        }
      }),
      manyRuns,
    );
  });

  test('fail the run if one without continue_on_error fails, and the first such step is named', () => {
    assert(
      property(aScene, (scene) => {
        const { graph, seen } = simulate(scene);
        const first = endsOf(seen).find(({ index, how }) => how === 'failed' && !scene.steps[index]?.continueOnError);
        expect(graph.failedIndex).toBe(first?.index);
        const isFailed = scene.steps.some(
          ({ id, continueOnError }) => !continueOnError && expectedEnds(scene.steps).get(id) === 'failed',
        );
        expect(graph.failedIndex !== undefined).toBe(isFailed);
      }),
      manyRuns,
    );
  });

  test('use at most as many processes as there are slots, and leave no process behind', () => {
    assert(
      property(aScene, (scene) => {
        const counts = simulate(scene).seen.flatMap((one) => ('running' in one ? [one.running] : []));
        expect(Math.max(0, ...counts)).toBeLessThanOrEqual(scene.slots);
        expect(counts.at(-1) ?? 0).toBe(0);
      }),
      manyRuns,
    );
  });

  test('all end when the run is cancelled, and none of them starts afterwards', () => {
    assert(
      property(aCancelledScene, (scene) => {
        const { graph, seen } = simulate(scene);
        const expected = expectedEnds(scene.steps);
        expect(graph.isOver).toBe(true);
        expect(endsOf(seen)).toHaveLength(scene.steps.length);
        for (const one of seen) {
          const isAfter = one.atMs >= (scene.cancelAtMs ?? 0);
          if (one.kind === 'started') expect(isAfter).toBe(false);
          if (one.kind !== 'ended') continue;
          if (!isAfter) expect(one.how).toBe(expected.get(scene.steps[one.index]?.id ?? ''));
        }
      }),
      manyRuns,
    );
  });
});

describe('the graph of steps', () => {
  const step = (id: string, needs: string[] = [], more: Partial<GraphStep> = {}): GraphStep => ({
    id,
    needs,
    continueOnError: false,
    always: false,
    ...more,
  });

  test.each<[StepEnd, Partial<GraphStep>, boolean]>([
    ['success', {}, false],
    ['condition', {}, false],
    ['failed', {}, true],
    ['failed', { continueOnError: true }, false],
    ['upstream_failed', {}, true],
    ['upstream_failed', { continueOnError: true }, true],
    ['cancelled', {}, true],
    ['cancelled', { continueOnError: true }, true],
  ])('after a step that ended as %s, with %o, skips the next: %s', (how, more, skip) => {
    const graph = createStepGraph([
      step('after', ['before']),
      step('cleanup', ['before'], { always: true }),
      step('before', [], more),
    ]);
    expect(graph.takeReady()).toEqual([{ index: 2, skip: false }]);
    expect(graph.takeReady()).toEqual([]);
    graph.end(2, how);
    expect(graph.takeReady()).toEqual([
      { index: 0, skip },
      { index: 1, skip: false },
    ]);
    expect(graph.failedIndex).toBe(how === 'failed' && skip ? 2 : undefined);
  });

  test('does not report a step that ended before it was ready, and ends no step twice', () => {
    const graph = createStepGraph([step('build'), step('deploy', ['build'])]);
    graph.end(1, 'cancelled');
    graph.takeReady();
    graph.end(0, 'success');
    expect(graph.takeReady()).toEqual([]);
    expect(graph.isOver).toBe(true);
    expect(() => graph.end(0, 'success')).toThrow('a step ends once');
  });

  test('is over at once if it has no steps', () => {
    expect(createStepGraph([]).isOver).toBe(true);
  });
});

function endsOf(seen: readonly Seen[]) {
  return seen.flatMap((one) => (one.kind === 'ended' ? [one] : []));
}

function needsOf({ steps }: Scene, index: number): number[] {
  return (steps[index]?.needs ?? []).map((need) => steps.findIndex(({ id }) => id === need));
}

/**
 * Computes how each step must end from the rules alone: from each step back to its needs, without an order or a clock.
 */
function expectedEnds(steps: readonly SimulatedStep[]): Map<string, StepEnd> {
  const ends = new Map<string, StepEnd>();
  const endOf = (id: string): StepEnd => {
    const step = steps.find((one) => one.id === id);
    if (!step) throw new Error(`there is no step ${id}`);
    const known = ends.get(id);
    if (known) return known;
    const stopped = step.needs.filter((need) => {
      const isForgiven = steps.find((one) => one.id === need)?.continueOnError;
      return endOf(need) === 'upstream_failed' || (endOf(need) === 'failed' && !isForgiven);
    });
    const hasFailed = step.instances.some(({ failures }) => failures > step.retries);
    const how =
      stopped.length > 0 && !step.always
        ? 'upstream_failed'
        : !step.condition
          ? 'condition'
          : hasFailed
            ? 'failed'
            : 'success';
    ends.set(id, how);
    return how;
  };
  for (const { id } of steps) endOf(id);
  return ends;
}
