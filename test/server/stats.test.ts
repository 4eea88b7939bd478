// GET /stats and GET /stats/jobs: their times, their figures, and who sees which runs.

import { afterAll, expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { startServing } from './serving.ts';

const hourMs = 3_600_000;
const server = await startServing();
afterAll(() => server.close());

type Stats = AnswerOf<'getStats'>;
const stats = async <T = Stats>(query = '', init?: RequestInit): Promise<T> =>
  JSON.parse(await (await server.fetch(`/stats${query}`, init)).text());

async function ended(o: Parameters<typeof server.addRun>[0], by: 'succeed' | 'fail' | 'cancel' = 'succeed') {
  const run = await server.addRun(o);
  await run.move('claim');
  await run.move(by, { exitCode: 0 });
  return run.id;
}

test('a range covers full hours or days up to now, and is compared with the same time before', async () => {
  for (const [range, span, count, timesSpan] of [
    ['24h', 'hour', 24, 'hour'],
    ['7d', 'hour', 168, 'day'],
    ['30d', 'day', 30, 'day'],
  ] as const) {
    const askedAtMs = Date.now();
    const answer = await stats(`?range=${range}`);
    expect(answer).toMatchObject({ span, times_span: timesSpan });
    expect(answer.runs).toHaveLength(count);
    const [since, until] = [Date.parse(answer.since), Date.parse(answer.until)];
    expect(until - since).toBe(count * (span === 'hour' ? hourMs : 24 * hourMs));
    expect(until).toBeGreaterThan(askedAtMs);
    expect(answer.before.until).toBe(answer.since);
    expect(Date.parse(answer.before.since)).toBe(2 * since - until);
    expect(answer.runs[0]?.at).toBe(answer.since);
  }
});

test('a custom range is widened to full hours, or to full days if hours are no longer stored', async () => {
  const hour = new Date(Date.now() - (Date.now() % hourMs));
  const at = (hours: number, minutes = 0) => new Date(hour.getTime() + hours * hourMs + minutes * 60_000).toISOString();
  expect(await stats(`?since=${at(-3, 20)}&until=${at(-1, 1)}`)).toMatchObject({
    since: at(-3),
    until: at(0),
    span: 'hour',
    before: { since: at(-6), until: at(-3) },
  });
  expect(await stats(`?since=${at(-24 * 60)}&until=${at(-24 * 59)}`)).toMatchObject({ span: 'day' });
  expect(await stats('?since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z')).toMatchObject({
    errors: [{ pointer: '?since', message: 'is not before `until`' }],
  });
  expect(await stats('?since=2020-01-01T00:00:00Z')).toMatchObject({ errors: [{ pointer: '?since' }] });
  expect(await stats('?range=7d&since=2026-01-01T00:00:00Z')).toMatchObject({ errors: [{ pointer: '?range' }] });
});

test('runs count in the hour in which they end, by status, job, namespace and tenant', async () => {
  await ended({ jobId: 'shop/release' });
  await ended({ jobId: 'shop/release' });
  const failed = await ended({ jobId: 'shop/release' }, 'fail');
  await ended({ jobId: 'report' }, 'cancel');
  await ended({ jobId: 'report', tenant: 'acme' });
  await server.addRun({ jobId: 'report' });
  const all = await stats('?by=job');
  expect(all.totals).toMatchObject({ runs: 5, success: 3, failed: 1, cancelled: 1, success_rate: 0.75 });
  // The runs may have ended in two different hours.
  expect(all.runs.reduce((sum, { success }) => sum + success, 0)).toBe(3);
  expect(all.groups).toMatchObject([
    { job_id: 'shop/release', runs: 3, success_rate: 0.6666 },
    { job_id: 'report', runs: 2, success_rate: 1 },
  ]);
  expect((await stats('?namespace=shop')).totals).toMatchObject({ runs: 3 });
  expect((await stats('?job_id=report&tenant=acme')).totals).toMatchObject({ runs: 1, success_rate: 1 });
  expect((await stats('?job_id=nothing')).totals).toMatchObject({
    runs: 0,
    success_rate: null,
    duration: { p50_ms: null },
  });
  const { jobs } = await stats<AnswerOf<'getJobStats'>>('/jobs');
  expect(jobs.map(({ job_id: id, runs, failed }) => [id, runs, failed])).toEqual([
    ['report', 2, 0],
    ['shop/release', 3, 1],
  ]);
  expect(jobs[1]?.last_runs.map(({ status }) => status)).toEqual(['failed', 'success', 'success']);
  expect(jobs[1]?.last_runs[0]).toMatchObject({ run_id: failed, duration_ms: expect.any(Number) });
  expect(jobs[0]?.last_runs[0]).toMatchObject({ status: 'pending', duration_ms: null });
  expect(jobs[0]?.daily_median_ms).toHaveLength(14);
  expect(await stats('/jobs?ids=report,absent')).toMatchObject({
    jobs: [
      { job_id: 'absent', runs: 0 },
      { job_id: 'report', runs: 2 },
    ],
  });
});

test('a caller sees only the runs of its own tenant, and needs the scope runs:read', async () => {
  await ended({ jobId: 'secret/of-hooli', tenant: 'hooli' });
  const { headers } = await server.token({ scopes: ['runs:read'], tenant: 'hooli' });
  expect(await stats('?by=job', { headers })).toMatchObject({
    totals: { runs: 1 },
    groups: [{ job_id: 'secret/of-hooli' }],
  });
  expect(await stats('?by=tenant', { headers })).toMatchObject({ groups: [{ tenant: 'hooli' }] });
  expect(await stats('/jobs', { headers })).toMatchObject({ jobs: [{ job_id: 'secret/of-hooli' }] });
  const other = await server.token({ scopes: ['runs:read'], tenant: 'globex' });
  for (const query of ['', '?job_id=secret/of-hooli', '?namespace=secret']) {
    expect((await stats(query, { headers: other.headers })).totals, query).toMatchObject({ runs: 0 });
  }
  for (const query of ['?tenant=hooli', '?tenant=*', '?tenant=nobody']) {
    expect((await server.fetch(`/stats${query}`, { headers: other.headers })).status, query).toBe(403);
  }
  expect(await stats('/jobs', { headers: other.headers })).toMatchObject({ jobs: [] });
  expect(await stats('/jobs?ids=secret/of-hooli', { headers: other.headers })).toMatchObject({
    jobs: [{ runs: 0, last_runs: [] }],
  });
  const none = await server.token({ scopes: ['jobs:read'], tenant: 'hooli' });
  expect((await server.fetch('/stats', { headers: none.headers })).status).toBe(403);
});

test('statistics of thousands of jobs are cached for some seconds, and those of named jobs are always current', async () => {
  const tenant = 'of-many-jobs';
  const { headers } = await server.token({ scopes: ['runs:read'], tenant });
  const today = Date.now() - (Date.now() % (24 * hourMs));
  await server.store.db.transact(async ({ db }) => {
    for (let n = 0; n < 4_000; n += 1_000) {
      const ids = Array.from({ length: 1_000 }, (_, at) => ({ job_id: `job-${n + at}`, tenant }));
      const counts = ids.map((id) => ({ ...id, status: 'success' as const, source: 'local', count: 1 }));
      await db.insertInto('run_counts').values(counts).execute();
      const ended = ids.map((id) => ({ ...id, span: 'day' as const, at: today, success: 1, failed: 0, cancelled: 0 }));
      await db.insertInto('run_stats').values(ended).execute();
    }
    // All runs of this job have been removed.
    const gone = { job_id: 'gone', tenant, status: 'pending', source: 'local', count: 0 } as const;
    await db.insertInto('run_counts').values(gone).execute();
  });
  const runsOf = ({ jobs }: AnswerOf<'getJobStats'>) => jobs.find(({ job_id: id }) => id === 'job-7')?.runs;
  const ask = (query = '') => stats<AnswerOf<'getJobStats'>>(`/jobs${query}`, { headers });
  expect(runsOf(await ask('?ids=job-7'))).toBe(1);
  const first = await ask();
  expect(runsOf(first)).toBe(1);
  expect(first.jobs.map(({ job_id: id }) => id)).not.toContain('gone');
  await ended({ jobId: 'job-7', tenant });
  expect(runsOf(await ask('?ids=job-7'))).toBe(2);
  // The statistics of all jobs are cached for 8 seconds.
  expect(runsOf(await ask())).toBe(1);
});
