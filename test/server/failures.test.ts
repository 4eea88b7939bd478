// GET /failures: which runs form one failure, the state of a failure, and who sees it.

import { expect, test } from 'vitest';
import type { AnswerOf } from '../../src/contract/operations.ts';
import { type Serving, startServing } from './serving.ts';

type List = AnswerOf<'listFailures'>;

const failures = async (server: Serving, query = '', init?: RequestInit): Promise<List> =>
  JSON.parse(await (await server.fetch(`/failures${query}`, init)).text());

async function fail(server: Serving, o: Parameters<Serving['addRun']>[0], message: string): Promise<string> {
  const run = await server.addRun(o);
  await run.move('claim');
  await run.move('fail', { reason: 'exit', exitCode: 1, error: { message } });
  return run.id;
}

async function succeed(server: Serving, o: Parameters<Serving['addRun']>[0]): Promise<string> {
  const run = await server.addRun(o);
  await run.move('claim');
  await run.finish();
  return run.id;
}

test('runs that failed with the same message are one failure, which is open, then fixed, then regressed', async () => {
  await using server = await startServing();
  const first = await fail(server, { jobId: 'load' }, 'exited with code 1: cannot reach 10.0.0.7:5432');
  await fail(server, { jobId: 'load' }, 'exited with code 1: cannot reach 10.0.0.9:5432');
  const other = await fail(server, { jobId: 'load' }, 'exited with code 1: disk full');
  await fail(server, { jobId: 'report' }, 'exited with code 1: disk full');
  const third = await fail(server, { jobId: 'load' }, 'exited with code 1: cannot reach 10.0.0.8:5432');

  const { failures: list, next_cursor: next } = await failures(server);
  expect(list.map((one) => [one.job_id, one.count, one.state, one.sample])).toEqual([
    ['load', 3, 'open', 'exited with code 1: cannot reach 10.0.0.8:5432'],
    ['report', 1, 'open', 'exited with code 1: disk full'],
    ['load', 1, 'open', 'exited with code 1: disk full'],
  ]);
  expect(list[0]).toMatchObject({
    tenant: 'default',
    reason: 'exit',
    first_run: { run_id: first, at: expect.stringMatching(/Z$/), revision: '0123456789abcdef' },
    last_run: { run_id: third },
  });
  expect(next).toBeNull();
  expect((await failures(server, `?run_id=${other}`)).failures).toMatchObject([{ job_id: 'load', count: 1 }]);

  const good = await succeed(server, { jobId: 'load' });
  expect((await failures(server, '?state=unfixed')).failures).toMatchObject([{ job_id: 'report' }]);
  expect((await failures(server, '?state=fixed&job_id=load')).failures).toHaveLength(2);
  expect((await failures(server, `?run_id=${good}`)).failures).toEqual([]);

  await fail(server, { jobId: 'load' }, 'exited with code 1: disk full');
  expect((await failures(server, '?state=regressed')).failures).toMatchObject([
    { sample: 'exited with code 1: disk full', count: 2, first_run: { run_id: other } },
  ]);
});

test('the pages of the list have every failure once', async () => {
  await using server = await startServing();
  for (const name of ['a', 'b', 'c', 'd', 'e']) await fail(server, { jobId: name }, 'no');
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await failures(server, `?limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...page.failures.map(({ job_id: id }) => id));
    cursor = page.next_cursor;
  }
  expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
  expect(await failures(server, '?cursor=x')).toMatchObject({ errors: [{ pointer: '?cursor' }] });
});

test('a caller sees the failures of its own tenant, and can look up a failure only by a run that it may see', async () => {
  await using server = await startServing();
  const ours = await fail(server, { jobId: 'load' }, 'no');
  await fail(server, { jobId: 'load', tenant: 'acme' }, 'no');
  const { headers } = await server.token({ tenant: 'acme', scopes: ['runs:read'] });
  expect((await failures(server)).failures).toHaveLength(2);
  expect((await failures(server, '', { headers })).failures).toMatchObject([{ tenant: 'acme', count: 1 }]);
  expect((await server.fetch(`/failures?run_id=${ours}`, { headers })).status).toBe(404);
  expect((await server.fetch('/failures?tenant=default', { headers })).status).toBe(403);
});

test('neither a success in another tenant nor a cancelled run fixes a failure', async () => {
  await using server = await startServing();
  await fail(server, { jobId: 'load' }, 'no');
  await succeed(server, { jobId: 'load', tenant: 'acme' });
  const run = await server.addRun({ jobId: 'load' });
  await run.move('claim');
  await run.move('cancel', {});
  expect((await failures(server)).failures).toMatchObject([{ state: 'open', count: 1 }]);
});

test('a failure is removed when its last run is older than the retention of runs', async () => {
  await using server = await startServing({ retention: { runsMs: 60_000 }, nowMs: Date.now() + 3_600_000 });
  await fail(server, { jobId: 'load' }, 'no');
  expect((await failures(server)).failures).toHaveLength(1);
  await server.post('/system/gc', {});
  await expect.poll(async () => (await failures(server)).failures).toEqual([]);
});
