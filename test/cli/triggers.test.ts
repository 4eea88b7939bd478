// Triggers on a real server that is killed again and again.

import { expect, test } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const jobs = {
  load: bash('flwd_result "\\"$FLWD_RUN_ID\\""'),
  report: bash('true', {
    argspec: { type: 'object', properties: { of: { type: 'string' } } },
    triggers: [{ job: 'load', args: { of: 'run.result.value' } }],
  }),
  audit: bash('true', { triggers: [{ job: 'load' }] }),
};

async function serve(dir: string) {
  const server = start(dir, ['serve']);
  const [, url] = await server.prints(/listening on (\S+)/);
  const json = async <T>(path: string, init?: RequestInit): Promise<T> => {
    const answer: T = JSON.parse(await (await fetch(`${url}/api/v1${path}`, init)).text());
    return answer;
  };
  await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/report`)).status).toBe(200);
  return { ...server, json };
}

test('the end of each run counts exactly once for a trigger, however often the server is killed', async () => {
  const { dir } = await createInstance(jobs, { scheduler: { global_concurrency: 4 } });
  const acknowledged = new Set<string>();
  for (let round = 0; round < 4; round += 1) {
    const server = await serve(dir);
    const headers = { 'content-type': 'application/json' };
    const begin = async () => {
      const run = await server.json<RunAnswer>('/runs', {
        method: 'POST',
        headers,
        body: JSON.stringify({ job_id: 'load' }),
      });
      acknowledged.add(run.run_id);
    };
    await Promise.all(Array.from({ length: 8 }, begin));
    // The server is killed while it handles the ends of runs: some reports have started, others have not.
    const reports = () => server.json<{ total: number }>('/runs?job_id=report').then(({ total }) => total);
    await expect.poll(reports, { interval: 2 }).toBeGreaterThan(round * 8);
    server.child.kill('SIGKILL');
    await server.ended;
  }
  const server = await serve(dir);
  type Runs = { readonly runs: readonly RunAnswer[]; readonly total: number };
  const runsOf = (job: string) => server.json<Runs>(`/runs?job_id=${job}&status=success&limit=1000`);
  for (const job of ['load', 'report', 'audit'])
    await expect.poll(async () => (await runsOf(job)).total, { interval: 200 }).toBe(acknowledged.size);
  const { runs } = await runsOf('report');
  const followed = await Promise.all(runs.map(({ run_id: id }) => server.json<RunAnswer>(`/runs/${id}`)));
  expect(followed.map(({ args }) => String(args.of)).toSorted()).toEqual([...acknowledged].toSorted());
  expect((await server.json<Runs>('/runs?job_id=report&limit=1000')).total).toBe(acknowledged.size);
  expect((await server.json<Runs>('/runs?job_id=audit&limit=1000')).total).toBe(acknowledged.size);

  const list = await flwd(dir, 'triggers');
  expect(list).toMatchObject({ code: 0, stderr: '' });
  const rows = list.stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows[0]).toEqual(['ID', 'AFTER', 'ON', 'JOB', 'IF', 'LAST RESULT', 'WHY']);
  const id = rows.find((row) => row[3] === 'report')?.[0] ?? '';
  const results = await flwd(dir, 'triggers', 'results', id);
  expect(results.stdout.match(/^started 20\S+Z +run_\w+ +run_\w+/gm)).toHaveLength(acknowledged.size);
  expect(await flwd(dir, 'triggers', 'results', 'trigger_x')).toMatchObject({ code: 3 });
  expect((await flwd(dir, 'runs', '--trigger', 'job_ended', '--json', '--limit', '3')).stdout).toContain('job_ended');
  server.child.kill('SIGTERM');
  await server.ended;
});
