// Runs with as many steps as a job may have: the cost of a step does not grow with their number.

import { StatementSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { dataFolder, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

type Shape = (count: number) => ReturnType<typeof steps>;

const idAt = (n: number): string => `s${n}`;
const stepAt = (n: number, needs: readonly string[]) => ({ ...script('nothing', { needs }), id: idAt(n) });
const job =
  (needsAt: (n: number) => string[]): Shape =>
  (count) =>
    steps({ steps: Array.from({ length: count }, (_, n) => stepAt(n, needsAt(n))) }, { nothing: 'true' });

const chain = job((n) => (n === 0 ? [] : [idAt(n - 1)]));
const fan = job(() => []);

/** Rows are read and written about once a step. Counting statements does not depend on the load of the machine. */
async function statementsOf(opened: Awaited<ReturnType<typeof openEngine>>, jobId: string, count: number) {
  const spies = (['run', 'all', 'get', 'iterate'] as const).map((name) => vi.spyOn(StatementSync.prototype, name));
  const cpuBefore = process.cpuUsage();
  try {
    const runId = await opened.create(jobId);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const unsubscribe = opened.engine.hub.onEvents((entries) => {
      if (entries.some(({ type, runId: of }) => type === 'run.finished' && of === runId)) resolve();
    });
    await ended;
    unsubscribe();
    const statements = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    const run = await opened.store.runs.get(runId);
    expect(run).toMatchObject({ status: 'success' });
    expect(run?.steps.filter(({ status }) => status === 'success')).toHaveLength(count);
    const { user, system } = process.cpuUsage(cpuBefore);
    return { statements, cpuMs: (user + system) / 1_000 };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test.each([
  ['a chain', chain],
  ['a fan', fan],
])('%s of 500 steps costs ten times what one of 50 does', { timeout: 120_000 }, async (_, shape) => {
  const jobs = { few: shape(50), many: shape(500) };
  const opened = await openEngine(dataFolder(), { jobs });
  // The first run of a process pays for what is prepared once.
  await statementsOf(opened, 'few', 50);
  const few = await statementsOf(opened, 'few', 50);
  const many = await statementsOf(opened, 'many', 500);
  expect(many.statements).toBeLessThan(12 * few.statements);
  // A loose bound, since other tests run at the same time: a quadratic cost would be a hundred times as high.
  expect(many.cpuMs).toBeLessThan(25 * few.cpuMs);
  expect(opened.engine.queue()).toMatchObject({ running: 0, depth: 0 });
});
