import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toolName } from '../../src/mcp/job-tools.ts';
import { createInstance } from '../cli/an-instance.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { connect, dataOf } from './a-client.ts';

test('the names of tools are unique and valid for every client', () => {
  const long = 'a/'.repeat(60);
  const ids = ['a/b', 'a_b', 'a.b', 'a-b', 'A/b', `${long}x`, `${long}y`, 'a/b/01234567', 'b', 'job'];
  const names = ids.map(toolName);
  expect(new Set(names).size).toBe(ids.length);
  for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,40}$/);
  expect(toolName('backup/daily')).toBe('job_backup_daily');
  expect(toolName('a_b')).toBe('job_a_b_648fa9b3');
});

test('only as many jobs as mcp.job_tools says are tools, and the others can still be found and started', async () => {
  const { dir } = await createInstance(
    { a: bash('true'), b: bash('echo b'), c: bash('true') },
    { mcp: { job_tools: 1 } },
  );
  await writeJob(join(dir, 'jobs/aa'), bash('true', { agents: { expose: false } }));
  const { client, call } = await connect(dir);
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name).filter((name) => name.startsWith('job_'))).toEqual(['job_a']);
  expect(dataOf(await call('jobs_search', { q: 'b' }))).toMatchObject({ jobs: [{ job_id: 'b', tool: 'job_b' }] });
  expect(dataOf(await call('jobs_start', { job_id: 'b' }))).toMatchObject({ status: 'success', last_lines: ['| b'] });
});
