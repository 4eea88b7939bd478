// GET /late: what was expected of jobs and has not happened.

import { afterAll, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');
const expectation = { expect: { duration: '1s' } };
const server = await startServer({
  jobs: { one: bash('sleep 600', expectation), two: bash('sleep 600', expectation) },
});
afterAll(() => server.close());

type Late = { readonly job_id: string; readonly at: string; readonly over_at: string | null };
const list = async (query = '') => (await server.json<{ late: Late[] }>(`/late${query}`)).late;
const jobs = async (query = '') => (await list(query)).map(({ job_id: id }) => id);

test('GET /late lists what is late, newest first, filtered by job and state, up to the given limit', async () => {
  expect(await server.json('/late')).toEqual({ late: [] });
  const first = await server.start('one');
  await expect.poll(() => jobs()).toEqual(['one']);
  const second = await server.start('two');
  await expect.poll(() => jobs()).toEqual(['two', 'one']);
  expect(await list('?job_id=one')).toEqual([
    {
      job_id: 'one',
      tenant: 'default',
      kind: 'duration',
      detail: expect.stringMatching(/after 1s of work, which is the most it should take\.$/),
      at: expect.stringMatching(/^20.*Z$/),
      run_id: first,
      schedule_id: null,
      over_at: null,
    },
  ]);
  expect(await jobs('?limit=1')).toEqual(['two']);

  for (const id of [first, second]) await server.fetch(`/runs/${id}/cancel?force=true`, { method: 'POST' });
  await expect.poll(() => jobs()).toEqual([]);
  const over = await list('?state=all');
  expect(over.map(({ job_id: id }) => id)).toEqual(['two', 'one']);
  for (const { at, over_at: overAt } of over) expect(Date.parse(overAt ?? '')).toBeGreaterThanOrEqual(Date.parse(at));
});

test('a query with unknown parameters or values is a validation error', async () => {
  const response = await server.fetch('/late?state=closed&limit=0&jobs=one');
  expect(response.status).toBe(400);
  expect(JSON.parse(await response.text())).toMatchObject({
    type: expect.stringContaining('validation-error'),
    errors: [{ pointer: '?jobs' }, { pointer: '?limit' }, { pointer: '?state' }],
  });
});
