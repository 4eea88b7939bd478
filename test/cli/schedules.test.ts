import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd, start } from './terminal.ts';

const argspec = { type: 'object', properties: { target: { type: 'string' }, keep: { type: 'integer', default: 1 } } };
const jobs = {
  'backup/daily': bash('echo "$FLWD_ARG_TARGET"', { argspec }),
  own: bash('true', { schedules: [{ cron: '0 4 * * *', timezone: 'Europe/Berlin' }] }),
};
type Schedule = { readonly id: string; readonly [member: string]: unknown };

test.each([false, true])('a schedule is created, held, released and removed (with a server: %s)', async (isServed) => {
  const instance = await createInstance(jobs);
  const server = await instance.serve();
  if (!isServed) await server.stop();
  const { dir, dataDir } = instance;
  const note = isServed
    ? ''
    : `No server is running on ${dataDir}: schedules start nothing until you run \`flwd serve\`.\n`;
  const words = ['--cron', '0 3 * * *', '--timezone', 'Europe/Berlin', '--label', 'team=ops', '--target', '/srv'];
  const added = await flwd(dir, 'schedules', 'add', 'backup', 'daily', ...words, '--catch-up', 'last');
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S+\n$/) });
  expect(added.stderr).toMatch(/^backup\/daily runs next at 20\d\d-\d\d-\d\dT03:00:00\+0[12]:00\n/);
  expect(added.stderr).toContain(note);
  const id = added.stdout.trim();

  const held = await flwd(dir, 'schedules', 'hold', id);
  expect(held).toEqual({ code: 0, stdout: `held ${id}\n`, stderr: '' });
  const list = await flwd(dir, 'schedules');
  const rows = list.stdout.split('\n').map((line) => line.split(/ {2,}/));
  const columns = ['ID', 'JOB', 'ARGUMENTS', 'CRON', 'WHEN', 'ZONE', 'NEXT', 'LAST RUN', 'STATE', 'WHY'];
  expect(rows[0]).toEqual(columns);
  const zone = 'Europe/Berlin';
  const day = ['0 3 * * *', 'Every day at 03:00'];
  expect(rows).toContainEqual([id, 'backup/daily', 'target=/srv', ...day, zone, '-', '-', 'held']);

  const ran = await flwd(dir, 'schedules', 'run', id);
  expect(ran).toMatchObject({ code: 0, stdout: '/srv\n' });
  const [last] = (await flwd(dir, 'schedules')).stdout.split('\n').filter((line) => line.startsWith(id));
  expect(last).toMatch(/ success 20\S+Z +held/);
  const detached = await flwd(dir, 'schedules', 'run', id, '--detach');
  expect(detached).toMatchObject({ code: 0, stdout: expect.stringMatching(/^run_\w+\n$/) });
  expect(await flwd(dir, 'schedules', 'run', 'nothing')).toMatchObject({ code: 3 });
  expect(rows.some((row) => row.includes('own') && row.includes('Every day at 04:00') && row.includes('on'))).toBe(
    true,
  );
  expect(list.stderr).toBe(note);

  const released = await flwd(dir, 'schedules', 'release', id, '--json', '-q');
  const schedule: Schedule = JSON.parse(released.stdout);
  expect(schedule).toMatchObject({
    id,
    enabled: true,
    held: false,
    args: { target: '/srv' },
    labels: { team: 'ops' },
    catch_up: 'last',
  });
  const named = (await flwd(dir, 'schedules', 'add', 'own', '--cron', '0 5 * * *', '--name', 'early')).stdout.trim();
  expect(await flwd(dir, 'schedules', 'hold', 'own')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(
      new RegExp(
        `^there is no schedule \`own\`, but the job own has .*${named}.*; flwd schedules lists the schedules\\n$`,
      ),
    ),
  });
  const heldByName = await flwd(dir, 'schedules', 'hold', 'early');
  expect(heldByName).toEqual({ code: 0, stdout: `held ${named}\n`, stderr: '' });
  expect((await flwd(dir, 'schedules', 'release', 'early')).stdout).toBe(`released ${named}\n`);
  expect(await flwd(dir, 'schedules', 'run', 'early')).toMatchObject({ code: 0 });
  expect((await flwd(dir, 'schedules', 'rm', 'early')).stderr).toBe(`removed ${named}\n`);
  expect(await flwd(dir, 'schedules', 'rm', 'early')).toMatchObject({
    code: 3,
    stderr: 'there is no schedule `early`; flwd schedules lists the schedules\n',
  });
  expect(await flwd(dir, 'schedules', 'rm', id)).toEqual({ code: 0, stdout: '', stderr: `removed ${id}\n` });
});

