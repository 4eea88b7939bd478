// Backfills: which times get a run, how many runs wait or work at once, and what ends or delays a backfill.

import { expect, test, vi } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';
import { openClocked, scheduled } from './schedule-fixture.ts';

const at = (time: string): number => Date.parse(time);
const everything = localPrincipal;
const nightly = [{ cron: '0 3 * * *' }];
/** A time at which no schedule starts anything. */
const quiet = '2026-11-15T11:30:00Z';
/** Its runs go on until they are cancelled. */
const slow = bash('sleep 8038', { schedules: nightly, cancel: { grace: '0s' } });

async function scheduleOf({ engine }: Pick<Opened, 'engine'>, jobId: string): Promise<string> {
  const views = await engine.schedules.list(everything);
  const found = views.find(({ schedule }) => schedule.jobId === jobId);
  if (!found) throw new Error(`${jobId} has no schedule`);
  return found.schedule.id;
}

async function backfill(opened: Pick<Opened, 'engine'>, jobId: string, from: string, until: string, atOnce = 1) {
  const request = { fromMs: at(from), untilMs: at(until), atOnce };
  const id = await scheduleOf(opened, jobId);
  return (await opened.engine.schedules.backfills.create(id, request, localPrincipal)).backfill;
}

const state = async ({ engine }: Pick<Opened, 'engine'>, id: string) =>
  (await engine.schedules.backfills.get(id, everything)).backfill;
const runsOf = async ({ store }: Pick<Opened, 'store'>, jobId: string) =>
  (await store.runs.list({ jobId, limit: 1_000 })).runs.toReversed();
const timesOf = async (opened: Pick<Opened, 'store'>, jobId: string) =>
  (await runsOf(opened, jobId)).map(({ labels }) => labels.nominal_at?.replace(':00.000Z', 'Z'));

/** Cancels the runs of a job that have not ended. */
async function endRuns(opened: Pick<Opened, 'engine' | 'store'>, jobId: string): Promise<void> {
  const unfinished = (await runsOf(opened, jobId)).filter(({ finished_at: end }) => end === null);
  for (const { run_id: id } of unfinished) await opened.engine.cancel(id, everything);
}

test('each time in the span gets a run, oldest first, across a change of daylight saving', async () => {
  const opened = await openClocked(dataFolder(), quiet, {
    jobs: {
      night: scheduled({ cron: '30 2 * * *', timezone: 'Europe/Berlin', labels: { team: 'ops' } }),
      hours: scheduled({ cron: '0 */2 * * *', timezone: 'Europe/Berlin' }),
      weekdays: scheduled({ cron: '0 5 * * *', timezone: 'UTC', except: ['2026-03-28', '2026-03-29'] }),
    },
  });
  const { id } = await backfill(opened, 'night', '2026-03-28T01:30:00Z', '2026-03-30T00:30:00Z');
  await expect.poll(() => state(opened, id)).toMatchObject({ status: 'done', inSpan: 2, started: 2, failedRuns: 0 });
  expect(await timesOf(opened, 'night')).toEqual(['2026-03-28T01:30Z', '2026-03-29T01:00Z']);
  const schedule = await scheduleOf(opened, 'night');
  expect((await runsOf(opened, 'night'))[1]).toMatchObject({
    status: 'success',
    trigger: { type: 'backfill' },
    created_by: `schedule:${schedule}`,
    labels: { team: 'ops', schedule_id: schedule, nominal_at: '2026-03-29T01:00:00.000Z', backfill_id: id },
  });
  const hours = await backfill(opened, 'hours', '2026-10-24T22:00:00Z', '2026-10-25T03:00:00Z', 9);
  const other = await backfill(opened, 'weekdays', '2026-03-27T00:00:00Z', '2026-03-31T00:00:00Z', 9);
  await expect.poll(() => state(opened, hours.id)).toMatchObject({ status: 'done' });
  await expect.poll(() => state(opened, other.id)).toMatchObject({ status: 'done' });
  expect(await timesOf(opened, 'hours')).toEqual(['2026-10-24T22:00Z', '2026-10-25T00:00Z', '2026-10-25T01:00Z']);
  expect(await timesOf(opened, 'weekdays')).toEqual(['2026-03-27T05:00Z', '2026-03-30T05:00Z']);
});

