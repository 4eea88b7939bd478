// `flwd late`, and what `flwd doctor` says about late runs and missed times.

import { rmSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const nothing = { code: 0, stdout: '', stderr: 'nothing is late; --all also shows what is no longer late\n' };
const seconds = (count: number) => new Date(Date.now() + count * 1_000).toISOString();

test('late runs and missed times are listed until they are over, and doctor counts them', async () => {
  const instance = await createInstance({
    slow: bash('sleep 600', { expect: { duration: '1s' } }),
    removed: bash('true'),
  });
  const { dir } = instance;
  const server = await instance.serve();
  expect(await flwd(dir, 'late')).toEqual(nothing);
  expect((await flwd(dir, 'doctor')).stdout).not.toContain('expected runs');

  const runId = await server.start('slow');
  const made = await server.fetch('/schedules', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job_id: 'removed', at: seconds(10) }),
  });
  expect(made.status).toBe(201);
  rmSync(join(dir, 'jobs/removed'), { recursive: true });
  const kinds = async () => {
    const { late } = await server.json<{ late: { kind: string }[] }>('/late');
    return late.map(({ kind }) => kind).toSorted();
  };
  await expect.poll(kinds).toEqual(['duration', 'missed']);

  const { stdout } = await flwd(dir, 'late');
  const [head, ...rows] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['JOB', 'SINCE', 'OVER', 'WHY']);
  const since = expect.stringMatching(/^20\S+Z$/);
  expect(rows.toSorted(([a = ''], [b = '']) => a.localeCompare(b))).toEqual([
    ['removed', since, 'no', expect.stringMatching(/^The schedule could not start a run for 20/)],
    ['slow', since, 'no', expect.stringMatching(/after 1s of work, which is the most it should take\.$/)],
  ]);
  const ofSlow: unknown = JSON.parse((await flwd(dir, 'late', '--job', 'slow', '--json')).stdout);
  expect(ofSlow).toMatchObject({ late: [{ job_id: 'slow', kind: 'duration', run_id: runId, over_at: null }] });
  const checked = await flwd(dir, 'doctor');
  expect(checked.code).toBe(0);
  expect(checked.stdout).toMatch(
    /^warn {2}expected runs {2,}1 late, 1 missed by a schedule\n +→ run flwd late, which says which jobs, and why$/m,
  );

  await flwd(dir, 'cancel', runId, '--force');
  await expect.poll(kinds).toEqual(['missed']);
  expect(await flwd(dir, 'late', '--job', 'slow')).toEqual(nothing);
  const all = await flwd(dir, 'late', '--job', 'slow', '--all');
  expect(all.stdout).toMatch(/^slow +20\S+Z +20\S+Z +/m);
  expect((await flwd(dir, 'doctor')).stdout).toMatch(/^warn {2}expected runs {2,}1 missed by a schedule$/m);
  await server.stop();
});

test('without a server, flwd late and flwd doctor say since when nothing is started or checked, and what waits', async () => {
  const instance = await createInstance({
    backup: {
      ...bash('true', {
        schedules: [{ cron: '0 3 * * *' }],
        triggers: [{ job: 'slow' }],
        expect: { every: '24h' },
      }),
    },
    slow: bash('sleep 600'),
  });
  const { dir } = instance;
  const server = await instance.serve();
  const runId = await server.start('slow');
  await expect.poll(async () => (await server.json<{ status: string }>(`/runs/${runId}`)).status).toBe('running');
  expect((await flwd(dir, 'doctor')).stdout).not.toMatch(/^warn {2}server /m);
  await server.kill();
  // As if the server had run for another day: while it runs, it updates the time of its lock file.
  const seenAt = new Date(Date.now() + 86_400_000);
  await utimes(join(dir, 'data/flwd.lock'), seenAt, seenAt);

  const killed = `no server is running; the last one did not shut down properly and was alive at ${seenAt.toISOString()} or later`;
  expect((await flwd(dir, 'doctor')).stdout).toMatch(
    new RegExp(
      `^warn {2}server {2,}${killed}; 1 schedule, 1 trigger, 1 unfinished run wait for a server\n +→ start the server, with flwd serve`,
      'm',
    ),
  );
  const checked = 'nothing starts or is checked until you run `flwd serve`\n';
  const late = await flwd(dir, 'late');
  expect(late).toMatchObject({ code: 0, stdout: '' });
  expect(late.stderr).toMatch(new RegExp(`^${killed}: ${checked}nothing was recorded as late; --all also shows`));
  const json = await flwd(dir, 'late', '--json');
  expect(json.stderr).toMatch(new RegExp(`^${killed}: ${checked}$`));
  expect(JSON.parse(json.stdout)).toMatchObject({ late: [] });

  await (await instance.serve()).stop();
  const stopped = await flwd(dir, 'late', '--all');
  expect(stopped.stderr).toMatch(
    new RegExp(`^no server has been running since 20\\S+Z: ${checked}nothing was recorded as late\n$`),
  );
});
