// Notifications about what is late or missed. They follow the rules in force at the time at which it is noticed.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { ChannelRule } from '../../src/domain/notification.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { aChannel } from './a-channel.ts';
import { dataFolder, openNotifier, startMs } from './a-notifier.ts';

const hourMs = 3_600_000;

function when<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { interval: 10, timeout: 60_000 });
}

const bodiesOf = ({ received }: Receiver) => received.map(({ body }) => JSON.parse(body));
const late = (key: string, over: object = {}) => ({
  tenant: 'default',
  jobId: 'prod/backup',
  kind: 'by' as const,
  key,
  atMs: startMs,
  runId: null,
  scheduleId: null,
  detail: 'No run has succeeded by 06:00 (UTC).',
  ...over,
});

/** Opens a notifier on a database in which these entries are late, and about which nobody has been notified. */
async function opened(dir: string, rules: readonly ChannelRule[], receiver: Receiver, nowMs = startMs) {
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const before = await openNotifier(dir);
  await before.close();
  return openNotifier(dir, { channels, rules, publicUrl: 'https://flwd.example.org/', nowMs });
}

test('the rules of flwd.yaml report what is late and what was missed, even without a run', async () => {
  const receiver = await startReceiver();
  const rules = [{ jobs: ['prod/**'], terms: { on: ['late', 'missed'] }, to: ['team'] }] as const;
  const { add } = await opened(dataFolder(), rules, receiver);
  await add(late('1'));
  await add(late('2', { kind: 'missed', scheduleId: 'schedule_1', detail: 'The schedule started no run.' }));
  await add(late('3', { jobId: 'test/other' }));
  await when(() => expect(receiver.received).toHaveLength(2));
  const [first, second] = bodiesOf(receiver).toSorted((a, b) => (a.data.event < b.data.event ? -1 : 1));
  expect(first).toMatchObject({
    type: 'job.late',
    timestamp: '2024-01-15T10:30:00.000Z',
    data: {
      run_id: null,
      job_id: 'prod/backup',
      event: 'late',
      status: null,
      trigger: null,
      message: {
        headline: 'prod/backup is late',
        reason: 'No run has succeeded by 06:00 (UTC).',
        url: 'https://flwd.example.org/jobs/prod/backup',
      },
    },
  });
  expect(second).toMatchObject({ type: 'job.missed', data: { event: 'missed' } });
});

test('without server.public_url, a message about what is late has commands, except if its reason has one', async () => {
  const receiver = await startReceiver();
  const channels = [aChannel({ type: 'gotify', url: receiver.url, token: 't' })];
  const rules = [{ jobs: ['**'], terms: { on: ['late', 'missed'] }, to: ['team'] }] as const;
  const { add, end } = await openNotifier(dataFolder(), { channels, rules });
  // The run is left running.
  const runId = await end([], 'claim');
  await add(late('1'));
  await add(late('2', { kind: 'missed', scheduleId: 'schedule_1', detail: 'The schedule started no run.' }));
  await add(late(runId, { jobId: 'backup/daily', kind: 'duration', runId, detail: 'It still runs.' }));
  await when(() => expect(receiver.received).toHaveLength(3));
  const texts = receiver.received.map(({ body }) => String(JSON.parse(body).message));
  expect(texts.toSorted()).toEqual([
    expect.stringMatching(
      new RegExp(`^It still runs\\..*\n\nOn db1: flwd logs ${runId}, or flwd cancel ${runId}$`, 's'),
    ),
    expect.stringMatching(/^No run has succeeded .*UTC\.\n\nOn db1: flwd runs --job prod\/backup$/s),
    expect.stringMatching(/^The schedule started no run\.\n\nNoticed on db1 at .* UTC\.$/),
  ]);
});

test('repeat and digest also apply to what is late', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const rules = [{ jobs: ['**'], terms: { on: ['late'], repeatMs: 24 * hourMs }, to: ['team'] }] as const;
  const first = await opened(dir, rules, receiver);
  await first.add(late('1'));
  await when(() => expect(first.notifier.outcomes.delivered).toBe(1));
  await first.close();
  const second = await opened(dir, rules, receiver, startMs + hourMs);
  await second.add(late('2'));
  await second.add(late('1', { jobId: 'other' }));
  await when(() => expect(receiver.received).toHaveLength(2));
  expect(bodiesOf(receiver).map(({ data }) => data.job_id)).toEqual(['prod/backup', 'other']);
  await when(() => expect(second.notifier.outcomes.delivered).toBe(1));
  await second.close();

  const digesting = [{ jobs: ['**'], terms: { on: ['late'], digestMs: 600_000 }, to: ['team'] }] as const;
  const third = await opened(dir, digesting, receiver, startMs + 2 * hourMs);
  await third.add(late('3'));
  await third.add(late('4', { jobId: 'third' }));
  await when(async () => expect(await third.store.late.untold(10)).toEqual([]));
  third.time.nowMs += 600_000;
  await when(() => expect(receiver.received).toHaveLength(3));
  expect(bodiesOf(receiver)[2]).toMatchObject({ type: 'channel.digest', data: { message: { headline: '2 late' } } });
});

test('if a late run has ended before the message about it is sent, the message says how the run ended', async () => {
  const receiver = await startReceiver();
  const rules = [{ jobs: ['**'], terms: { on: ['late'] }, to: ['team'] }] as const;
  const { add, end } = await opened(dataFolder(), rules, receiver);
  const runId = await end([], 'fail');
  const detail = 'It was still running after 2s of work, which is the most it should take.';
  await add(late(runId, { jobId: 'backup/daily', kind: 'duration', runId, detail }));
  await when(() => expect(receiver.received).toHaveLength(1));
  expect(bodiesOf(receiver)[0]).toMatchObject({ data: { message: { reason: `${detail} It has failed since.` } } });
});

test('while a job is broken, its newest run has the rules that report it as late', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const jobs = join(dir, 'jobs');
  mkdirSync(join(jobs, 'broken'), { recursive: true });
  writeFileSync(join(jobs, 'broken/config.yaml'), 'command: 7\n');
  const { add, end } = await openNotifier(dir, { jobs });
  const own = [{ on: ['late'], webhook: receiver.url }] as const;
  const run = { jobId: 'broken' };
  await end([], 'fail', { run });
  await end(own, 'fail', { run: { ...run, createdAtMs: startMs + 1 } });
  await end(own, 'fail', { run: { jobId: 'removed' } });
  await add(late('1', { jobId: 'removed' }));
  await add(late('2', { jobId: 'broken' }));
  await when(() => expect(receiver.received).toHaveLength(1));
  expect(bodiesOf(receiver)).toMatchObject([{ type: 'job.late', data: { job_id: 'broken' } }]);
});
