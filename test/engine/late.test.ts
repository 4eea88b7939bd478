// Runs that take too long, successes that do not come, and times that schedules missed.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, openEngine } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';
import { hourMs, minuteMs, openClocked, scheduled } from './schedule-fixture.ts';

const waits = (expectation: object) =>
  bash('until [ -e go ]; do sleep 0.05; done', { expect: expectation, ulc_profile: 'ulc.shell.bash' });
const start = '2026-06-01T00:00:30Z';

/** An engine whose clock stands still until the test moves it, with what it has noticed. */
async function openLate(root: string, at: string, o: Parameters<typeof openClocked>[2] = {}) {
  const opened = await openClocked(root, at, o);
  const { engine, store } = opened;
  await engine.late.tick();
  const list = async () => {
    const rows = await store.late.list({ limit: 100 });
    return rows.map(({ kind, detail, overAtMs }) => `${kind}${overAtMs === null ? '' : ', over'}: ${detail}`);
  };
  return {
    ...opened,
    list,
    to: async (time: string) => {
      await opened.at(time);
      await engine.late.tick();
      return list();
    },
  };
}

test('a run that works longer than its job expects is reported late once, also after a restart, until it ends', async () => {
  const root = dataFolder();
  const clock = movableClock();
  const halfADayLater = new Date(clock.now() + 12 * 60 * minuteMs).toISOString().slice(11, 16);
  const first = await openEngine(root, {
    jobs: { load: waits({ duration: '30m' }), other: waits({ by: halfADayLater }) },
    clock,
  });
  const runId = await first.create('load');
  await first.create('other');
  await first.when(runId, ({ status }) => status === 'running');
  const kinds = async ({ store }: Pick<typeof first, 'store'>) =>
    (await store.late.list({ limit: 10 })).map(({ runId: id, kind, overAtMs }) => [id, kind, overAtMs !== null]);
  await first.engine.schedules.tick();
  await first.engine.late.tick();
  clock.forward(29 * minuteMs);
  await first.engine.late.tick();
  expect(await kinds(first)).toEqual([]);
  clock.forward(2 * minuteMs);
  await first.engine.late.tick();
  await first.engine.late.tick();
  expect(await kinds(first)).toEqual([[runId, 'duration', false]]);
  expect((await first.store.late.list({ limit: 10 }))[0]?.detail).toBe(
    'It was still running after 30m of work, which is the most it should take.',
  );
  await first.close();

  const second = await openEngine(root, { clock });
  await second.engine.schedules.tick();
  await second.engine.late.tick();
  expect(await kinds(second)).toEqual([[runId, 'duration', false]]);
  await second.engine.cancel(runId, localPrincipal, { isForced: true });
  await second.finished(runId);
  await expect
    .poll(async () => {
      await second.engine.late.tick();
      return kinds(second);
    })
    .toEqual([[runId, 'duration', true]]);
});

test('a job without a success by the time of day is late once for each day, until it succeeds', async () => {
  const root = dataFolder();
  const jobs = { backup: bash('true', { expect: { by: '06:00' } }) };
  const first = await openLate(root, start, { jobs, timezone: 'Europe/Berlin' });
  // 06:00 in Berlin is 04:00 UTC.
  expect(await first.to('2026-06-01T03:59:59Z')).toEqual([]);
  const late = 'No run has succeeded by 06:00 (Europe/Berlin).';
  expect(await first.to('2026-06-01T04:00:01Z')).toEqual([`by: ${late}`]);
  expect(await first.to('2026-06-01T09:00:00Z')).toEqual([`by: ${late}`]);
  await first.close();

  // After a restart, what was late before is not noticed again, but what became late while no server was running is
  // noticed.
  const second = await openLate(root, '2026-06-01T09:30:00Z', { timezone: 'Europe/Berlin' });
  expect(await second.list()).toEqual([`by: ${late}`]);
  await second.close();
  const third = await openLate(root, '2026-06-02T08:00:00Z', { timezone: 'Europe/Berlin' });
  expect(await third.list()).toEqual([`by: ${late}`, `by: ${late}`]);
  await third.finished(await third.create('backup'));
  await expect.poll(() => third.to('2026-06-02T08:01:00Z')).toEqual([`by, over: ${late}`, `by, over: ${late}`]);
  await third.to('2026-06-03T02:00:00Z');
  await third.finished(await third.create('backup'));
  expect(await third.to('2026-06-03T05:00:00Z')).toHaveLength(2);
});