test('a script sees the scheduled time of its run, also in a rerun, and other runs have no such time', async () => {
  const job = bash('echo "at ${FLWD_SCHEDULED_AT-none}"', { schedules: nightly });
  const opened = await openClocked(dataFolder(), '2026-05-05T00:00:00Z', { jobs: { daily: job } });
  const saidBy = async (id: string) => {
    await opened.finished(id);
    return opened.messages(id);
  };
  await opened.at('2026-05-05T03:00:00Z');
  await backfill(opened, 'daily', '2026-05-04T00:00:00Z', '2026-05-05T00:00:00Z');
  await expect.poll(() => runsOf(opened, 'daily')).toHaveLength(2);
  const [ofSchedule, ofBackfill] = (await runsOf(opened, 'daily')).map(({ run_id: id }) => id);
  expect(await saidBy(ofSchedule ?? '')).toEqual(['at 2026-05-05T03:00:00.000Z']);
  expect(await saidBy(ofBackfill ?? '')).toEqual(['at 2026-05-04T03:00:00.000Z']);
  const caller = { principal: localPrincipal, trigger: 'rerun', requestId: 'req_1' } as const;
  const { runId } = await opened.engine.rerun(ofBackfill ?? '', {}, caller);
  expect(await saidBy(runId)).toEqual(['at 2026-05-04T03:00:00.000Z']);
  const labels = { nominal_at: '2026-05-04T03:00:00.000Z' };
  expect(await saidBy(await opened.create('daily', {}, { labels }))).toEqual(['at none']);
});

test('a time that has a run is left out, whether the schedule or another backfill started it', async () => {
  const jobs = { daily: scheduled({ cron: '0 3 * * *' }) };
  const opened = await openClocked(dataFolder(), '2026-05-03T00:00:00Z', { jobs });
  await opened.at('2026-05-03T03:00:00Z');
  await opened.at('2026-05-05T04:00:00Z');
  expect(await opened.fires('daily')).toEqual(['2026-05-03T03:00Z']);
  const first = await backfill(opened, 'daily', '2026-05-02T00:00:00Z', '2026-05-05T00:00:00Z');
  await expect.poll(() => state(opened, first.id)).toMatchObject({ status: 'done', leftOut: 1, started: 2 });
  const again = await backfill(opened, 'daily', '2026-05-01T00:00:00Z', '2026-05-05T04:00:00Z');
  await expect.poll(() => state(opened, again.id)).toMatchObject({ status: 'done', leftOut: 3, started: 2, inSpan: 5 });
  expect((await timesOf(opened, 'daily')).toSorted((a = '', b = '') => a.localeCompare(b))).toEqual(
    ['01', '02', '03', '04', '05'].map((day) => `2026-05-${day}T03:00Z`),
  );
});

test('a released schedule does not start times again that a backfill has started', async () => {
  const jobs = { daily: scheduled({ cron: '0 3 * * *', held: true, catch_up: 'all' }) };
  const opened = await openClocked(dataFolder(), '2026-05-05T04:00:00Z', { jobs });
  const { id } = await backfill(opened, 'daily', '2026-05-03T00:00:00Z', '2026-05-04T12:00:00Z');
  await expect.poll(() => state(opened, id)).toMatchObject({ status: 'done', started: 2 });
  const schedule = await scheduleOf(opened, 'daily');
  await opened.engine.schedules.release(schedule, at('2026-05-03T00:00:00Z'), localPrincipal);
  await opened.at('2026-05-05T04:01:00Z');
  expect(await timesOf(opened, 'daily')).toEqual(['2026-05-03T03:00Z', '2026-05-04T03:00Z', '2026-05-05T03:00Z']);
});

test('a backfill has at most its limit of unfinished runs, and a cancel keeps it from starting more', async () => {
  const opened = await openClocked(dataFolder(), quiet, { jobs: { slow }, limits: { globalConcurrency: 1 } });
  const { id } = await backfill(opened, 'slow', '2026-05-01T00:00:00Z', '2026-05-11T00:00:00Z', 3);
  await expect.poll(() => runsOf(opened, 'slow')).toHaveLength(3);
  expect(await state(opened, id)).toMatchObject({ status: 'running', started: 3, inSpan: 10 });
  await opened.engine.cancel((await runsOf(opened, 'slow'))[0]?.run_id ?? '', everything);
  await expect.poll(() => runsOf(opened, 'slow')).toHaveLength(4);
  const { backfill: cancelled } = await opened.engine.schedules.backfills.cancel(id, everything);
  expect(cancelled).toMatchObject({ status: 'cancelled', started: 4, failedRuns: null, error: null });
  await endRuns(opened, 'slow');
  const later = await backfill(opened, 'slow', '2026-05-10T00:00:00Z', '2026-05-11T00:00:00Z');
  await expect.poll(() => state(opened, later.id)).toMatchObject({ started: 1 });
  expect(await timesOf(opened, 'slow')).toEqual(['01', '02', '03', '04', '10'].map((day) => `2026-05-${day}T03:00Z`));
});

