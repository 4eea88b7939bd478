import { describe, expect, test } from 'vitest';
import { quantile, stepTimes, type TimedAttempt, unionMs } from '../../src/domain/job-times.ts';

describe('the time of work', () => {
  const attempt = (startedAtMs: number, finishedAtMs: number, over: Partial<TimedAttempt> = {}): TimedAttempt => ({
    runId: 'run_1',
    stepId: 'a',
    instanceOf: null,
    kind: 'command',
    status: 'success',
    attempt: 1,
    startedAtMs,
    finishedAtMs,
    ...over,
  });

  test('counts once when attempts overlap, and leaves out the pauses between attempts', () => {
    expect(unionMs([attempt(10, 20), attempt(0, 5), attempt(12, 15), attempt(18, 30)])).toBe(25);
    expect(unionMs([])).toBe(0);
  });

  test('of a step with instances is that of the slowest one, and a retry replaces the failed attempt', () => {
    const instance = (stepId: string) => ({ stepId, instanceOf: 'test' });
    const times = stepTimes([
      attempt(0, 10, instance('test[1]')),
      attempt(0, 30, { ...instance('test[2]'), status: 'failed' }),
      attempt(40, 60, { ...instance('test[2]'), attempt: 2 }),
      attempt(0, 5, { stepId: 'lint', status: 'failed' }),
    ]);
    expect(
      times.map(({ step_id: id, slowest_instance: slowest, median_ms: ms, failed }) => [id, slowest, ms, failed]),
    ).toEqual([
      ['test', 'test[2]', 20, 0],
      ['lint', null, 5, 1],
    ]);
  });

  test('has quantiles', () => {
    const sorted = Array.from({ length: 100 }, (_, n) => n + 1);
    expect([quantile(sorted, 0.5), quantile(sorted, 0.95), quantile([7], 0.95), quantile([], 0.5)]).toEqual([
      50, 95, 7, 0,
    ]);
  });
});
