import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const jobs = { 'shop/order': bash('true'), 'shop/mail': bash('exit 3'), backup: bash('true') };

test('flwd stats shows how runs ended, and the jobs that failed, with and without a server', {
  timeout: 300_000,
}, async () => {
  const instance = await createInstance(jobs);
  const { dir } = instance;
  const server = await instance.serve();
  const nothing = { code: 0, stdout: '', stderr: 'no runs ended in the last 7 days\n' };
  expect(await flwd(dir, 'stats', '--range', '7d')).toEqual(nothing);
  for (const job of ['shop/order', 'shop/order', 'shop/mail', 'backup']) await server.run(job);
  const served = await flwd(dir, 'stats');
  expect(served).toMatchObject({ code: 0, stderr: '' });
  const rows = served.stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
  expect(rows[0]).toEqual(['FIGURE', 'LAST 24 HOURS', 'DAY BEFORE']);
  expect(rows).toContainEqual(['runs', '4', '0']);
  expect(rows).toContainEqual(['failed', '1', '0']);
  expect(rows).toContainEqual(['success rate', '75 %', '-']);
  expect(rows).toContainEqual(['duration, p50', expect.stringMatching(/^[\d.]+ m?s$/), '-']);
  expect(rows).toContainEqual(['JOB', 'RUNS', 'FAILED', 'SUCCESS RATE', 'MEDIAN TODAY', 'USUALLY']);
  expect(rows).toContainEqual(['shop/mail', '1', '1', '0 %', '-', '-']);
  expect(served.stdout).not.toContain('shop/order');
  await server.stop();

  const namespace = await flwd(dir, 'stats', '--job', 'shop/', '--json');
  expect(JSON.parse(namespace.stdout)).toMatchObject({
    totals: { runs: 3, success: 2, failed: 1 },
    groups: [
      { job_id: 'shop/order', runs: 2 },
      { job_id: 'shop/mail', runs: 1 },
    ],
  });
  const job = await flwd(dir, 'stats', '--range', '30d', '--job', 'backup');
  expect(job.stdout).toMatch(/^FIGURE +LAST 30 DAYS +30 DAYS BEFORE\nruns +1 +0\n/);
  expect(job.stdout).not.toContain('MEDIAN TODAY');
});
