// When schedules start runs: on time, after a downtime, with a wrong clock, and when something is in the way.

import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { expectWithin } from '../support/goes.ts';
import { bash, type JobFiles, writeJob } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { type Clocked, hourMs, minuteMs, openClocked, scheduled } from './schedule-fixture.ts';

const start = '2026-06-01T00:00:30Z';
const hourly = (more: Readonly<Record<string, unknown>> = {}) => scheduled({ cron: '0 * * * *', ...more });

test('a run says which schedule started it, and for which time', async () => {
  const jobs = { hourly: hourly({ labels: { team: 'ops' } }) };
  const { at, store, engine } = await openClocked(dataFolder(), start, { jobs });
  await at('2026-06-01T00:59:59.999Z');
  expect((await store.runs.list({ limit: 10 })).total).toBe(0);
  await at('2026-06-01T01:00:00.200Z');
  const [view] = await engine.schedules.list(localPrincipal);
  const id = view?.schedule.id ?? '';
  const { runs } = await store.runs.list({ label: { key: 'schedule_id', value: id }, limit: 10 });
  expect(runs).toMatchObject([
    {
      job_id: 'hourly',
      trigger: { type: 'schedule' },
      created_by: `schedule:${id}`,
      labels: { team: 'ops', schedule_id: id, nominal_at: '2026-06-01T01:00:00.000Z' },
    },
  ]);
  expect(view?.state).toMatchObject({ lastFire: { runId: runs[0]?.run_id }, lastError: null });
  expect(view?.nextFires().map((atMs) => new Date(atMs).toISOString())).toEqual([
    '2026-06-01T02:00:00.000Z',
    '2026-06-01T03:00:00.000Z',
    '2026-06-01T04:00:00.000Z',
  ]);
});

test('with a running clock, a schedule fires within a second', async () => {
  let offsetMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + offsetMs };
  const { engine } = await openEngine(dataFolder(), { jobs: { often: scheduled({ cron: '* * * * *' }) }, clock });
  await engine.schedules.tick();
  const lastFire = async () => (await engine.schedules.list(localPrincipal)).at(0)?.state?.lastFire ?? undefined;
  await expectWithin(1_000, async () => {
    const before = await lastFire();
    offsetMs += minuteMs - (clock.now() % minuteMs) - 700;
    await expect.poll(lastFire).not.toEqual(before);
    const { atMs = 0, nominalAtMs = 0 } = (await lastFire()) ?? {};
    expect(atMs - nominalAtMs).toBeGreaterThanOrEqual(0);
    return atMs - nominalAtMs;
  });
});

test('after a downtime, catch_up decides what happens to missed times', async () => {
  const root = dataFolder();
  const jobs = { none: hourly(), last: hourly({ catch_up: 'last' }), all: hourly({ catch_up: 'all' }) };
  const before = await openClocked(root, start, { jobs });
  await before.at('2026-06-01T01:00:01Z');
  await before.close();

  const { at, fires } = await openClocked(root, '2026-06-01T04:30:00Z');
  expect(await fires('none')).toEqual(['2026-06-01T01:00Z']);
  expect(await fires('last')).toEqual(['2026-06-01T01:00Z', '2026-06-01T04:00Z']);
  const each = ['2026-06-01T01:00Z', '2026-06-01T02:00Z', '2026-06-01T03:00Z', '2026-06-01T04:00Z'];
  expect(await fires('all')).toEqual(each);
  await at('2026-06-01T05:00:01Z');
  expect(await fires('none')).toEqual(['2026-06-01T01:00Z', '2026-06-01T05:00Z']);
  expect(await fires('last')).toEqual(['2026-06-01T01:00Z', '2026-06-01T04:00Z', '2026-06-01T05:00Z']);
  expect(await fires('all')).toEqual([...each, '2026-06-01T05:00Z']);
});

test('a machine that slept is treated like one that was off', async () => {
  const jobs = { none: hourly(), last: hourly({ catch_up: 'last' }) };
  const { at, fires } = await openClocked(dataFolder(), start, { jobs });
  await at('2026-06-01T09:20:00Z');
  expect(await fires('none')).toEqual([]);
  expect(await fires('last')).toEqual(['2026-06-01T09:00Z']);
});

test('a quick restart misses no time, whatever catch_up says', async () => {
  const root = dataFolder();
  const before = await openClocked(root, '2026-06-01T00:59:59Z', { jobs: { hourly: hourly() } });
  await before.close();
  const { fires } = await openClocked(root, '2026-06-01T01:00:25Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z']);
});