test('a job without a success in the expected span is late once, and again only after its next success', async () => {
  const root = dataFolder();
  const jobs = {
    sync: bash('true', { expect: { every: '24h' } }),
    off: bash('true', { expect: { every: '1h' }, enabled: false }),
  };
  const { to, create, finished } = await openLate(root, start, { jobs });
  expect(await to('2026-06-02T00:00:00Z')).toEqual([]);
  const never = 'every: No run has succeeded yet; a success is expected every 1d.';
  expect(await to('2026-06-02T00:01:00Z')).toEqual([never]);
  await finished(await create('sync'));
  await expect.poll(() => to('2026-06-02T00:02:00Z')).toEqual([never.replace('every:', 'every, over:')]);
  expect(await to('2026-06-03T00:00:00Z')).toHaveLength(1);
  const [last] = await to('2026-06-03T00:01:01Z');
  expect(last).toBe('every: The last success was at 2026-06-02 00:01 UTC; a success is expected every 1d.');
  expect(await to('2026-06-05T12:00:00Z')).toHaveLength(2);
});

test('pausing schedules ends what is late, and afterwards the same missed success is not reported again', async () => {
  const jobs = { sync: bash('true', { expect: { every: '24h', by: '06:00' } }) };
  const opened = await openLate(dataFolder(), '2026-06-01T07:00:00Z', { jobs });
  const { to, store } = opened;
  const { pause, resume } = opened.engine.schedules;
  await opened.finished(await opened.create('sync'));
  const by = 'No run has succeeded by 06:00 (UTC).';
  const old = 'The last success was at 2026-06-01 07:00 UTC; a success is expected every 1d.';
  await to('2026-06-02T06:00:01Z');
  expect(await to('2026-06-02T07:00:01Z')).toEqual([`every: ${old}`, `by: ${by}`]);

  await pause('default', localPrincipal);
  expect(await to('2026-06-02T08:00:00Z')).toEqual([`every, over: ${old}`, `by, over: ${by}`]);
  expect(await to('2026-06-04T12:00:00Z')).toHaveLength(2);
  await store.db.transact(async (tx) => {
    for (const late of await store.late.untold(10)) await store.late.setTold(tx, late, { team: 1 });
  });

  await resume('default', localPrincipal);
  expect(await to('2026-06-04T13:00:00Z')).toEqual([`every, over: ${old}`, `by, over: ${by}`]);
  await to('2026-06-05T06:00:01Z');
  // The success is late again, so it is listed, but nobody is notified again.
  const since = 'every: No run has succeeded since 2026-06-04 13:00 UTC, when flwd began to expect a success every 1d.';
  expect(await to('2026-06-05T13:00:00Z')).toEqual([since, `by: ${by}`, `by, over: ${by}`]);
  expect((await store.late.untold(10)).map(({ kind }) => kind)).toEqual(['by']);
  expect(await to('2026-06-05T13:00:01Z')).toHaveLength(3);

  await opened.finished(await opened.create('sync'));
  await expect
    .poll(() => to('2026-06-05T13:00:02Z'))
    .toEqual([since.replace('every:', 'every, over:'), `by, over: ${by}`, `by, over: ${by}`]);
});

test('a job that has never succeeded is not late again after a pause', async () => {
  const jobs = { sync: bash('true', { expect: { every: '1h' } }) };
  const { to, engine } = await openLate(dataFolder(), start, { jobs });
  const never = 'every: No run has succeeded yet; a success is expected every 1h.';
  expect(await to('2026-06-01T02:00:00Z')).toEqual([never]);
  await engine.schedules.pause('default', localPrincipal);
  expect(await to('2026-06-01T02:01:00Z')).toEqual([never.replace('every:', 'every, over:')]);
  await engine.schedules.resume('default', localPrincipal);
  expect(await to('2026-06-01T02:02:00Z')).toEqual([never.replace('every:', 'every, over:')]);
  expect(await to('2026-06-01T04:00:00Z')).toEqual([never]);
});

test('a job is no longer late once it is disabled or the expectation is removed', async () => {
  const root = dataFolder();
  const job = (expectation: object, more: object = {}) => bash('true', { expect: expectation, ...more });
  const both = { by: '06:00', every: '1h' };
  const begun = await openLate(root, start, { jobs: { off: job(both), less: job(both), more: job(both) } });
  expect(await begun.to('2026-06-01T07:00:00Z')).toHaveLength(6);
  await begun.close();
  const changed = { off: job(both, { enabled: false }), less: job({ by: '06:00' }), more: bash('true') };
  const { close, list } = await openLate(root, '2026-06-01T07:10:00Z', { jobs: changed });
  expect((await list()).filter((row) => !row.includes(', over:'))).toEqual([]);
  await close();

  const again = await openLate(root, '2026-06-01T07:20:00Z', { jobs: { off: job(both), less: job(both) } });
  expect(await again.to('2026-06-01T08:00:00Z')).toHaveLength(6);
  await again.to('2026-06-01T09:00:00Z');
  const open = (await again.store.late.list({ limit: 10, isOpen: true })).map(({ jobId, kind }) => `${jobId} ${kind}`);
  expect(open.toSorted()).toEqual(['less every', 'off every']);
});

