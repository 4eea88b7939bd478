// `after`, `repeat` and `digest` make messages fewer, and no message is lost by a restart.

import { expect, test, vi } from 'vitest';
import { eventAtEnd, type NotifyEvent } from '../../src/domain/notification.ts';
import { createId } from '../../src/lib/ids.ts';
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts';
import { aChannel } from './a-channel.ts';
import { dataFolder, type Opened, openNotifier, startMs } from './a-notifier.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function when<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { interval: 10, timeout: 60_000 });
}

const bodiesOf = ({ received }: Receiver) => received.map(({ body }) => JSON.parse(body));

test('after: fewer failures than the given number are not reported, and neither is the success that follows them', async () => {
  const rule = { on: ['failed', 'still_failing', 'fixed'], after: 3 } as const;
  const told = (ends: readonly ('success' | 'failed')[]): (NotifyEvent | undefined)[] => {
    let before = 0;
    return ends.map((status) => {
      const event = eventAtEnd(rule, status, before);
      before = status === 'failed' ? before + 1 : 0;
      return event;
    });
  };
  expect(told(['failed', 'failed', 'success'])).toEqual([undefined, undefined, undefined]);
  expect(told(['failed', 'failed', 'failed', 'failed', 'success', 'failed'])).toEqual([
    undefined,
    undefined,
    'failed',
    'still_failing',
    'fixed',
    undefined,
  ]);
});

test('repeat: a failing job is reported once in the given time, then as still failing, also after a restart', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const rule = [{ on: ['failed', 'fixed'], channel: 'team', repeatMs: 24 * hourMs }] as const;
  const events = () => bodiesOf(receiver).map(({ data }) => data.event);
  const first = await openNotifier(dir, { channels });
  await first.end(rule, 'fail');
  await when(() => expect(first.notifier.outcomes.delivered).toBe(1));
  await first.close();

  const second = await openNotifier(dir, { channels });
  second.time.nowMs = startMs + 23 * hourMs;
  await second.end(rule, 'fail');
  await second.end(rule, 'fail', { run: { jobId: 'other' } });
  await when(() => expect(events()).toEqual(['failed', 'failed']));
  second.time.nowMs = startMs + 24 * hourMs;
  await second.end(rule, 'fail');
  await when(() => expect(events()).toEqual(['failed', 'failed', 'still_failing']));
  expect(bodiesOf(receiver)[2].data.message.reason).toMatch(/^3rd failure in a row\. /);
  await second.end(rule, 'succeed');
  await when(() => expect(events().at(-1)).toBe('fixed'));
  await second.end(rule, 'fail');
  await when(() => expect(events().slice(3)).toEqual(['fixed', 'failed']));
});

test('repeat: a different failure is reported at once, but no more than five of them in the given time', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const rule = [{ on: ['failed', 'fixed'], channel: 'team', repeatMs: 24 * hourMs }] as const;
  const told = () => bodiesOf(receiver).map(({ data }) => [data.event, data.message.reason]);
  const failing = async (opened: Opened, message: string): Promise<void> => {
    await opened.end(rule, 'fail', { change: { error: { message } } });
  };
  const first = await openNotifier(dir, { channels });
  await failing(first, 'no answer from 10.0.0.7');
  await when(() => expect(first.notifier.outcomes.delivered).toBe(1));
  await first.close();

  const second = await openNotifier(dir, { channels, nowMs: startMs + hourMs });
  await failing(second, 'no answer from 10.0.0.8');
  await failing(second, 'disk full');
  await when(() =>
    expect(told()).toEqual([
      ['failed', 'No answer from 10.0.0.7.'],
      ['failed', '3rd failure in a row. Disk full.'],
    ]),
  );
  for (const word of ['one', 'two', 'three', 'four', 'five']) await failing(second, `cannot read ${word}`);
  await failing(second, 'disk full');
  await second.end(rule, 'succeed');
  const last = ['fixed', 'It succeeded in 1.5s, after 9 failures in a row.'];
  await when(() => expect(told()).toContainEqual(last));
  await when(() => expect(told()).toHaveLength(6));
  // Messages to a channel may overtake each other.
  expect(told()).toEqual(
    expect.arrayContaining([
      ['failed', '4th failure in a row. Cannot read one.'],
      ['failed', '5th failure in a row. Cannot read two.'],
      ['failed', '6th failure in a row. Cannot read three.'],
    ]),
  );

  await failing(second, 'disk full');
  await when(() => expect(told()).toHaveLength(7));
  second.time.nowMs += 24 * hourMs;
  await failing(second, 'disk full');
  await when(() => expect(told().at(-1)).toEqual(['still_failing', '2nd failure in a row. Disk full.']));
});

test('a run that fails after a newer run has succeeded is reported, but is not counted as a failure in a row', async () => {
  const receiver = await startReceiver();
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const opened = await openNotifier(dataFolder(), { channels });
  const rule = [{ on: ['failed', 'still_failing'], channel: 'team' }] as const;
  const change = { error: { message: 'disk full' } };
  const old = { createdAtMs: opened.time.nowMs, id: createId('run', opened.time.nowMs) };
  opened.time.nowMs += minuteMs;
  await opened.end(rule, 'succeed');
  opened.time.nowMs += minuteMs;
  await opened.end(rule, 'fail', { run: old, change });
  await when(() => expect(receiver.received).toHaveLength(1));
  await opened.end(rule, 'fail', { change });
  await when(() => expect(receiver.received).toHaveLength(2));
  expect(bodiesOf(receiver).map(({ data }) => [data.event, data.message.reason])).toEqual([
    ['failed', 'Disk full. A newer run of the job has already succeeded.'],
    ['failed', 'Disk full.'],
  ]);
});