test('of very many missed times only the newest 100 are caught up, and the log says so', async () => {
  const root = dataFolder();
  const jobs = { often: scheduled({ cron: '* * * * *', catch_up: 'all' }) };
  await (await openClocked(root, start, { jobs })).close();
  const { fires, log } = await openClocked(root, '2026-06-03T12:00:50Z');
  const caught = await fires('often');
  expect(caught).toHaveLength(100);
  expect([caught.at(0), caught.at(-1)]).toEqual(['2026-06-03T10:21Z', '2026-06-03T12:00Z']);
  expect(caught).toEqual([...new Set(caught)].toSorted());
  expect(log.map(({ msg }) => msg)).toContain('a schedule missed more than 100 times: it catches up on the newest 100');
});

test('when the clock is set back no time fires twice, even after a restart', async () => {
  const root = dataFolder();
  const jobs = { hourly: hourly({ catch_up: 'all' }) };
  const first = await openClocked(root, start, { jobs });
  await first.at('2026-06-01T01:00:01Z');
  await first.at('2026-06-01T02:00:01Z');
  await first.at('2026-05-31T22:30:00Z');
  await first.walk('2026-06-01T00:10:00Z', hourMs / 3);
  await first.close();
  const { walk, fires } = await openClocked(root, '2026-06-01T00:30:00Z');
  await walk('2026-06-01T03:10:00Z', 20_000);
  const fired = ['2026-05-31T23:00Z', '2026-06-01T00:00Z', '2026-06-01T01:00Z', '2026-06-01T02:00Z'];
  expect(await fires('hourly')).toEqual([...fired, '2026-06-01T03:00Z']);
});

test('when the clock is put forward and back again every schedule goes on firing, and the log says so', async () => {
  const { at, walk, fires, log } = await openClocked(dataFolder(), start, {
    jobs: { often: scheduled({ cron: '* * * * *' }) },
  });
  await at('2026-06-01T00:01:01Z');
  await at('2026-06-01T00:32:01Z');
  await at('2026-06-01T00:02:01Z');
  await walk('2026-06-01T00:04:10Z', 10_000);
  const minutes = ['00:01', '00:02', '00:03', '00:04'].map((time) => `2026-06-01T${time}Z`);
  expect(await fires('often')).toEqual([...minutes, '2026-06-01T00:32Z']);
  expect(log.map(({ msg }) => msg)).toContain('the clock was set back; times that have fired do not fire again');
  await walk('2026-06-01T00:33:10Z', 25_000);
  expect(await fires('often')).toHaveLength(minutes.length + 27 + 2);
});

test('jitter delays the start of a run, but not its nominal time', async () => {
  const jobs = { hourly: hourly({ jitter: '20m' }) };
  const { walk, fires, store } = await openClocked(dataFolder(), start, { jobs });
  await walk('2026-06-01T04:30:00Z', 10_000);
  expect(await fires('hourly')).toEqual([1, 2, 3, 4].map((hour) => `2026-06-01T0${hour}:00Z`));
  const { runs } = await store.runs.list({ limit: 10 });
  const delays = runs.map(({ created_at: at, labels }) => Date.parse(at) - Date.parse(labels.nominal_at ?? ''));
  expect(new Set(delays).size).toBe(4);
  expect(Math.max(...delays)).toBeLessThan(20 * minuteMs + 10_000);
});

test('a start that fails is shown at its schedule, is not repeated, and delays no other schedule', async () => {
  const jobs = {
    refused: bash('true', { security_profile: 'disabled', schedules: [{ cron: '0 * * * *' }] }),
    hourly: hourly(),
  };
  const { at, fires, engine, log } = await openClocked(dataFolder(), start, { jobs });
  await at('2026-06-01T01:00:01Z');
  await at('2026-06-01T01:00:09Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z']);
  const views = await engine.schedules.list(localPrincipal);
  expect(views.find(({ schedule }) => schedule.jobId === 'refused')?.state).toMatchObject({
    lastFire: null,
    lastError: {
      nominalAtMs: Date.parse('2026-06-01T01:00:00Z'),
      type: 'https://flowd.org/problems/profile-not-allowed',
    },
  });
  expect(log.filter(({ problem }) => problem === 'profile-not-allowed')).toHaveLength(1);
});

