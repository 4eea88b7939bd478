import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { fillDisk, mountDisk, testWithDisk } from '../support/small-disk.ts';
import { dataFolder, type Opened, openNotifier, startMs } from './a-notifier.ts';

const hourMs = 3_600_000;

function when<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { interval: 10, timeout: 60_000 });
}

/** Waits until the only notification of the run matches. */
async function notificationWhen(opened: Opened, runId: string, expected: Readonly<Record<string, unknown>>) {
  return when(async () => {
    const [notification] = await opened.store.notifications.list(runId);
    expect(notification).toMatchObject(expected);
    return notification;
  });
}

test('the end of a run is sent as a signed POST that any Standard Webhooks library can verify', async () => {
  const receiver = await startReceiver();
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: `${receiver.url}/hooks/T0KEN?x=1` }], 'fail', {
    run: { labels: { team: 'ops' }, trigger: { type: 'cli' } },
    change: { error: { message: 'exit code 3', step_id: 'step_01', hint: 'allow it' } },
  });
  const notification = await notificationWhen(opened, runId, {
    status: 'delivered',
    origin: receiver.url,
    attempts: 1,
    last_error: null,
    next_attempt_at: null,
    created_at: '2024-01-15T10:30:00.000Z',
    finished_at: '2024-01-15T10:30:00.000Z',
  });

  const [request, ...others] = receiver.received;
  expect(others).toEqual([]);
  expect(request?.path).toBe('/hooks/T0KEN?x=1');
  expect(JSON.parse(request?.body ?? '')).toEqual({
    type: 'run.finished',
    timestamp: '2024-01-15T10:30:01.500Z',
    data: {
      run_id: runId,
      job_id: 'backup/daily',
      tenant: 'default',
      event: 'failed',
      status: 'failed',
      reason: 'exit',
      error: { message: 'exit code 3', step_id: 'step_01', hint: 'allow it' },
      exit_code: 3,
      cancel_requested_by: null,
      created_at: '2024-01-15T10:30:00.000Z',
      started_at: '2024-01-15T10:30:00.000Z',
      finished_at: '2024-01-15T10:30:01.500Z',
      duration_ms: 1_500,
      labels: { team: 'ops' },
      attempt: 1,
      trigger: { type: 'cli' },
    },
  });
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const signed = createHmac('sha256', key).update(`${notification?.id}.1705314600.${request?.body}`).digest('base64');
  expect(request?.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': notification?.id,
    'webhook-timestamp': '1705314600',
    'webhook-signature': `v1,${signed}`,
  });
  expect(notification?.id).toMatch(/^notice_[0-9A-Z]{26}$/);
  await when(() => expect(opened.notifier.outcomes).toEqual({ delivered: 1, retried: 0, failed: 0 }));
  expect(JSON.stringify(opened.log)).not.toContain('T0KEN');
});

test('each webhook of a job gets only the ends that it asks for', async () => {
  const receiver = await startReceiver();
  const opened = await openNotifier(dataFolder());
  const rules = [
    { on: ['failed'], webhook: `${receiver.url}/failed` },
    { on: ['success', 'cancelled'], webhook: `${receiver.url}/other` },
    { on: ['success'], webhook: `${receiver.url}/success` },
  ] as const;
  const failed = await opened.end(rules, 'fail');
  const succeeded = await opened.end(rules, 'succeed');
  const cancelled = await opened.end(rules, 'cancel');
  await when(() => expect(receiver.received).toHaveLength(4));
  const told = receiver.received.map(({ path, body }) => `${path} ${JSON.parse(body).data.run_id}`);
  expect(told.toSorted()).toEqual(
    [`/failed ${failed}`, `/other ${succeeded}`, `/success ${succeeded}`, `/other ${cancelled}`].toSorted(),
  );
});

test('runs without rules leave no row, and the cursor is not written for each of them', async () => {
  const opened = await openNotifier(dataFolder());
  for (let n = 0; n < 20; n += 1) await opened.end([]);
  expect(await opened.store.notifications.cursor()).toBe(1);
  const { read } = opened.store.db;
  expect(await read.selectFrom('notices').selectAll().execute()).toEqual([]);
  expect(await read.selectFrom('run_plans').select('run_id').where('notify', 'is not', null).execute()).toEqual([]);
  opened.time.nowMs += 10_000;
  await opened.end([]);
  await when(async () => expect(await opened.store.notifications.cursor()).toBeGreaterThan(1));
});

test('a receiver that fails is called again at growing delays, with the same id', async () => {
  const receiver = await startReceiver();
  receiver.answer = (response, n) => answerWith(n < 3 ? 500 : 200)(response, n);
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, {
    status: 'pending',
    attempts: 1,
    last_error: 'the answer was 500',
    next_attempt_at: '2024-01-15T10:30:05.000Z',
  });
  opened.time.nowMs = startMs + 5_000;
  await notificationWhen(opened, runId, { attempts: 2, next_attempt_at: '2024-01-15T10:30:20.000Z' });
  opened.time.nowMs = startMs + 20_000;
  await notificationWhen(opened, runId, { status: 'delivered', attempts: 3, last_error: null, next_attempt_at: null });
  const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
  const times = receiver.received.map(({ headers }) => headers['webhook-timestamp']);
  expect([ids.size, times]).toEqual([1, ['1705314600', '1705314605', '1705314620']]);
  expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
  await when(() => expect(opened.notifier.outcomes).toEqual({ delivered: 1, retried: 2, failed: 0 }));
});