const digest = [{ on: ['failed', 'fixed'], channel: 'team', digestMs: 10 * minuteMs }] as const;

test('digest: what happens within the given time becomes one message, and a single event looks as usual', async () => {
  const receiver = await startReceiver();
  const channels = [aChannel({ type: 'gotify', url: receiver.url, token: 't' })];
  const opened = await openNotifier(dataFolder(), { channels, publicUrl: 'https://flwd.example.org' });
  const change = { error: { message: 'exit code 3' } };
  const first = await opened.end(digest, 'fail', { run: { jobId: 'a' }, change });
  await when(async () => expect(await opened.store.notifications.list(first)).toHaveLength(1));
  opened.time.nowMs += 9 * minuteMs;
  await opened.end(digest, 'fail', { run: { jobId: 'b' }, change });
  const last = await opened.end(digest, 'succeed', { run: { jobId: 'a' } });
  await when(async () => expect(await opened.store.notifications.list(last)).toHaveLength(1));
  expect(receiver.received).toEqual([]);
  opened.time.nowMs += minuteMs;
  await when(() => expect(opened.notifier.outcomes.delivered).toBe(1));
  expect(bodiesOf(receiver)).toEqual([
    expect.objectContaining({
      title: '2 failed, 1 working again',
      priority: 8,
      message: [
        '3 messages since 2024-01-15 10:30:01 UTC.',
        '',
        'On db1.',
        '',
        '2024-01-15 10:30:01 UTC Daily backup (a) failed: Exit code 3.',
        '2024-01-15 10:39:01 UTC Daily backup (b) failed: Exit code 3.',
        '2024-01-15 10:39:01 UTC Daily backup (a) works again: It succeeded in 1.5s, after a failure.',
        '',
        'https://flwd.example.org/runs',
      ].join('\n'),
    }),
  ]);
  for (const runId of [first, last])
    expect(await opened.store.notifications.list(runId)).toMatchObject([{ status: 'delivered', attempts: 1 }]);

  await opened.end(digest, 'fail', { run: { jobId: 'a' }, change });
  await when(async () => expect(await opened.store.notifications.pendingCount()).toBe(1));
  opened.time.nowMs += 10 * minuteMs;
  await when(() => expect(bodiesOf(receiver)[1]).toMatchObject({ title: 'Daily backup (a) failed' }));
});

test('digest: a digest survives a restart, and has the same content when it is sent again', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(500);
  const dir = dataFolder();
  const channels = [aChannel({ type: 'webhook', url: receiver.url })];
  const first = await openNotifier(dir, { channels });
  for (const jobId of ['a', 'b']) await first.end(digest, 'fail', { run: { jobId } });
  await when(async () => expect(await first.store.notifications.pendingCount()).toBe(2));
  await first.close();

  const second = await openNotifier(dir, { channels });
  second.time.nowMs = startMs + 10 * minuteMs;
  await second.notifier.close();
  await second.close();
  const third = await openNotifier(dir, { channels });
  third.time.nowMs = startMs + 10 * minuteMs;
  await third.end([], 'fail');
  await when(() => expect(third.notifier.outcomes.retried).toBe(1));
  // The new notification does not join the digest that is being sent again.
  await third.end(digest, 'fail', { run: { jobId: 'c' } });
  await when(async () => expect(await third.store.notifications.pendingCount()).toBe(3));
  receiver.answer = answerWith(200);
  third.time.nowMs += 5_000;
  await when(() => expect(third.notifier.outcomes.delivered).toBe(1));
  const [failed, again, ...others] = receiver.received;
  expect(others).toEqual([]);
  expect(again?.body).toBe(failed?.body);
  expect(again?.headers['webhook-id']).toBe(failed?.headers['webhook-id']);
  const { type, data } = JSON.parse(again?.body ?? '');
  expect(type).toBe('channel.digest');
  expect(data.notifications.map(({ job_id: jobId }: { job_id: string }) => jobId)).toEqual(['a', 'b']);
});

test.each(['slack', 'teams', 'discord', 'telegram', 'ntfy', 'mail-like'] as const)(
  'a digest of many messages fits the limits of %s',
  async (type) => {
    const receiver = await startReceiver();
    const url = `${receiver.url}/topic`;
    const channel =
      type === 'mail-like'
        ? aChannel({ type: 'template', url, body: 'message.headline + " " + message.log' })
        : aChannel({ type, url, token: '1:a', chatId: '1' });
    const opened = await openNotifier(dataFolder(), { channels: [channel] });
    const change = { error: { message: '"\\<&'.repeat(200) } };
    for (let n = 0; n < 60; n += 1) await opened.end(digest, 'fail', { run: { jobId: `job-${n}` }, change });
    await when(async () => expect(await opened.store.notifications.pendingCount()).toBe(60));
    opened.time.nowMs += 10 * minuteMs;
    await when(() => expect(opened.notifier.outcomes.delivered).toBe(1));
    const [{ body } = { body: '' }, ...others] = receiver.received;
    expect(others).toEqual([]);
    expect(body).toContain('60 failed');
    expect(Buffer.byteLength(body)).toBeLessThan(28_000);
    expect(await opened.store.notifications.pendingCount()).toBe(0);
  },
);
