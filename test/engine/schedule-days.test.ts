// Schedules that fire once, and schedules that fire only on some days.

import { beforeEach, expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder } from './an-engine.ts';
import { hourMs, minuteMs, openClocked, scheduled } from './schedule-fixture.ts';

let root: string;
beforeEach(() => {
  root = dataFolder();
});

const once = (extra: object = {}) => scheduled({ at: '2026-12-01T09:00:00+01:00', ...extra } as object);

test('a schedule with a single time starts one run, says that it is done, and starts no other after a restart', async () => {
  const engine = await openClocked(root, '2026-12-01T07:00:00Z', { jobs: { report: once() } });
  const view = async () => (await engine.engine.schedules.list(localPrincipal))[0];
  expect(await view()).toMatchObject({ isDone: false });
  expect((await view())?.nextFires()).toEqual([Date.parse('2026-12-01T08:00:00Z')]);
  await engine.walk('2026-12-03T00:00:00Z', hourMs / 4);
  expect(await engine.fires('report')).toEqual(['2026-12-01T08:00Z']);
  expect(await view()).toMatchObject({ isDone: true });
  await engine.close();

  const again = await openClocked(root, '2026-12-04T00:00:00Z', { jobs: { report: once() } });
  await again.walk('2026-12-05T00:00:00Z', hourMs);
  expect(await again.fires('report')).toEqual(['2026-12-01T08:00Z']);
  await again.close();
});

test.each([
  ['none', []],
  ['last', ['2026-12-01T08:00Z']],
])('a single time that was missed follows catch_up: %s', async (catchUp, fires) => {
  const jobs = { report: once({ catch_up: catchUp }) };
  await (await openClocked(root, '2026-12-01T07:00:00Z', { jobs })).close();
  const late = await openClocked(root, '2026-12-01T12:00:00Z', { jobs });
  await late.at('2026-12-01T12:01:00Z');
  expect(await late.fires('report')).toEqual(fires);
  expect(await late.engine.schedules.list(localPrincipal)).toMatchObject([{ isDone: true }]);
  await late.close();
});

test('`except` leaves out whole days of the schedule’s own time zone', async () => {
  const jobs = {
    night: scheduled({ cron: '30 23 * * *', timezone: 'America/New_York', except: ['2026-12-24', '2026-12-25'] }),
  };
  const engine = await openClocked(root, '2026-12-23T00:00:00Z', { jobs });
  await engine.walk('2026-12-28T00:00:00Z', 30 * minuteMs);
  expect(await engine.fires('night')).toEqual(['2026-12-23T04:30Z', '2026-12-24T04:30Z', '2026-12-27T04:30Z']);
  await engine.close();
});

test('`calendar` names a calendar of flwd.yaml, and a schedule with an unknown calendar starts nothing', async () => {
  const jobs = {
    close: scheduled({ cron: '0 18 * * *', calendar: 'closing' }),
    lost: scheduled({ cron: '0 18 * * *', except: 'no-such' }),
  };
  const calendars = new Map([['closing', new Set(['2026-03-31', '2026-06-30'])]]);
  const engine = await openClocked(root, '2026-01-01T00:00:00Z', { jobs, calendars });
  await engine.walk('2026-07-02T00:00:00Z', 6 * hourMs);
  expect(await engine.fires('close')).toEqual(['2026-03-31T18:00Z', '2026-06-30T18:00Z']);
  expect(await engine.fires('lost')).toEqual([]);
  expect(await engine.engine.schedules.list(localPrincipal)).toMatchObject([
    { isDone: true, denied: null },
    { denied: { message: expect.stringContaining("The server does not know the calendar 'no-such': add it") } },
  ]);
  await engine.close();
});

test('a schedule whose times cannot be computed does not stop other schedules, and cannot be created', async () => {
  // Neither flwd.yaml nor a request accepts such a day, so only an older version can have stored one.
  const calendars = new Map([['far', new Set(['9999-12-31'])]]);
  const jobs = {
    broken: scheduled({ cron: '0 * * * *', calendar: 'far' }),
    hourly: scheduled({ cron: '0 * * * *' }),
  };
  const engine = await openClocked(root, '2026-01-01T00:30:00Z', { jobs, calendars });
  await engine.walk('2026-01-01T02:30:00Z', 10 * minuteMs);
  expect(await engine.fires('hourly')).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z']);
  expect(await engine.fires('broken')).toEqual([]);
  const request = { job_id: 'hourly', cron: '0 * * * *', calendar: 'far' };
  await expect(engine.engine.schedules.create(request, localPrincipal)).rejects.toThrow();
  expect(await engine.store.schedules.all()).toEqual([]);
  await engine.close();
});

test('a schedule of the API whose single time has passed is not started again when other fields change', async () => {
  const engine = await openClocked(root, '2026-12-01T07:00:00Z', { jobs: { report: bash('true') } });
  const { schedules } = engine.engine;
  const at = '2026-12-01T08:00:00Z';
  const { schedule } = await schedules.create({ job_id: 'report', at }, localPrincipal);
  await engine.walk('2026-12-02T00:00:00Z', hourMs);
  const named = await schedules.replace(schedule.id, { job_id: 'report', at, name: 'Once' }, localPrincipal);
  expect(named).toMatchObject({ schedule: { name: 'Once', atMs: Date.parse(at) }, isDone: true });
  const earlier = { job_id: 'report', at: '2026-12-01T07:30:00Z' };
  await expect(schedules.replace(schedule.id, earlier, localPrincipal)).rejects.toMatchObject({
    slug: 'validation-error',
  });
  await engine.close();
});

test('while all schedules are paused nothing starts, even after a restart, and nothing is caught up later', async () => {
  const jobs = { hourly: scheduled({ cron: '0 * * * *', catch_up: 'all' }) };
  const engine = await openClocked(root, '2026-01-01T00:30:00Z', { jobs });
  await engine.at('2026-01-01T01:00:10Z');
  await engine.engine.schedules.pause(undefined, localPrincipal);
  await engine.walk('2026-01-01T03:30:00Z', 30 * minuteMs);
  expect(engine.engine.health().schedules).toMatchObject({ status: 'degraded' });
  await engine.close();

  const again = await openClocked(root, '2026-01-01T05:30:00Z', { jobs });
  await again.walk('2026-01-01T06:30:00Z', 30 * minuteMs);
  expect(await again.fires('hourly')).toEqual(['2026-01-01T01:00Z']);
  expect(await again.engine.schedules.list(localPrincipal)).toMatchObject([{ isPaused: true }]);
  const other = { ...localPrincipal, tenant: 'acme' };
  expect(await again.engine.schedules.resume(undefined, other)).toMatchObject({ isPaused: true });
  await again.engine.schedules.resume(undefined, localPrincipal);
  await again.walk('2026-01-01T08:30:00Z', 30 * minuteMs);
  expect(await again.fires('hourly')).toEqual(['2026-01-01T01:00Z', '2026-01-01T07:00Z', '2026-01-01T08:00Z']);
  await again.close();

  const operated = await openClocked(root, '2026-01-01T09:30:00Z', { jobs, arePaused: true });
  await operated.walk('2026-01-01T11:30:00Z', 30 * minuteMs);
  expect(await operated.fires('hourly')).toHaveLength(3);
  expect(await operated.engine.schedules.resume(undefined, localPrincipal)).toMatchObject({ byOperator: true });
  await operated.close();
});