test.each([2 * hourMs, -24 * hourMs])('a clock that is set by %d ms makes no retry early or late', async (setMs) => {
  const receiver = await startReceiver();
  receiver.answer = (response, n) => answerWith(n < 2 ? 500 : 200)(response, n);
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, {
    status: 'pending',
    attempts: 1,
    next_attempt_at: '2024-01-15T10:30:05.000Z',
  });
  opened.time.setMs = setMs;
  const nextAt = new Date(startMs + 5_000 + setMs).toISOString();
  await notificationWhen(opened, runId, { status: 'pending', attempts: 1, next_attempt_at: nextAt });
  expect(receiver.received).toHaveLength(1);
  opened.time.nowMs += 5_000;
  await notificationWhen(opened, runId, { status: 'delivered', attempts: 2, finished_at: nextAt });
});

test('a notification is given up after 15 attempts, with one log line that does not show the address', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(503);
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: `${receiver.url}/T0KEN` }]);
  const { id = '' } = (await notificationWhen(opened, runId, { status: 'pending', attempts: 1 })) ?? {};
  const soFar = {
    status: 'pending',
    attempts: 14,
    error: null,
    takenBy: [],
    nextAtMs: startMs,
    atMs: startMs,
  } as const;
  await opened.store.db.transact((tx) => opened.store.notifications.settle(tx, id, soFar));
  opened.time.nowMs = startMs + 5_000;
  await notificationWhen(opened, runId, { status: 'failed', attempts: 15, next_attempt_at: null });
  await when(() => expect(opened.notifier.outcomes).toEqual({ delivered: 0, retried: 1, failed: 1 }));
  const lines = opened.log.filter(({ msg }) => msg === 'gave up delivering a notification');
  expect(lines).toEqual([
    expect.objectContaining({ run_id: runId, origin: receiver.url, attempts: 15, error: 'the answer was 503' }),
  ]);
  expect(JSON.stringify(opened.log)).not.toContain('T0KEN');
});

test.each([
  ['seconds', '120', '2024-01-15T10:32:00.000Z'],
  ['a date', 'Mon, 15 Jan 2024 11:00:00 GMT', '2024-01-15T11:00:00.000Z'],
  ['less than the delay', '1', '2024-01-15T10:30:05.000Z'],
  ['a year, of which 12 hours count', '31536000', '2024-01-15T22:30:00.000Z'],
  ['neither', 'soon', '2024-01-15T10:30:05.000Z'],
])('the next attempt respects Retry-After as %s', async (_what, value, next) => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(429, { 'retry-after': value });
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, { attempts: 1, next_attempt_at: next });
});

test('the answer 410 ends a notification at once', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(410);
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, { status: 'failed', attempts: 1, last_error: 'the answer was 410' });
});

test('a receiver that cannot be reached causes an error that does not show the address', async () => {
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: 'http://127.0.0.1:9/T0KEN' }]);
  const notification = await notificationWhen(opened, runId, { status: 'pending', attempts: 1 });
  expect(notification?.last_error).toMatch(/^it cannot be reached \([\w ]+\)$/);
});

test('a call to a receiver that does not answer times out', async () => {
  const hanging = await startReceiver();
  hanging.answer = () => undefined;
  const opened = await openNotifier(dataFolder(), { timeoutMs: 200 });
  const runId = await opened.end([{ on: ['failed'], webhook: hanging.url }]);
  await notificationWhen(opened, runId, { status: 'pending', attempts: 1, last_error: 'no answer within 0.2 s' });
});

test('other receivers are called while calls to receivers that do not answer have not timed out', async () => {
  const [first, second] = [await startReceiver(), await startReceiver()];
  for (const hanging of [first, second]) hanging.answer = () => undefined;
  const receiver = await startReceiver();
  const opened = await openNotifier(dataFolder(), { timeoutMs: 600_000 });
  const calls = () => [first.received.length, second.received.length];
  async function hang(hanging: typeof first): Promise<void> {
    for (let n = 0; n < 6; n += 1) await opened.end([{ on: ['failed'], webhook: hanging.url }]);
  }
  for (const [hanging, made] of [
    [first, [2, 0]],
    [second, [2, 1]],
  ] as const) {
    await hang(hanging);
    await when(() => expect(calls()).toEqual(made));
    const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
    await notificationWhen(opened, runId, { status: 'delivered' });
    expect(calls()).toEqual(made);
  }
});

