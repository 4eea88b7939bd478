// Heartbeats of schedules: each success causes a call, and only the call for the newest success matters.

import { expect, test, vi } from 'vitest';
import type { ScheduleHeartbeat } from '../../src/domain/notification.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { dataFolder, type Opened, openNotifier, startMs } from './a-notifier.ts';

const hourMs = 3_600_000;
const when = (claim: () => void | Promise<void>) => vi.waitFor(claim, { interval: 20, timeout: 60_000 });
const rule = (to: ScheduleHeartbeat['to']) => [
  { heartbeat: { scheduleId: 'schedule_1', to }, on: ['success'] } as const,
];

test('a success calls the address once by GET, and a failure does not call it', async () => {
  const receiver = await startReceiver();
  const { end, store } = await openNotifier(dataFolder());
  const rules = rule(`${receiver.url}/ping?token=abc`);
  await end(rules, 'fail');
  const runId = await end(rules, 'succeed');
  const find = () => store.heartbeats.find('schedule_1');
  await when(async () => expect(await find()).toMatchObject({ runId, nextAtMs: null, lastCall: { atMs: startMs } }));
  expect(receiver.received).toMatchObject([{ path: '/ping?token=abc', body: '' }]);
  expect(receiver.received[0]?.headers['user-agent']).toMatch(/^flwd\//);
  expect(await store.notifications.list(runId)).toEqual([]);
});

test('a call that fails is tried again with growing delays, until the success is a day old', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(302, { location: `${receiver.url}/elsewhere` });
  const { end, store, time, log } = await openNotifier(dataFolder());
  await end(rule(`${receiver.url}/secret-path`), 'succeed');
  const calls = (count: number) => when(() => expect(receiver.received).toHaveLength(count));
  const settled = (attempts: number) =>
    when(async () => expect((await store.heartbeats.find('schedule_1'))?.attempts).toBe(attempts));
  await calls(1);
  await settled(1);
  const found = await store.heartbeats.find('schedule_1');
  expect(found).toMatchObject({ nextAtMs: startMs + 5_000, lastCall: null });
  expect(found?.lastFailure).toEqual({
    atMs: startMs,
    error: 'the answer was 302, and redirects are not followed',
  });
  receiver.answer = answerWith(500);
  time.nowMs += 5_000;
  await calls(2);
  await settled(2);
  expect((await store.heartbeats.find('schedule_1'))?.nextAtMs).toBe(startMs + 20_000);
  time.nowMs = startMs + 22 * hourMs;
  await calls(3);
  await settled(3);
  time.nowMs = startMs + 24 * hourMs - 1;
  await calls(4);
  await settled(4);
  expect(await store.heartbeats.find('schedule_1')).toMatchObject({ nextAtMs: null });
  await when(() => expect(log.map(({ msg }) => msg)).toContain('gave up calling a heartbeat'));
  expect(JSON.stringify(log)).not.toContain('secret-path');
  expect(receiver.received.map(({ path }) => path)).toEqual(Array(4).fill('/secret-path'));
});

test('the call for a newer success replaces an older one, and the answer 410 ends the calls', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(503);
  const { end, store } = await openNotifier(dataFolder());
  await end(rule(`${receiver.url}/old`), 'succeed');
  await when(async () => expect((await store.heartbeats.find('schedule_1'))?.attempts).toBe(1));
  receiver.answer = answerWith(410);
  const runId = await end(rule(`${receiver.url}/new`), 'succeed');
  await when(async () =>
    expect(await store.heartbeats.find('schedule_1')).toMatchObject({
      runId,
      nextAtMs: null,
      lastFailure: { error: 'the answer was 410' },
    }),
  );
  expect(receiver.received.map(({ path }) => path)).toEqual(['/old', '/new']);
});

test('a call that was cut short is repeated after the next start', async () => {
  const receiver = await startReceiver();
  receiver.answer = () => undefined;
  const dir = dataFolder();
  const first = await openNotifier(dir);
  await first.end(rule(receiver.url), 'succeed');
  await when(() => expect(receiver.received).toHaveLength(1));
  await first.close();
  receiver.answer = (response) => response.end();
  const second = await openNotifier(dir, { nowMs: startMs + hourMs });
  await when(async () =>
    expect(await second.store.heartbeats.find('schedule_1')).toMatchObject({
      nextAtMs: null,
      successAtMs: startMs,
      lastCall: { atMs: startMs + hourMs },
    }),
  );
  expect(receiver.received).toHaveLength(2);
});

test('the address may be a stored secret, and no error shows it', async () => {
  const receiver = await startReceiver();
  const secrets: Record<string, string> = {};
  const { end, store, time } = await openNotifier(dataFolder(), { secrets });
  await end(rule({ secret: 'watch-url' }), 'succeed');
  const find = () => store.heartbeats.find('schedule_1');
  await when(async () => expect(await find()).toMatchObject({ attempts: 1 }));
  const missing = 'a secret that it needs is not stored, or cannot be read';
  expect((await find())?.lastFailure?.error).toBe(missing);
  secrets['watch-url'] = `${receiver.url}/from-secret\n`;
  time.nowMs += 5_000;
  await when(async () => expect(await find()).toMatchObject({ nextAtMs: null, lastCall: { atMs: startMs + 5_000 } }));
  expect(receiver.received.map(({ path }) => path)).toEqual(['/from-secret']);
});

test('for each schedule the log says once that its heartbeat cannot be called, and once that it can again', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(500);
  const dir = dataFolder();
  const first = await openNotifier(dir);
  const rules = rule(`${receiver.url}/secret-path`);
  const settled = ({ store }: Opened, expected: object) =>
    when(async () => expect(await store.heartbeats.find('schedule_1')).toMatchObject(expected));
  const told = ({ log }: Opened) => log.filter(({ schedule_id: id }) => id === 'schedule_1');
  await first.end(rules, 'succeed', { run: { jobId: 'backup' } });
  await settled(first, { attempts: 1 });
  const subject = { schedule_id: 'schedule_1', job_id: 'backup', origin: receiver.url };
  const begun = {
    ...subject,
    level: 40,
    error: 'the answer was 500',
    msg: 'a heartbeat cannot be called; flwd tries again for a day',
  };
  await when(() => expect(told(first)).toMatchObject([begun]));
  first.time.nowMs += 5_000;
  await settled(first, { attempts: 2 });
  receiver.answer = answerWith(410);
  await first.end(rules, 'succeed', { run: { jobId: 'backup' } });
  await settled(first, { attempts: 1, nextAtMs: null });
  expect(told(first)).toHaveLength(1);
  expect(JSON.stringify(first.log)).not.toContain('secret-path');
  await first.close();

  const second = await openNotifier(dir, { nowMs: startMs + hourMs });
  receiver.answer = answerWith(500);
  const runId = await second.end(rules, 'succeed', { run: { jobId: 'backup' } });
  await settled(second, { attempts: 1, runId });
  receiver.answer = answerWith(200);
  second.time.nowMs += 5_000;
  await settled(second, { attempts: 1, nextAtMs: null });
  await when(() =>
    expect(told(second)).toMatchObject([{ ...subject, level: 30, msg: 'a heartbeat can be called again' }]),
  );
  const last = await second.end(rules, 'succeed', { run: { jobId: 'backup' } });
  await settled(second, { runId: last, attempts: 0, nextAtMs: null });
  expect(told(second)).toHaveLength(1);
});
