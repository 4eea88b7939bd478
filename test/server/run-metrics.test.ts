import { expect, test } from 'vitest';
import type { Check } from '../../src/engine/health.ts';
import { createHub } from '../../src/engine/hub.ts';
import { createRunMetrics } from '../../src/server/metrics/run-metrics.ts';

const queue = () => ({ depth: 0, running: 0, globalConcurrency: 4, jobConcurrency: null, maxDepth: null });

test('the metric of a stuck queue is 1 while the health check of the queue is degraded', () => {
  const check: { status: Check['status'] } = { status: 'ok' };
  const metrics = createRunMetrics({ hub: createHub(0), queue, health: () => ({ queue: check }) });
  const stuck = metrics.families.find(({ name }) => name === 'flwd_queue_stuck');
  const samples = () => (stuck?.kind === 'gauge' ? [...stuck.samples()] : []);
  expect(samples()).toEqual([{ labels: {}, value: 0 }]);
  check.status = 'degraded';
  expect(samples()).toEqual([{ labels: {}, value: 1 }]);
  check.status = 'ok';
  expect(samples()).toEqual([{ labels: {}, value: 0 }]);
  metrics.close();
});

test('all jobs after the first 1,000 share one series', () => {
  const hub = createHub(0);
  const metrics = createRunMetrics({ hub, queue, health: () => ({ queue: { status: 'ok' } }) });
  for (let n = 1; n <= 1_002; n += 1) {
    const about = { runId: `run_${n}`, jobId: `job/${n}`, tenant: 'default', count: 1, atMs: 0 } as const;
    hub.publish([{ type: 'run.finished', id: n, ...about, data: { status: 'success', reason: null } }]);
  }
  const finished = metrics.families.find(({ name }) => name === 'flwd_runs_finished_total');
  const samples = finished?.kind === 'counter' ? Array.from(finished.samples()) : [];
  expect(samples).toHaveLength(1_001);
  expect(samples.at(-2)).toEqual({ labels: { job_id: 'job/1000', status: 'success', reason: '' }, value: 1 });
  expect(samples.at(-1)).toEqual({ labels: { job_id: 'other', status: 'success', reason: '' }, value: 2 });
  metrics.close();
});