test('while the queue is full, a start is retried until the next time is due', async () => {
  const jobs = { hold: bash('echo held; sleep 8004'), hourly: hourly() };
  const limits = { globalConcurrency: 1, maxDepth: 0 };
  const { at, create, engine, finished, fires, messages } = await openClocked(dataFolder(), start, { jobs, limits });
  const state = async () => (await engine.schedules.list(localPrincipal)).at(0)?.state;
  const full = { type: 'https://flowd.org/problems/queue-full' };
  const holder = await create('hold');
  await expect.poll(() => messages(holder)).toEqual(['held']);
  await at('2026-06-01T01:00:01Z');
  expect(await state()).toMatchObject({ settledAtMs: null, lastError: full });
  await at('2026-06-01T02:00:00Z');
  expect(await state()).toMatchObject({ settledAtMs: Date.parse('2026-06-01T01:00:00Z'), lastError: full });

  await engine.cancel(holder, localPrincipal);
  await finished(holder);
  await at('2026-06-01T02:40:00Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T02:00Z']);
  expect(await state()).toMatchObject({ lastError: null });
});

test('with catch_up: all, a full queue only delays the runs of missed times', async () => {
  const jobs = { hold: bash('echo held; sleep 8005'), hourly: hourly({ catch_up: 'all' }) };
  const limits = { globalConcurrency: 1, maxDepth: 0 };
  const { at, create, engine, finished, fires, messages } = await openClocked(dataFolder(), start, { jobs, limits });
  const holder = await create('hold');
  await expect.poll(() => messages(holder)).toEqual(['held']);
  await at('2026-06-01T03:10:00Z');
  await engine.cancel(holder, localPrincipal);
  await finished(holder);
  for (let second = 0; second < 60 && (await fires('hourly')).length < 3; second += 1) {
    await at(Date.parse('2026-06-01T03:11:00Z') + second * 1_000);
    await expect.poll(() => engine.queue().running).toBe(0);
  }
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z', '2026-06-01T02:00Z', '2026-06-01T03:00Z']);
});

test('a schedule whose run could not be stored has not fired, and starts the run once storing works again', async () => {
  const { at, fires, store, engine } = await openClocked(dataFolder(), start, { jobs: { hourly: hourly() } });
  const { add } = store.runs;
  Object.assign(store.runs, { add: () => Promise.reject(new Error('torn off')) });
  await at('2026-06-01T01:00:01Z');
  const [view] = await engine.schedules.list(localPrincipal);
  expect((await store.schedules.states()).get(view?.schedule.id ?? '')).toMatchObject({
    settledAtMs: null,
    lastFire: null,
  });
  Object.assign(store.runs, { add });
  await at('2026-06-01T01:05:00Z');
  await at('2026-06-01T01:06:00Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z']);
});

test('a schedule of the API counts its times from when it was created, enabled or given another pattern', async () => {
  const jobs = { quick: bash('true') };
  const { at, fires, engine } = await openClocked(dataFolder(), start, { jobs });
  const { schedules } = engine;
  const terms = { job_id: 'quick', cron: '0 * * * *', catch_up: 'all' } as const;
  const ann = { kind: 'token', name: 'ann', scopes: [], tenant: '*' } as const;
  const { schedule } = await schedules.create(terms, ann);
  await at('2026-06-01T01:00:01Z');
  await schedules.replace(schedule.id, { ...terms, enabled: false }, ann);
  await at('2026-06-01T03:30:00Z');
  await schedules.replace(schedule.id, terms, ann);
  await at('2026-06-01T04:00:01Z');
  await at('2026-06-01T04:45:00Z');
  await schedules.replace(schedule.id, { ...terms, cron: '30 * * * *' }, ann);
  await at('2026-06-01T05:30:01Z');
  await schedules.remove(schedule.id, localPrincipal);
  await at('2026-06-01T06:30:01Z');
  expect(await fires('quick')).toEqual(['2026-06-01T01:00Z', '2026-06-01T04:00Z', '2026-06-01T05:30Z']);
});

test('schedules run in the tenant of the caller who made them; those in config.yaml run in the default tenant', async () => {
  const jobs = { quick: bash('true'), hourly: hourly() };
  const { at, engine, store } = await openClocked(dataFolder(), start, { jobs });
  const ann = { kind: 'token', name: 'ann', scopes: [], tenant: 'acme' } as const;
  const { schedule } = await engine.schedules.create({ job_id: 'quick', cron: '0 * * * *' }, ann);
  await at('2026-06-01T01:00:01Z');
  const { runs } = await store.runs.list({ limit: 10 });
  const tenants = Object.fromEntries(runs.map(({ job_id, tenant }) => [job_id, tenant]));
  expect(tenants).toEqual({ hourly: 'default', quick: 'acme' });
  const own = runs.find(({ job_id }) => job_id === 'quick');
  expect(own).toMatchObject({ created_by: `schedule:${schedule.id}` });
});