test('however many receivers are known not to answer, the others are still called', async () => {
  const hangers = await Promise.all(Array.from({ length: 4 }, startReceiver));
  for (const hanging of hangers) hanging.answer = () => undefined;
  const receiver = await startReceiver();
  const opened = await openNotifier(dataFolder(), { timeoutMs: 1_000 });
  const each = 12;
  for (const hanging of hangers) {
    for (let n = 0; n < each; n += 1) await opened.end([{ on: ['failed'], webhook: hanging.url }]);
  }
  await when(async () => {
    const { read } = opened.store.db;
    const rows = await read
      .selectFrom('notices')
      .select('origin')
      .distinct()
      .where('last_error', 'is not', null)
      .execute();
    expect(rows).toHaveLength(4);
  });
  const later = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, later, { status: 'delivered' });
  // The notification was delivered before others that had been due for longer.
  for (const hanging of hangers) expect(hanging.received.length).toBeLessThan(each);
});

testWithDisk('a notification whose delivery cannot be stored is not sent again while the disk is full', async () => {
  const dir = dataFolder();
  mountDisk(dir, 8);
  writeFileSync(join(dir, 'notify.key'), 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n');
  const receiver = await startReceiver();
  const { promise: full, resolve: isFull } = Promise.withResolvers<() => void>();
  receiver.answer = (response) => {
    isFull(fillDisk(dir));
    receiver.answer = answerWith(200);
    response.end();
  };
  const opened = await openNotifier(dir);
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  const free = await full;
  await when(() => expect(opened.store.db.failure()).not.toBeNull());
  free();
  await notificationWhen(opened, runId, { status: 'delivered', attempts: 1 });
  expect(receiver.received).toHaveLength(1);
});

test('the notifier does not wait for the end of an answer’s body', async () => {
  const receiver = await startReceiver();
  receiver.answer = (response) => void response.writeHead(200).write('x'.repeat(100_000));
  const opened = await openNotifier(dataFolder(), { timeoutMs: 20_000 });
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, { status: 'delivered' });
});

test('calls in progress when the server stopped are made again after the next start, with the same id', async () => {
  const receiver = await startReceiver();
  receiver.answer = () => undefined;
  const dir = dataFolder();
  const first = await openNotifier(dir);
  const runId = await first.end([{ on: ['failed'], webhook: receiver.url }]);
  await when(() => expect(receiver.received).toHaveLength(1));
  await first.close();

  receiver.answer = answerWith(204);
  const second = await openNotifier(dir);
  await notificationWhen(second, runId, { status: 'delivered', attempts: 1 });
  const [before, after] = receiver.received;
  expect(after?.headers['webhook-id']).toBe(before?.headers['webhook-id']);
  expect(after?.body).toBe(before?.body);
});

test('a run that ended while no notifier ran is reported once after the next start', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const first = await openNotifier(dir);
  await first.notifier.close();
  const runId = await first.end([{ on: ['failed'], webhook: receiver.url }]);
  await first.close();

  const second = await openNotifier(dir);
  await notificationWhen(second, runId, { status: 'delivered' });
  await second.close();
  const third = await openNotifier(dir);
  const other = await third.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(third, other, { status: 'delivered' });
  expect(receiver.received.map(({ body }) => JSON.parse(body).data.run_id)).toEqual([runId, other]);
});

test('if more runs have ended than one query returns, all are reported', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const first = await openNotifier(dir);
  await first.notifier.close();
  const rule = [{ on: ['failed'], webhook: receiver.url }] as const;
  // One query returns at most 200 runs.
  await Promise.all(Array.from({ length: 210 }, () => first.end(rule)));
  await first.close();

  const second = await openNotifier(dir);
  await when(() => expect(second.notifier.outcomes.delivered).toBe(210));
  expect(new Set(receiver.received.map(({ body }) => JSON.parse(body).data.run_id)).size).toBe(210);
});

test('a notification is signed with every key in the file', async () => {
  const receiver = await startReceiver();
  const dir = dataFolder();
  const keys = ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'bmV3LWtleS1vZi10d2VudHktZm91ci1ieXRlcy1vci1tb3Jl'];
  writeFileSync(join(dir, 'notify.key'), keys.map((key) => `whsec_${key}\n`).join(''));
  const opened = await openNotifier(dir);
  await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await when(() => expect(receiver.received).toHaveLength(1));
  const [request] = receiver.received;
  const text = `${request?.headers['webhook-id']}.1705314600.${request?.body}`;
  const signatures = keys.map((key) => createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64'));
  expect(request?.headers['webhook-signature']).toBe(`v1,${signatures[0]} v1,${signatures[1]}`);
});

test('a notification is removed with its run', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(500);
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  await notificationWhen(opened, runId, { status: 'pending', attempts: 1 });
  await opened.store.db.transact((tx) => tx.db.deleteFrom('runs').where('id', '=', runId).execute());
  expect(await opened.store.notifications.list(runId)).toEqual([]);
  expect(await opened.store.notifications.pendingCount()).toBe(0);
});

test('an answer that switches the protocol ends the call, and the notifier can be closed', async () => {
  const receiver = await startReceiver();
  receiver.answer = ({ socket }) => socket?.end('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  const last_error = 'it cannot be reached (no connection)';
  await notificationWhen(opened, runId, { status: 'pending', attempts: 1, last_error });
  await opened.close();
});
