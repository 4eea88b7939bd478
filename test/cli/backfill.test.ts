// flwd backfill and flwd backfills, and a server that is killed while a backfill is under way.

import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const nightly = [{ cron: '30 2 * * *', timezone: 'Europe/Berlin' }];
const jobs = {
  'reports/daily': bash('true', { schedules: nightly }),
  twice: bash('true', {
    schedules: [
      { cron: '0 1 * * *', timezone: 'UTC' },
      { cron: '0 2 * * *', timezone: 'UTC' },
    ],
  }),
  never: bash('true'),
};
const week = ['--from', '2026-10-24', '--until', '2026-10-27'];

test('a dry run prints the times, and a backfill starts their runs', async () => {
  const { dir, serve } = await createInstance(jobs);
  const served = await serve();
  const dry = await flwd(dir, 'backfill', 'reports/daily', ...week, '--dry-run');
  expect(dry).toMatchObject({
    code: 0,
    stdout: '2026-10-24T02:30:00+02:00\n2026-10-25T02:30:00+02:00\n2026-10-26T02:30:00+01:00\n',
    stderr: expect.stringContaining('3 runs would start; nothing was started'),
  });
  expect(await flwd(dir, 'backfills')).toMatchObject({ code: 0, stderr: 'no backfills\n' });

  const made = await flwd(dir, 'backfill', 'reports/daily', ...week, '--at-once', '2');
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^backfill_\w{26}\n$/) });
  const id = made.stdout.trim();
  expect(made.stderr).toContain('reports/daily gets 3 runs, 2 at a time, oldest first');
  expect(made.stderr).toContain(`flwd runs --label backfill_id=${id}`);
  const listed = async () => (await flwd(dir, 'backfills', '--job', 'reports/daily', '--status', 'done')).stdout;
  await expect.poll(listed, { interval: 200 }).toMatch(/ done +3 of 3 +0 +0 +local/);
  const runs = await flwd(dir, 'runs', '--trigger', 'backfill');
  expect(runs.stdout.match(/ backfill\b/g)).toHaveLength(3);

  expect(await flwd(dir, 'backfill', 'reports/daily', ...week)).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'reports/daily has no times to start in this span; 3 times have a run already; nothing was started\n',
  });
  const again = await flwd(dir, 'backfill', 'reports/daily', '--from', '2026-10-23', '--until', '2026-10-27');
  expect(again.stderr).toContain('gets 1 run, 1 at a time, oldest first; 3 times have a run already');
  const cancelled = await flwd(dir, 'backfills', 'cancel', again.stdout.trim());
  expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringMatching(/ (?:cancelled|done)\n$/) });
  expect(await flwd(dir, 'backfills', 'cancel', 'backfill_x')).toMatchObject({ code: 3 });
  await served.stop();
});

test('a dry run says which scopes the token lacks for the backfill', async () => {
  const { dir, serve } = await createInstance(jobs);
  const served = await serve();
  const dryRun = async (name: string, scopes: string) => {
    const token = (await flwd(dir, 'tokens', 'create', '--name', name, '--scopes', scopes)).stdout.trim();
    const env = { FLWD_REMOTE: served.url, FLWD_TOKEN: token };
    return start(dir, ['backfill', 'reports/daily', ...week, '--dry-run'], env).ended;
  };
  const reading = await dryRun('reads', 'jobs:read,runs:read');
  expect(reading).toMatchObject({ code: 0, stdout: expect.stringContaining('2026-10-24T02:30:00+02:00\n') });
  expect(reading.stderr).toContain(
    '3 runs would start; nothing was started\nyou may not start this backfill: that needs the scopes schedules:write and runs:write\n',
  );
  expect((await dryRun('runs', 'jobs:read,runs:read,runs:write')).stderr).toContain(
    'you may not start this backfill: that needs the scope schedules:write\n',
  );
  expect((await dryRun('backfills', 'jobs:read,runs:read,runs:write,schedules:write')).stderr).not.toContain(
    'may not start',
  );
  await served.stop();
});

