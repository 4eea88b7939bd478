// `/metrics` of a real server after real runs, read by a small parser of Prometheus's text format.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

type Metric = { readonly type: string; readonly help: string; readonly samples: Readonly<Record<string, number>> };

const server = await startServing({
  executes: true,
  jobs: { 'backup/daily': bash('exit 0'), 'backup/broken': bash('exit 3') },
});
afterAll(() => server.close());

async function scrape(): Promise<ReadonlyMap<string, Metric>> {
  const response = await server.fetch('//metrics');
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  return parse(await response.text());
}

/** Groups samples by the name of their family. The key of a sample is what follows the name, up to the value. */
function parse(text: string): ReadonlyMap<string, Metric> {
  const metrics = new Map<string, { type: string; help: string; samples: Record<string, number> }>();
  let current: { type: string; help: string; samples: Record<string, number> } = { type: '', help: '', samples: {} };
  for (const line of text.split('\n').filter(Boolean)) {
    const comment = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line);
    if (comment) {
      const [, what, name = '', rest = ''] = comment;
      current = metrics.get(name) ?? { type: '', help: '', samples: {} };
      metrics.set(name, current);
      if (what === 'HELP') current.help = rest;
      else current.type = rest;
      continue;
    }
    const sample = /^(\w+(?:\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    const name = [...metrics.keys()].at(-1) ?? '';
    expect(line.startsWith(name), line).toBe(true);
    current.samples[(sample?.[1] ?? '').slice(name.length)] = Number(sample?.[2]);
  }
  return metrics;
}

test('every metric has a help text, and its name contains the unit', async () => {
  const metrics = await scrape();
  expect([...metrics].map(([name, { type }]) => `${type} ${name}`)).toEqual([
    'counter flwd_runs_created_total',
    'counter flwd_runs_finished_total',
    'histogram flwd_run_wait_seconds',
    'histogram flwd_run_duration_seconds',
    'gauge flwd_queue_depth',
    'gauge flwd_queue_stuck',
    'gauge flwd_slots_taken',
    'gauge flwd_slots',
    'gauge flwd_journal_latest_id',
    'gauge flwd_health',
    'gauge flwd_disk_free_bytes',
    'gauge flwd_runs_running',
    'counter flwd_notices_total',
    'gauge flwd_notices_pending',
    'gauge flwd_notices_waiting',
    'counter flwd_http_requests_total',
    'histogram flwd_http_request_duration_seconds',
    'gauge flwd_sse_streams',
    'counter flwd_sse_streams_opened_total',
    'counter flwd_sse_events_sent_total',
    'counter flwd_slow_readers_disconnected_total',
    'gauge flwd_database_bytes',
    'gauge flwd_database_wal_bytes',
    'gauge flwd_database_free_pages',
    'gauge flwd_log_bytes',
    'gauge flwd_artifacts',
    'gauge flwd_artifact_bytes',
    'gauge flwd_kv_keys',
    'gauge flwd_kv_bytes',
    'gauge flwd_build_info',
    'gauge process_start_time_seconds',
    'gauge process_resident_memory_bytes',
    'counter process_cpu_seconds_total',
    'gauge process_open_fds',
    'gauge flwd_event_loop_delay_seconds',
  ]);
  const page = readFileSync(new URL('../../docs/operation.md', import.meta.url), 'utf8');
  for (const [name, { help }] of metrics) {
    expect(help, name).toMatch(/^[A-Z].*\.$/);
    expect(page).toContain(`\`${name}\``);
  }
});

testWith('bwrap')('runs are counted by job, status and reason', async () => {
  for (const jobId of ['backup/daily', 'backup/daily', 'backup/broken']) {
    expect((await server.post('/runs', { job_id: jobId, args: {}, async: false })).status).toBe(201);
  }
  const metrics = await scrape();
  expect(metrics.get('flwd_runs_finished_total')?.samples).toEqual({
    '{job_id="backup/daily",status="success",reason=""}': 2,
    '{job_id="backup/broken",status="failed",reason="exit"}': 1,
  });
  expect(metrics.get('flwd_slots')?.samples).toEqual({ '': 4 });
  expect(metrics.get('flwd_queue_depth')?.samples).toEqual({ '': 0 });
  expect(metrics.get('flwd_journal_latest_id')?.samples['']).toBe(server.hub.latestId);
  expect(metrics.get('flwd_health')?.samples).toEqual({
    '{check="database"}': 0,
    '{check="disk"}': 0,
    '{check="queue"}': 0,
    '{check="isolation"}': 0,
    '{check="schedules"}': 0,
    '{check="triggers"}': 0,
    '{check="sources"}': 0,
  });
  expect(metrics.get('flwd_disk_free_bytes')?.samples['']).toBeGreaterThan(2 ** 20);
  expect(metrics.get('flwd_notices_total')?.samples).toEqual({
    '{outcome="delivered"}': 3,
    '{outcome="retried"}': 2,
    '{outcome="failed"}': 1,
  });
});

test('requests are counted by operation, not by path', async () => {
  for (const id of ['one', 'two']) await server.fetch(`/runs/${id}`);
  await server.fetch('/jobs');
  await server.fetch('//no/such/path');
  const { samples = {} } = (await scrape()).get('flwd_http_requests_total') ?? {};
  expect(samples).toMatchObject({
    '{operation="getRun",method="GET",status="4xx"}': 2,
    '{operation="listJobs",method="GET",status="2xx"}': 1,
    '{operation="none",method="GET",status="4xx"}': 1,
  });
  const durations = (await scrape()).get('flwd_http_request_duration_seconds')?.samples ?? {};
  expect(durations['_count{operation="getRun",method="GET"}']).toBe(2);
  expect(durations['_bucket{operation="getRun",method="GET",le="+Inf"}']).toBe(2);
});

test('streams are counted while they are open, and events as they are sent', async () => {
  const before = (await scrape()).get('flwd_sse_events_sent_total')?.samples[''] ?? 0;
  const run = await server.addRun();
  const controller = new AbortController();
  const stream = await server.fetch(`/events/runs?run_id=${run.id}`, { signal: controller.signal });
  await run.move('claim');
  await run.print('one', 'two', 'three');
  const streams = async () => (await scrape()).get('flwd_sse_streams')?.samples;
  await expect.poll(streams).toEqual({ '': 1 });
  // The events are run.created, run.started, step.started, and one for each line.
  const sent = async () => (await scrape()).get('flwd_sse_events_sent_total')?.samples;
  await expect.poll(sent).toEqual({ '': before + 6 });
  controller.abort();
  await stream.text().catch(() => undefined);
  await expect.poll(streams).toEqual({ '': 0 });
});

test('the metrics of waiting time and duration come from the events of runs', async () => {
  const about = { runId: 'run_1', jobId: 'backup/daily', tenant: 'default' };
  await server.store.db.transact(async (tx) => {
    tx.emit({ type: 'run.created', ...about, data: { status: 'pending', trigger: 'schedule' } });
    tx.emit({ type: 'run.started', ...about, data: { status: 'running', waited_ms: 40 } });
    tx.emit({ type: 'run.started', ...about, data: { status: 'running', waited_ms: 20_000 } });
    tx.emit({ type: 'run.finished', ...about, data: { status: 'success', duration_ms: 1_500 } });
    tx.emit({ type: 'run.finished', ...about, data: { status: 'cancelled', duration_ms: null } });
  });
  const metrics = await scrape();
  expect(metrics.get('flwd_runs_created_total')?.samples['{trigger="schedule"}']).toBe(1);
  const wait = metrics.get('flwd_run_wait_seconds')?.samples ?? {};
  const lessThan = (le: string) => wait[`_bucket{le="${le}"}`];
  expect((lessThan('30') ?? 0) - (lessThan('5') ?? 0)).toBe(1);
  expect((lessThan('0.05') ?? 0) - (lessThan('0.01') ?? 0)).toBeGreaterThanOrEqual(1);
  const duration = metrics.get('flwd_run_duration_seconds')?.samples ?? {};
  expect(duration['_bucket{job_id="backup/daily",status="success",le="5"}']).toBeGreaterThanOrEqual(1);
});

test('there are metrics of the storage and of the process', async () => {
  const metrics = await scrape();
  expect(metrics.get('flwd_database_wal_bytes')?.samples['']).toBeGreaterThan(0);
  expect(metrics.get('process_open_fds')?.samples['']).toBeGreaterThan(5);
  expect(metrics.get('process_resident_memory_bytes')?.samples['']).toBeGreaterThan(20_000_000);
  expect(Object.keys(metrics.get('flwd_event_loop_delay_seconds')?.samples ?? {})).toEqual([
    '{percentile="50"}',
    '{percentile="99"}',
    '{percentile="100"}',
  ]);
  expect(metrics.get('flwd_build_info')?.samples).toEqual({ '{version="1.2.3"}': 1 });
});

test('/metrics supports only GET, and refuses a wrong token', async () => {
  const posted = await server.fetch('//metrics', { method: 'POST' });
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  const withToken = await server.fetch('//metrics', { headers: { authorization: 'Bearer x' } });
  expect(withToken.status).toBe(401);
});

testWith('promtool')('promtool finds nothing wrong with a scrape', async () => {
  const input = await (await server.fetch('//metrics')).text();
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