test('a schedule can be previewed without being saved, and an invalid one is refused', async () => {
  const { dir, serve } = await createInstance(jobs);
  await serve();
  const add = (...args: readonly string[]) => flwd(dir, 'schedules', 'add', ...args);
  const shown = await add('own', '--cron', '30 12 * * *', '--next', '2');
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(20\S+T12:30:00\S+\n){2}$/), stderr: '' });
  expect(await add('own', '--cron', '@reboot', '--next', '2')).toMatchObject({
    stdout: 'at the next start of the server\n',
  });
  expect((await flwd(dir, 'schedules')).stdout.split('\n')).toHaveLength(3);
  expect(await add('own')).toMatchObject({ code: 2, stderr: expect.stringContaining('--cron') });
  expect(await add('own', '--cron', '99 * * * *')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^--cron /),
  });
  expect(await add('own', '--at', '2031-12-01 09:00')).toEqual({
    code: 2,
    stdout: '',
    stderr: '--at must be a time with an offset such as `2026-12-01T09:00:00+01:00`\n',
  });
  expect(await add('own', '--cron', '0 * * * *', '--calendar', '9998-12-31')).toEqual({
    code: 2,
    stdout: '',
    stderr: '--calendar has a day more than 50 years ahead: `9998-12-31`; check its year\n',
  });
  expect(await add('onw', '--cron', '0 * * * *')).toMatchObject({ code: 3, stderr: expect.stringContaining('`own`') });
  const own: { readonly schedules: readonly Schedule[] } = JSON.parse((await flwd(dir, 'schedules', '--json')).stdout);
  const id = own.schedules[0]?.id ?? '';
  const managed = await flwd(dir, 'schedules', 'rm', id);
  expect(managed).toMatchObject({ stdout: '', stderr: expect.stringContaining('config.yaml') });
  expect(managed.code).toBe(6);
  expect(await flwd(dir, 'schedules', 'hold', id)).toMatchObject({ code: 0, stdout: `held ${id}\n` });
  expect(await flwd(dir, 'schedules', 'release', id, '--after', '2035-05-05T02:00:00Z')).toEqual({
    code: 0,
    stdout: `released ${id}\n`,
    stderr: 'own runs next at 2035-05-06T04:00:00+02:00\n',
  });
  expect(await flwd(dir, 'schedules', 'release', id, '--after', 'noon')).toMatchObject({ code: 2 });
});

test('adding a schedule warns of a missing path or secret, because of which a run would be refused now', async () => {
  const argspec = {
    type: 'object',
    properties: { input: { type: 'string' }, key: { type: 'string', format: 'secret' } },
  };
  const config = { command: ['true'], argspec, permissions: { read: [{ arg: 'input' }] } };
  const { dir, serve } = await createInstance(
    { report: { 'config.yaml': JSON.stringify(config) } },
    { security: { paths: ['/srv'] } },
  );
  await serve();
  const add = (...words: readonly string[]) => flwd(dir, 'schedules', 'add', 'report', '--cron', '0 3 * * *', ...words);
  const refused = 'warning: a run with these arguments would be refused now';
  const added = await add('--input', '/srv/flwd-none.csv');
  expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/^schedule_\w+\n$/) });
  expect(added.stderr).toContain(`${refused}: --input '/srv/flwd-none.csv' does not exist on this host`);
  expect((await add('--key.stored', 'none')).stderr).toContain(`${refused}: There is no stored secret 'none'`);
  expect((await add('--input', '/srv')).stderr).not.toContain(refused);
});

