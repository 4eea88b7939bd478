// In a file of its own, because V8 counts blocks only in functions that it compiles while it counts.

import { Session } from 'node:inspector/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStepGraph, type GraphStep } from '../../src/domain/step-graph.ts';

const session = new Session();

beforeAll(async () => {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
});

afterAll(() => {
  session.disconnect();
});

test.each<[string, (at: number, last: number) => number[]]>([
  ['in a row', (at) => (at === 0 ? [] : [at - 1])],
  ['side by side', () => []],
  ['after one, and before one', (at, last) => (at === 0 ? [] : at < last ? [0] : upTo(last))],
])('500 steps %s cost ten times as much as 50, because the cost grows with the number of edges', async (_, needsOf) => {
  const stepsOf = (count: number) => upTo(count).map((at) => aStep(at, needsOf(at, count - 1)));
  const small = await executionsOf(() => runAll(stepsOf(50)));
  const large = await executionsOf(() => runAll(stepsOf(500)));
  expect(small).toBeGreaterThan(500);
  expect(large / small).toBeLessThan(10.5);
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function aStep(at: number, needs: readonly number[]): GraphStep {
  return { id: `step_${at}`, needs: needs.map((need) => `step_${need}`), continueOnError: false, always: false };
}

function runAll(steps: readonly GraphStep[]): void {
  const graph = createStepGraph(steps);
  for (let ready = graph.takeReady(); ready.length > 0 && !graph.isOver; ready = graph.takeReady()) {
    for (const { index } of ready) graph.end(index, 'success');
  }
}

/** How often functions and blocks of the graph's file are executed during the work. */
async function executionsOf(work: () => void): Promise<number> {
  await session.post('Profiler.takePreciseCoverage');
  work();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return result
    .filter(({ url }) => url.endsWith('/src/domain/step-graph.ts'))
    .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
    .reduce((sum, { count }) => sum + count, 0);
}