test.each([false, true])(
  'what a job expects still counts while its folder is missing, until the folder is back without the job (with a restart: %s)',
  async (isRestarted) => {
    const root = dataFolder();
    const jobs = { sync: bash('true', { expect: { every: '1h' } }), gone: bash('true', { expect: { by: '02:00' } }) };
    const first = await openLate(root, start, { jobs });
    renameSync(join(root, 'jobs'), join(root, 'away'));
    await first.rescan();
    expect(await first.to('2026-06-01T00:30:00Z')).toEqual([]);
    if (isRestarted) await first.close();
    const { to, rescan } = isRestarted ? await openLate(root, '2026-06-01T00:40:00Z', { lacksFolder: true }) : first;
    const never = 'every: No run has succeeded yet; a success is expected every 1h.';
    const by = 'by: No run has succeeded by 02:00 (UTC).';
    expect(await to('2026-06-01T01:30:00Z')).toEqual([never]);
    expect(await to('2026-06-01T02:00:01Z')).toEqual([by, never]);

    rmSync(join(root, 'away/gone'), { recursive: true });
    renameSync(join(root, 'away'), join(root, 'jobs'));
    await rescan();
    expect(await to('2026-06-01T02:01:00Z')).toEqual([by.replace('by:', 'by, over:'), never]);
  },
);

test('what a job expects still applies while its config.yaml is broken, until the job is removed', async () => {
  const root = dataFolder();
  const jobs = { sync: bash('true', { expect: { every: '1h' } }) };
  const { to, rescan } = await openLate(root, start, { jobs });
  writeFileSync(join(root, 'jobs/sync/config.yaml'), 'command: [');
  await rescan();
  const never = 'every: No run has succeeded yet; a success is expected every 1h.';
  expect(await to('2026-06-01T01:30:00Z')).toEqual([never]);
  rmSync(join(root, 'jobs/sync'), { recursive: true });
  await rescan();
  expect(await to('2026-06-01T01:31:00Z')).toEqual([never.replace('every:', 'every, over:')]);
});

test('a run that works too long is late while the folder of its job is missing', async () => {
  const root = dataFolder();
  const clock = movableClock();
  const { engine, store, create, when, rescan } = await openEngine(root, {
    jobs: { load: waits({ duration: '30m' }) },
    clock,
  });
  const runId = await create('load');
  await when(runId, ({ status }) => status === 'running');
  await engine.schedules.tick();
  await engine.late.tick();
  renameSync(join(root, 'jobs'), join(root, 'away'));
  await rescan();
  clock.forward(31 * minuteMs);
  await engine.late.tick();
  expect(await store.late.list({ limit: 10 })).toMatchObject([{ runId, kind: 'duration' }]);
});

test('while schedules are paused, no success is expected', async () => {
  const jobs = { sync: bash('true', { expect: { every: '24h', by: '06:00' } }) };
  const paused = await openLate(dataFolder(), start, { jobs, arePaused: true });
  expect(await paused.to('2026-06-05T00:00:00Z')).toEqual([]);
});

test('the times that a schedule missed are recorded with their number, the reason, and the command that starts them', async () => {
  const root = dataFolder();
  const jobs = {
    hourly: scheduled({ cron: '0 * * * *', timezone: 'Europe/Berlin' }),
    held: scheduled({ cron: '0 * * * *', catch_up: 'last' }),
  };
  const before = await openLate(root, start, { jobs });
  await before.close();
  const fromMs = Date.parse('2026-06-01T00:10:00Z');
  const downtime = { fromMs, toMs: Date.parse('2026-06-01T03:29:50Z'), isExact: true, why: 'flwd was not running' };
  const { engine, list, finished, create, to } = await openLate(root, '2026-06-01T03:30:00Z', { downtime });
  const id = (await engine.schedules.list(localPrincipal)).find(({ schedule: { jobId } }) => jobId === 'hourly')
    ?.schedule.id;
  const missed =
    'The schedule started no run for 3 of its times, from 2026-06-01 03:00 CEST to 2026-06-01 05:00 CEST: ' +
    'flwd was not running from 2026-06-01 02:10 CEST to 2026-06-01 05:29:50 CEST. ' +
    `To start these runs now: flwd backfill hourly --schedule ${id} ` +
    '--from 2026-06-01T03:00:00+02:00 --until 2026-06-01T05:00:01+02:00';
  expect(await list()).toEqual([`missed: ${missed}`]);
  await finished(await create('hourly'));
  await expect
    .poll(() => to(new Date(Date.parse(start) + 3.6 * hourMs).toISOString()))
    .toEqual([`missed, over: ${missed}`]);
});