test('when a server starts, it names once each job that has lost all its schedules since the last server', async () => {
  const root = dataFolder();
  const jobs = { gone: hourly(), kept: hourly(), changed: hourly(), released: hourly({ held: true }) };
  const first = await openClocked(root, start, { jobs });
  const views = await first.engine.schedules.list(localPrincipal);
  const held = views.find(({ isHeld }) => isHeld)?.schedule.id ?? '';
  await first.at('2026-06-01T01:00:01Z');
  await first.engine.schedules.release(held, undefined, localPrincipal);
  await first.close();
  const without = (log: Clocked['log']) => log.filter(({ msg }) => String(msg).includes('of the last server are gone'));
  const other = { gone: scheduled(), released: scheduled(), changed: scheduled({ cron: '30 * * * *' }) };
  const second = await openClocked(root, '2026-06-01T01:30:30Z', { jobs: other });
  expect(without(second.log)).toMatchObject([{ level: 40, jobs: 'gone, released' }]);
  await second.close();
  expect(without((await openClocked(root, '2026-06-01T01:40:00Z', { jobs: other })).log)).toEqual([]);
});

test('when a server starts, it names at most five jobs that have lost their schedules, and counts the others', async () => {
  const root = dataFolder();
  const sevenOf = (job: ReturnType<typeof scheduled>) => ({ a: job, b: job, c: job, d: job, e: job, f: job, g: job });
  const first = await openClocked(root, start, { jobs: sevenOf(hourly()) });
  await first.at('2026-06-01T01:00:01Z');
  await first.close();
  const { log } = await openClocked(root, '2026-06-01T01:30:30Z', { jobs: sevenOf(scheduled()) });
  expect(log).toContainEqual(expect.objectContaining({ level: 40, jobs: 'a, b, c, d, e, and 2 more' }));
});

test('a schedule that was removed from config.yaml for a while catches up on nothing, and fires no time twice', async () => {
  const root = dataFolder();
  const jobs = { hourly: hourly({ catch_up: 'all' }) };
  const first = await openClocked(root, start, { jobs });
  await first.at('2026-06-01T01:00:01Z');
  await first.close();
  await (await openClocked(root, '2026-06-01T02:30:00Z', { jobs: { hourly: scheduled() } })).close();
  const { at, fires } = await openClocked(root, '2026-06-01T00:45:00Z', { jobs });
  await at('2026-06-01T01:00:01Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z']);
  await at('2026-06-01T03:00:01Z');
  expect(await fires('hourly')).toEqual(['2026-06-01T01:00Z', '2026-06-01T02:00Z', '2026-06-01T03:00Z']);
});

test.each([false, true])(
  'while the folder of its source is missing, a schedule misses its times (with a restart: %s)',
  async (isRestarted) => {
    const root = dataFolder();
    const all = hourly({ catch_up: 'all' });
    const jobs = { none: hourly(), last: hourly({ catch_up: 'last' }), all, removed: all };
    const first = await openClocked(root, start, { jobs });
    await first.at('2026-06-01T01:00:01Z');
    renameSync(join(root, 'jobs'), join(root, 'away'));
    await first.rescan();
    await first.at('2026-06-01T02:30:00Z');
    expect(first.engine.health().sources).toEqual({
      status: 'degraded',
      detail: 'the folder of jobs is missing or cannot be read: local-fs',
    });
    expect(await first.engine.schedules.list(localPrincipal)).toEqual([]);
    if (isRestarted) await first.close();
    const { at, fires, rescan, engine, store } = isRestarted
      ? await openClocked(root, '2026-06-01T03:10:00Z', { lacksFolder: true })
      : first;
    await at('2026-06-01T03:30:00Z');

    rmSync(join(root, 'away/removed'), { recursive: true });
    renameSync(join(root, 'away'), join(root, 'jobs'));
    await rescan();
    await at('2026-06-01T04:30:00Z');
    expect(engine.health().sources).toEqual({ status: 'ok' });
    expect(await fires('none')).toEqual(['2026-06-01T01:00Z']);
    expect(await fires('last')).toEqual(['2026-06-01T01:00Z', '2026-06-01T04:00Z']);
    const each = ['2026-06-01T01:00Z', '2026-06-01T02:00Z', '2026-06-01T03:00Z', '2026-06-01T04:00Z'];
    expect(await fires('all')).toEqual(each);
    expect((await store.late.list({ limit: 10 })).map(({ jobId, kind }) => [jobId, kind])).toEqual([
      ['none', 'missed'],
    ]);

    await writeJob(join(root, 'jobs/removed'), all);
    await rescan();
    await at('2026-06-01T04:45:00Z');
    await at('2026-06-01T05:00:01Z');
    expect(await fires('removed')).toEqual(['2026-06-01T01:00Z', '2026-06-01T05:00Z']);
  },
);