test('a schedule can be fired once, all schedules can be paused and resumed, and doctor warns about a pause', async () => {
  const { dir, serve } = await createInstance(jobs);
  const server = await serve();
  const askedAtMs = Date.now();
  await flwd(dir, 'schedules');
  // So far in the future that the next command ends before it, however slow the machine is.
  const soon = new Date(Date.now() + 3_000 + 4 * (Date.now() - askedAtMs)).toISOString();
  const added = await flwd(dir, 'schedules', 'add', 'backup/daily', '--at', soon, '--target', '/once');
  expect(added).toMatchObject({ code: 0, stderr: expect.stringMatching(/^backup\/daily runs once at 20/) });
  const id = added.stdout.trim();
  const row = async () => (await flwd(dir, 'schedules')).stdout.split('\n').find((line) => line.startsWith(id));
  await expect.poll(row, { interval: 500 }).toMatch(/Once, on .* success 20\S+ +done/);
  expect((await flwd(dir, 'runs', '--job', 'backup/daily', '--json')).stdout.match(/"run_id"/g)).toHaveLength(1);

  expect(await flwd(dir, 'schedules', 'pause')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
  expect(await flwd(dir, 'schedules', 'pause', '--all')).toMatchObject({ code: 0, stdout: 'paused all schedules\n' });
  expect((await flwd(dir, 'schedules')).stdout).toMatch(/own .* - +- +paused/);
  expect((await flwd(dir, 'doctor')).stdout).toMatch(/warn +schedules +all schedules are paused\n/);
  await server.stop();
  await serve();
  expect((await flwd(dir, 'schedules')).stdout).toMatch(/own .* - +- +paused/);
  expect(await flwd(dir, 'schedules', 'resume', '--all')).toMatchObject({ stdout: 'resumed all schedules\n' });
  expect((await flwd(dir, 'schedules')).stdout).toMatch(/own .* on/);
});

test('an instance keeps the time zone in which it was made, and says when the host is in another one', async () => {
  const daily = { cron: '@daily' };
  const { dir } = await createInstance({ plain: bash('true', { schedules: [daily, { cron: '@boot' }] }) });
  const berlin = { TZ: 'Europe/Berlin' };
  expect((await start(dir, ['run', 'plain'], { TZ: 'Asia/Tokyo' }).ended).code).toBe(0);
  const { stdout } = await start(dir, ['schedules'], berlin).ended;
  expect(stdout).toMatch(/@daily +Every day at 00:00 +Asia\/Tokyo +20\S+T00:00:00\+09:00 +- +on/);
  expect(stdout).toMatch(
    /@boot +At the first start after each boot of the host +Asia\/Tokyo +at the next boot of the host +- +on/,
  );
  const doctor = await start(dir, ['doctor'], berlin).ended;
  expect(doctor.stdout).toMatch(
    /warn +time zone +Asia\/Tokyo for schedules without a time zone, .*; the host is in Europe\/Berlin\n/,
  );
  const server = start(dir, ['serve'], berlin);
  await server.prints(
    /schedules without a timezone use the time zone of the instance, which differs from that of the host/,
  );
  await server.prints(/listening on/);
  server.child.kill('SIGTERM');
  await server.ended;
  const set = await start(dir, ['schedules'], { FLWD_SCHEDULER_TIMEZONE: 'America/New_York' }).ended;
  expect(set.stdout).toMatch(/@daily +Every day at 00:00 +America\/New_York +20\S+T00:00:00-0[45]:00 +- +on/);
});

test('removing an unknown schedule is not found', async () => {
  const { dir, serve } = await createInstance({ plain: bash('true') });
  await serve();
  expect(await flwd(dir, 'schedules')).toEqual({ code: 0, stdout: '', stderr: 'no schedules\n' });
  expect(await flwd(dir, 'schedules', 'rm', 'schedule_x')).toMatchObject({ code: 3, stdout: '' });
});