test('if a schedule missed more than 100 times, the command starts the newest 100', async () => {
  const root = dataFolder();
  const jobs = { often: scheduled({ cron: '* * * * *' }) };
  await (await openLate(root, '2026-06-01T00:00:30Z', { jobs })).close();
  const { list } = await openLate(root, '2026-06-01T03:30:00Z', {});
  await expect
    .poll(list)
    .toEqual([
      expect.stringMatching(
        /To start the newest 100 runs now: .* --from 2026-06-01T01:50:00\+00:00 --until 2026-06-01T03:29:01\+00:00$/,
      ),
    ]);
});

test('a schedule that missed a time while its config.yaml was broken says so', async () => {
  const root = dataFolder();
  const jobs = { hourly: scheduled({ cron: '0 * * * *' }) };
  const { to, rescan, at } = await openLate(root, start, { jobs });
  const file = join(root, 'jobs/hourly/config.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, 'command: [');
  await rescan();
  await at('2026-06-01T00:10:00Z');
  expect(await to('2026-06-01T01:20:00Z')).toEqual([]);
  writeFileSync(file, text);
  await rescan();
  expect(await to('2026-06-01T01:30:00Z')).toEqual([
    expect.stringContaining(
      'no run for 2026-06-01 01:00 UTC: the job was invalid from 2026-06-01 00:10 UTC to 2026-06-01 01:30 UTC. To start this run',
    ),
  ]);
});

test('a missed time is over once its job is removed with the schedule, but not while the job is broken; the log names the removed job', async () => {
  const root = dataFolder();
  const jobs = {
    hourly: scheduled({ cron: '0 * * * *' }),
    other: scheduled({ cron: '0 0 1 1 *' }),
  };
  const before = await openLate(root, start, { jobs });
  await before.close();
  const { to, rescan, log } = await openLate(root, '2026-06-01T03:30:00Z');
  const file = join(root, 'jobs/hourly/config.yaml');
  writeFileSync(file, 'command: [');
  await rescan();
  expect(await to('2026-06-01T03:31:00Z')).toEqual([expect.stringMatching(/^missed: /)]);
  writeFileSync(join(root, 'jobs/other/config.yaml'), 'command: [echo, hi]\n');
  const gone = 'jobs with schedules are gone from their source, so nothing starts them';
  await rescan();
  expect(log.filter(({ msg }) => msg === gone)).toEqual([]);

  writeFileSync(file, 'command: [echo, hi]\nschedules: [{cron: "0 * * * *"}]\n');
  await rescan();
  await to('2026-06-01T03:32:00Z');
  renameSync(join(root, 'jobs/hourly'), join(root, 'away'));
  await rescan();
  expect(await to('2026-06-01T03:33:00Z')).toEqual([expect.stringMatching(/^missed, over: /)]);
  expect(log.filter(({ msg }) => msg === gone)).toMatchObject([{ level: 40, jobs: 'hourly' }]);
});

test('with duration: auto, a run is late after twice the 95th percentile of ten successes or more', async () => {
  const root = dataFolder();
  const clock = movableClock();
  const job = bash('[ "$FLWD_ARG_WAIT" = no ] || until [ -e go ]; do sleep 0.05; done', {
    expect: { duration: 'auto' },
    argspec: { type: 'object', properties: { wait: { type: 'string', default: 'no' } } },
  });
  const { engine, store, create, finished, when } = await openEngine(root, { jobs: { load: job }, clock });
  for (let n = 0; n < 9; n += 1) await finished(await create('load'));
  await engine.schedules.tick();
  await engine.late.tick();
  const early = await create('load', { wait: 'yes' });
  await when(early, ({ status }) => status === 'running');
  await engine.late.tick();
  clock.forward(hourMs);
  await engine.late.tick();
  expect(await store.late.list({ limit: 10 })).toEqual([]);
  await engine.cancel(early, localPrincipal, { isForced: true });
  await finished(early);
  await finished(await create('load'));
  const runId = await create('load', { wait: 'yes' });
  await when(runId, ({ status }) => status === 'running');
  await engine.late.tick();
  clock.forward(hourMs);
  await engine.late.tick();
  expect(await store.late.list({ limit: 10 })).toMatchObject([
    {
      runId,
      detail: expect.stringMatching(/^It was still running after 1h.* of work, more than twice as long as nearly all/),
    },
  ]);
});