test('flwd backfill explains why it refuses a job without a schedule or with several, or an invalid time', async () => {
  const { dir, serve } = await createInstance(jobs);
  await (await serve()).stop();
  const refused = async (...words: readonly string[]) => {
    const { code, stderr } = await flwd(dir, 'backfill', ...words);
    return { code, stderr };
  };
  expect(await refused('reports/daily')).toMatchObject({ code: 2, stderr: expect.stringContaining('--from') });
  expect(await refused('never', ...week)).toMatchObject({ code: 3, stderr: expect.stringContaining('no schedule') });
  expect(await refused('twice', ...week)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/choose one of the 2 schedules of twice with --schedule; .*schedules --job twice/),
  });
  expect(await refused('twice', ...week, '--schedule', 'x')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('no schedule `x`'),
  });
  expect(await refused('reports/daily', '--from', 'soon')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--from soon'),
  });
  expect(await refused('reports/daily', '--from', '2026-10-24', '--until', '2999-01-01')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('must not be in the future'),
  });
  const waits = await flwd(dir, 'backfill', 'reports/daily', ...week);
  expect(waits.stderr).toContain('No server is running');
  const doctor = await flwd(dir, 'doctor');
  expect(doctor.stdout + doctor.stderr).toMatch(/backfills +1 under way/);
});

test('the list takes the id or the name of a schedule', async () => {
  const { dir, serve } = await createInstance({ a: bash('true'), b: bash('true') });
  const served = await serve();
  const add = async (job: string, name: string): Promise<string> => {
    const words = ['--cron', '30 2 * * *', '--timezone', 'Europe/Berlin', '--name', name];
    return (await flwd(dir, 'schedules', 'add', job, ...words)).stdout.trim();
  };
  const [id] = [await add('a', 'night'), await add('b', 'night'), await add('b', 'rare')];
  const made = (await flwd(dir, 'backfill', 'a', ...week, '--schedule', 'night')).stdout.trim();
  const listed = async (...words: readonly string[]) => flwd(dir, 'backfills', '--schedule', ...words);
  for (const words of [[id], ['night', '--job', 'a']])
    expect(await listed(...words)).toMatchObject({ code: 0, stdout: expect.stringContaining(made), stderr: '' });
  expect(await listed('rare')).toMatchObject({ code: 0, stdout: '', stderr: 'no backfills\n' });
  expect(await listed('night')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^2 schedules have the name `night`: give the id of one; flwd schedules lists/),
  });
  expect(await listed('dawn')).toMatchObject({ code: 3, stderr: expect.stringContaining('no schedule `dawn`') });
  await served.stop();
});

test('each time gets exactly one run, however often the server is killed', async () => {
  const terms = { schedules: [{ cron: '*/30 * * * *', timezone: 'UTC' }] };
  const { dir } = await createInstance({ often: bash('true', terms) }, { scheduler: { global_concurrency: 4 } });
  const serve = async () => {
    const server = start(dir, ['serve']);
    const [, url] = await server.prints(/listening on (\S+)/);
    const json = async <T>(path: string): Promise<T> => JSON.parse(await (await fetch(`${url}/api/v1${path}`)).text());
    return { ...server, json };
  };
  type Run = { readonly labels: Readonly<Record<string, string>> };
  type Runs = { readonly runs: readonly Run[]; readonly total: number };
  const span = ['--from', '2026-05-01T00:00:00Z', '--until', '2026-05-02T00:00:00Z'];
  const first = await serve();
  const id = (await flwd(dir, 'backfill', 'often', ...span, '--at-once', '3')).stdout.trim();
  first.child.kill('SIGKILL');
  await first.ended;
  for (let round = 1; round <= 3; round += 1) {
    const server = await serve();
    const started = () => server.json<Runs>('/runs?job_id=often').then(({ total }) => total);
    // The server is killed while runs are being added.
    await expect.poll(started, { interval: 2 }).toBeGreaterThan(round * 10);
    server.child.kill('SIGKILL');
    await server.ended;
  }
  const server = await serve();
  await expect
    .poll(() => server.json(`/backfills/${id}`))
    .toMatchObject({ status: 'done', in_span: 48, started: 48, left_out: 0, failed_runs: 0 });
  const { runs, total } = await server.json<Runs>('/runs?job_id=often&trigger=backfill&limit=100');
  expect(total).toBe(48);
  const times = runs.map(({ labels }) => Date.parse(labels.nominal_at ?? '')).toReversed();
  expect(times).toEqual(Array.from({ length: 48 }, (_, n) => Date.parse('2026-05-01T00:00:00Z') + n * 1_800_000));
  server.child.kill('SIGTERM');
  await server.ended;
}, 300_000);
