// Runs with as many steps as a job may have: the cost of a step does not grow with their number.

import { StatementSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { dataFolder, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

const idAt = (n: number): string => `s${n}`;
const stepAt = (n: number, needs: readonly string[]) => ({ ...script('nothing', { needs }), id: idAt(n) });
/** Half of the steps wait for each other in a chain. The others can all start at once. */
const jobOf = (count: number) =>
  steps(
    { steps: Array.from({ length: count }, (_, n) => stepAt(n, n > 0 && n < count / 2 ? [idAt(n - 1)] : [])) },
    { nothing: 'true' },
  );

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

test('a run of 500 steps costs ten times as much as a run of 50', async () => {
  const jobs = { few: jobOf(50), many: jobOf(500) };
  const opened = await openEngine(dataFolder(), { jobs });
  // The first run of a process pays for what is prepared once.
  await statementsOf(opened, 'few', 50);
  const few = await statementsOf(opened, 'few', 50);
  const many = await statementsOf(opened, 'many', 500);
  expect(many.statements).toBeLessThan(12 * few.statements);
  // A loose bound, because other tests run at the same time. A quadratic cost would be a hundred times as high.
  expect(many.cpuMs).toBeLessThan(25 * few.cpuMs);
  expect(opened.engine.queue()).toMatchObject({ running: 0, depth: 0 });
});
