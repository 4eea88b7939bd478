import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Serving, startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';
import { connectHttp, dataOf, generations, textOf } from './a-client.ts';

const count = 5_000;
const idOf = (n: number) => `team-${n % 50}/job-${String(n).padStart(4, '0')}`;

let server: Serving;
beforeAll(async () => {
  const jobs = Array.from({ length: count }, (_, n) => [
    idOf(n),
    {
      'config.yaml': JSON.stringify({
        command: ['true'],
        description: `Does the work number ${n}${', and some more'.repeat(10)}`,
        tags: ['many'],
      }),
    },
  ]);
  server = await startServing({ jobs: Object.fromEntries(jobs) });
});
afterAll(() => server.close());

type Found = { readonly jobs: readonly { readonly job_id: string }[]; readonly next_cursor: string | null };

/** Returns how many requests of agents the API has answered. */
async function requests(): Promise<Record<string, number>> {
  const metrics = await (await server.fetch('//metrics')).text();
  const lines = metrics.matchAll(/^flwd_http_requests_total\{operation="(\w+)",method="GET",status="2xx"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, operation = '', times]) => [operation, Number(times)]));
}

test.each(generations)(
  'a client of %s gets 25 of 5,000 jobs as tools, with two requests to the API',
  async (generation) => {
    const { client } = await connectHttp(server.url, { generation });
    const before = await requests();
    const { tools, ttlMs } = await client.listTools();
    const after = await requests();
    expect(tools.filter(({ name }) => name.startsWith('job_')).map(({ _meta: meta }) => meta?.['flwd/job_id'])).toEqual(
      Array.from({ length: 25 }, (_, n) => idOf(n * 50)),
    );
    expect(tools.length).toBe(25 + 12);
    expect((await client.listTools()).tools).toEqual(tools);
    expect((after.listJobs ?? 0) - (before.listJobs ?? 0)).toBe(2);
    expect({ ...after, listJobs: before.listJobs }).toEqual(before);
    if (generation === '2026-07-28') expect(ttlMs).toBe(60_000);
  },
);

test('an agent can find one job, describe it, and call it although it is not listed as a tool', async () => {
  const { call } = await connectHttp(server.url);
  const { jobs, next_cursor: next } = dataOf<Found>(await call('jobs_search', { q: 'number 4321' }));
  expect([jobs.map(({ job_id: id }) => id), next]).toEqual([[idOf(4_321)], null]);
  expect(dataOf(await call('jobs_describe', { job_id: idOf(4_321) }))).toMatchObject({ job_id: idOf(4_321) });
  const before = await requests();
  expect(textOf(await call('job_team-21_job-4321', { x: 1 }))).toContain('/args/x');
  expect((await requests()).listJobs).toBe(before.listJobs);
});

test('the pages of a search list each job once, in the order of the ids', async () => {
  const { call } = await connectHttp(server.url);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const given: Record<string, unknown> = { prefix: 'team-7', limit: 50, ...(cursor && { cursor }) };
    const page: Found = dataOf(await call('jobs_search', given));
    seen.push(...page.jobs.map(({ job_id: id }) => id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => idOf(n * 50 + 7)));
});

test('jobs that their authors expose come first, or alone if there are too many, and hidden jobs are not found', async () => {
  const { client, call } = await connectHttp(server.url);
  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes += 1;
  });
  await client.listen({ toolsListChanged: true });
  await client.listTools();
  const about = { read_only: true, idempotent: true };
  await server.addJob('zz/exposed', bash('true', { agents: { expose: true, ...about } }));
  await expect.poll(() => changes).toBeGreaterThan(0);
  const { tools } = await client.listTools();
  expect(tools.filter(({ name }) => name.startsWith('job_'))).toMatchObject([
    {
      name: 'job_zz_exposed',
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true },
    },
  ]);
  await server.addJob('zz/hidden', bash('true', { agents: { expose: false } }));
  await expect.poll(async () => (await server.fetch('/jobs/zz/hidden')).status).toBe(200);
  const { jobs } = dataOf<Found>(await call('jobs_search', { prefix: 'zz' }));
  expect(jobs.map(({ job_id: id }) => id)).toEqual(['zz/exposed']);
});