test('the next server continues a backfill where the last one stopped', async () => {
  const root = dataFolder();
  const first = await openClocked(root, quiet, { jobs: { slow } });
  const { id } = await backfill(first, 'slow', '2026-05-01T00:00:00Z', '2026-05-05T00:00:00Z', 2);
  await expect.poll(() => runsOf(first, 'slow')).toHaveLength(2);
  await first.close();
  const second = await openClocked(root, quiet);
  expect(await state(second, id)).toMatchObject({ status: 'running', started: 2 });
  const ended = async () => {
    await endRuns(second, 'slow');
    return state(second, id);
  };
  await expect.poll(ended).toMatchObject({ status: 'done', started: 4, leftOut: 0 });
  expect(await timesOf(second, 'slow')).toEqual(['01', '02', '03', '04'].map((day) => `2026-05-${day}T03:00Z`));
});

test.each([
  ['the queue is full', { schedules: nightly }, { globalConcurrency: 1, maxDepth: 0 }, 'queue-full'],
  [
    'a run of the job is in the way',
    { schedules: nightly, concurrency: { limit: 1, on_conflict: 'reject' } },
    {},
    'concurrency-conflict',
  ],
])('a backfill waits while %s', async (_, terms, limits, problem) => {
  const jobs = { slow: bash('sleep 8038', { ...terms, cancel: { grace: '0s' } }) };
  const opened = await openClocked(dataFolder(), quiet, { jobs, limits });
  // While the engine still reads what an earlier engine left, no run starts at once.
  const own = await vi.waitFor(() => opened.create('slow'), { timeout: 60_000 });
  const { id } = await backfill(opened, 'slow', '2026-05-01T00:00:00Z', '2026-05-02T00:00:00Z');
  const told = () => opened.log.filter((line) => line.backfill_id === id);
  await expect.poll(told).toContainEqual(expect.objectContaining({ problem }));
  expect(await state(opened, id)).toMatchObject({ status: 'running', started: 0, leftOut: 0 });
  await opened.engine.cancel(own, everything);
  await expect.poll(() => state(opened, id)).toMatchObject({ started: 1 });
});

test('a backfill starts nothing while all schedules are paused, and continues afterwards', async () => {
  const opened = await openClocked(dataFolder(), quiet, { jobs: { slow } });
  const { pause, resume, backfills } = opened.engine.schedules;
  const { id } = await backfill(opened, 'slow', '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z');
  await expect.poll(() => runsOf(opened, 'slow')).toHaveLength(1);
  await pause(undefined, localPrincipal);
  await endRuns(opened, 'slow');
  const late = await backfill(opened, 'slow', '2026-05-04T00:00:00Z', '2026-05-05T00:00:00Z');
  expect(await backfills.get(late.id, everything)).toMatchObject({ isPaused: true });
  expect(await runsOf(opened, 'slow')).toHaveLength(1);
  await resume(undefined, localPrincipal);
  await expect.poll(() => state(opened, id)).toMatchObject({ started: 2 });
  await expect.poll(() => state(opened, late.id)).toMatchObject({ started: 1 });
});

test('a refused start or the removal of its schedule ends the backfill with the reason', async () => {
  const argspec = { type: 'object', properties: { n: { type: 'integer' } } };
  const opened = await openEngine(dataFolder(), {
    jobs: {
      off: bash('true', { enabled: false, schedules: [{ cron: '0 3 * * *' }] }),
      plain: bash('exit 1', { argspec }),
    },
  });
  const off = await backfill(opened, 'off', '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z');
  await expect
    .poll(() => state(opened, off.id))
    .toMatchObject({
      status: 'failed',
      started: 0,
      error: { detail: expect.stringMatching(/^No run could be started for 2026-05-01T03:00:00.000Z: .*disabled/) },
    });
  const { schedules } = opened.engine;
  const made = await schedules.create({ job_id: 'plain', cron: '0 3 * * *' }, localPrincipal);
  const failing = await backfill(opened, 'plain', '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z');
  await expect.poll(() => state(opened, failing.id)).toMatchObject({ status: 'done', started: 2, failedRuns: 2 });
  await schedules.pause(undefined, localPrincipal);
  const gone = await backfill(opened, 'plain', '2026-06-01T00:00:00Z', '2026-06-03T00:00:00Z');
  await schedules.remove(made.schedule.id, everything);
  await schedules.resume(undefined, localPrincipal);
  await expect
    .poll(() => state(opened, gone.id))
    .toMatchObject({
      status: 'failed',
      error: { type: expect.stringContaining('schedule-not-found') },
    });
});

test('a backfill is removed once it is older than the retention of runs', async () => {
  const opened = await openEngine(dataFolder(), {
    jobs: { daily: scheduled({ cron: '0 3 * * *' }) },
    policy: { runsMs: 86_400_000 },
    nowMs: Date.now() + 2 * 86_400_000,
  });
  const { id } = await backfill(opened, 'daily', '2026-05-01T00:00:00Z', '2026-05-03T00:00:00Z');
  await expect.poll(() => state(opened, id)).toMatchObject({ status: 'done' });
  await opened.retention.collect({ forMs: 10_000, share: 1 });
  await expect(state(opened, id)).rejects.toMatchObject({ slug: 'backfill-not-found' });
});