test.each([false, true])(
  'while a job is broken, its schedule misses its times and health names the job (with a restart: %s)',
  async (isRestarted) => {
    const root = dataFolder();
    const all = hourly({ catch_up: 'all' });
    const yearly = scheduled({ cron: '0 0 1 1 *' });
    const jobs = { skips: hourly(), last: hourly({ catch_up: 'last' }), all, removed: all, fine: hourly(), yearly };
    const write = (name: string, files: JobFiles) => writeJob(join(root, 'jobs', name), files);
    const first = await openClocked(root, start, { jobs });
    await first.at('2026-06-01T01:00:01Z');
    for (const name of ['skips', 'last', 'all', 'removed', 'yearly'])
      await write(name, { 'config.yaml': 'schedules:\n\t- cron' });
    await first.rescan();
    await first.at('2026-06-01T02:00:01Z');
    if (isRestarted) await first.close();
    const { at, fires, rescan, engine, store, log } = isRestarted
      ? await openClocked(root, '2026-06-01T02:40:00Z')
      : first;
    rmSync(join(root, 'jobs/removed'), { recursive: true });
    await rescan();
    await at('2026-06-01T03:00:01Z');
    expect(engine.health().schedules).toEqual({
      status: 'degraded',
      detail: 'the schedules of these jobs start nothing, because the jobs are invalid: all, last, skips, yearly',
    });
    expect(log).not.toContainEqual(expect.objectContaining({ msg: expect.stringContaining('are gone') }));
    const msg = 'the schedules of these jobs start nothing until the jobs are corrected';
    const warnings = log.flatMap((line) => (line.msg === msg ? [line.jobs] : []));
    expect(warnings).toEqual(isRestarted ? ['all, last, removed, skips, yearly'] : []);

    for (const name of ['skips', 'last', 'all', 'removed', 'yearly'] as const) await write(name, jobs[name]);
    await rescan();
    await at('2026-06-01T03:30:00Z');
    expect(engine.health().schedules).toEqual({ status: 'ok' });
    expect(await fires('skips')).toEqual(['2026-06-01T01:00Z']);
    expect(await fires('last')).toEqual(['2026-06-01T01:00Z', '2026-06-01T03:00Z']);
    const each = ['2026-06-01T01:00Z', '2026-06-01T02:00Z', '2026-06-01T03:00Z'];
    expect(await fires('all')).toEqual(each);
    expect(await fires('fine')).toEqual(each);
    expect(await fires('removed')).toEqual(['2026-06-01T01:00Z']);
    expect((await store.late.list({ limit: 10 })).map(({ jobId, kind }) => [jobId, kind])).toEqual([
      ['skips', 'missed'],
    ]);
  },
);

test.each([false, true])(
  'while all schedules are paused, a broken job misses no times (with a restart in the pause: %s)',
  async (isRestarted) => {
    const root = dataFolder();
    const jobs = { all: hourly({ catch_up: 'all' }) };
    const write = (files: JobFiles) => writeJob(join(root, 'jobs/all'), files);
    const first = await openClocked(root, start, { jobs });
    await first.at('2026-06-01T01:00:01Z');
    await write({ 'config.yaml': 'schedules:\n\t- cron' });
    await first.rescan();
    await first.at('2026-06-01T02:10:00Z');
    await first.engine.schedules.pause('*', localPrincipal);
    await first.at('2026-06-01T03:00:01Z');
    if (isRestarted) await first.close();
    const { at, fires, rescan, engine } = isRestarted ? await openClocked(root, '2026-06-01T03:30:00Z') : first;
    await at('2026-06-01T04:10:00Z');
    await engine.schedules.resume('*', localPrincipal);
    expect(engine.health().schedules).toMatchObject({ detail: expect.stringContaining('start nothing') });
    await at('2026-06-01T05:00:01Z');

    await write(jobs.all);
    await rescan();
    await at('2026-06-01T05:30:00Z');
    expect(await fires('all')).toEqual(['2026-06-01T01:00Z', '2026-06-01T05:00Z']);
  },
);

test('once the engine is closed, no schedule starts a run', async () => {
  const { at, engine, fires } = await openClocked(dataFolder(), start, { jobs: { hourly: hourly() } });
  await engine.close();
  await at('2026-06-01T01:00:01Z');
  expect(await fires('hourly')).toEqual([]);
});
