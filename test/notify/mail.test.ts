// Mail to a real mail server: what it contains, and what an error says.

import { expect, test, vi } from 'vitest';
import { aRun } from '../store/a-run.ts';
import { startMailServer } from '../support/mail-server.ts';
import { errorOf, openMail, rule, to } from './a-mail-channel.ts';
import { dataFolder } from './a-notifier.ts';

test('a failure causes one mail to all addresses, with the reason, the hint, the host, the time in the zone of the schedule, the log and a link', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const change = { error: { message: 'exit code 3', hint: 'allow it with `permissions: {network: all}`' } };
  const labels = { schedule_id: 'schedule_berlin', nominal_at: '2024-01-15T10:00:00.000Z' };
  const runId = await opened.end(rule, 'fail', {
    run: { trigger: { type: 'schedule' }, createdBy: 'schedule:schedule_berlin', labels },
    lines: ['connecting', '.', '    raise  Error', '', 'From here it failed'],
    change,
  });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 60_000 });
  const [mail] = server.received;
  expect(mail).toMatchObject({ from: 'flwd@example.org', to });
  const headers = Object.fromEntries(mail?.headers ?? []);
  expect(headers).toMatchObject({
    from: 'flwd of ops <flwd@example.org>',
    to: to.join(', '),
    subject: 'Daily backup (backup/daily) failed',
    'auto-submitted': 'auto-generated',
  });
  const [notification] = await opened.store.notifications.list(runId);
  expect(headers['message-id']).toBe(`<${notification?.id}@example.org>`);
  expect(mail?.body.trimEnd().replaceAll('=\r\n', '').replaceAll('\r\n', '\n')).toBe(
    'Exit code 3. Hint: allow it with `permissions: {network: all}`.\n\n' +
      'Failed on db1 at 2024-01-15 11:30:01 CET, started by the schedule at-night for 11:00.\n\n' +
      `connecting\n.\n    raise  Error\nFrom here it failed\n\nhttps://flwd.example.org/runs/${runId}`,
  );
});

test('the time is in the zone of a schedule that is only in the run, because the sources have not been read', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const { plan } = aRun();
  const terms = { cron: '30 11 * * *', atMs: null, calendar: null, except: [], args: {}, catchUp: 'none' } as const;
  const schedule = { ...terms, id: 'schedule_tokyo', timezone: 'Asia/Tokyo', jitterMs: 0, enabled: true, held: false };
  await opened.end(rule, 'fail', {
    run: {
      trigger: { type: 'schedule' },
      createdBy: 'schedule:schedule_tokyo',
      labels: { schedule_id: 'schedule_tokyo', nominal_at: '2024-01-15T10:00:00.000Z' },
      plan: { ...plan, job: { ...plan.job, schedules: [{ ...schedule, labels: {} }] } },
    },
  });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 60_000 });
  expect(server.received[0]?.body.replaceAll('=\r\n', '')).toContain(
    'Failed on db1 at 2024-01-15 19:30:01 GMT+9, started by its schedule for 19:00.',
  );
});

test('a mail has the last lines that the program printed, however many lines flwd added after them', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const lines = ['one', '{"level":"warn","msg":"two"}', '\u001eEthree'];
  const notes = Array.from({ length: 12 }, (_, n) => `the artifact ${n} cannot be stored`);
  await opened.end(rule, 'fail', { lines, notes });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 60_000 });
  expect(server.received[0]?.body.replaceAll('\r\n', '\n')).toContain('\n\none\ntwo\nthree\n\nhttps://');
});

test('a mail that is sent again has the same Message-ID', async () => {
  const server = await startMailServer();
  server.refusal = 'T0KEN is full';
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe('the mail server answered 550');
  server.refusal = null;
  opened.time.nowMs += 5_000;
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 60_000 });
  const [{ id } = { id: '' }] = await opened.store.notifications.list(runId);
  expect(server.received[0]?.headers.get('message-id')).toBe(`<${id}@example.org>`);
  expect(JSON.stringify(opened.log)).not.toContain('T0KEN');
});

test('an address that is refused for now gets the mail later, even after a restart, and other addresses get it once', async () => {
  const server = await startMailServer();
  server.greylisted = 'ops@example.org';
  const [url, dir] = [`smtp://127.0.0.1:${server.port}`, dataFolder()];
  const opened = await openMail(url, {}, dir);
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe('the mail server answered 450 for 1 of 2 addresses');
  expect(server.received.map((mail) => mail.to)).toEqual([['night@example.org']]);
  await opened.close();

  const again = await openMail(url, {}, dir);
  again.time.nowMs += 5_000;
  await vi.waitFor(
    async () => {
      const [notification] = await again.store.notifications.list(runId);
      expect(notification).toMatchObject({ attempts: 2, last_error: 'the mail server answered 450' });
    },
    { timeout: 60_000 },
  );
  server.greylisted = null;
  again.time.nowMs += 15_000;
  await vi.waitFor(
    async () =>
      expect(await again.store.notifications.list(runId)).toMatchObject([{ status: 'delivered', attempts: 3 }]),
    { timeout: 60_000 },
  );
  const [first, second, ...more] = server.received;
  expect([second?.to, more]).toEqual([['ops@example.org'], []]);
  expect(second?.headers.get('to')).toBe(to.join(', '));
  expect(second?.headers.get('message-id')).toBe(first?.headers.get('message-id'));
  expect(JSON.stringify([...opened.log, ...again.log])).not.toContain('try again later');
});

test('a digest that one address refused is sent to that address as one mail later', async () => {
  const server = await startMailServer();
  server.greylisted = 'ops@example.org';
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const digest = [{ on: ['failed'], channel: 'team', digestMs: 60_000 }] as const;
  const runIds = [await opened.end(digest, 'fail'), await opened.end(digest, 'fail', { run: { jobId: 'other' } })];
  const added = async () => (await Promise.all(runIds.map(opened.store.notifications.list))).flat();
  await vi.waitFor(async () => expect(await added()).toHaveLength(2), { timeout: 60_000 });
  opened.time.nowMs += 60_000;
  await vi.waitFor(async () => expect(await added()).toMatchObject([{ attempts: 1 }, { attempts: 1 }]), {
    timeout: 60_000,
  });
  server.greylisted = null;
  opened.time.nowMs += 5_000;
  await vi.waitFor(
    async () => expect(await added()).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]),
    { timeout: 60_000 },
  );
  expect(server.received.map((mail) => mail.to)).toEqual([['night@example.org'], ['ops@example.org']]);
  expect(server.received[1]?.headers.get('subject')).toBe('2 failed');
});

test.each([
  ['ftp://T0KEN.example.org', '`notify.smtp.url` is not a URL such as smtps://user:password@mail.example.org'],
  ['smtp://a:%E0%A4%A@T0KEN', '`notify.smtp.url` is not a URL such as smtps://user:password@mail.example.org'],
  ['smtp://T0KEN@127.0.0.1:9', '`notify.smtp.url` has a user, but no password'],
  ['smtp://127.0.0.1:9', 'the mail server cannot be reached (ECONNREFUSED)'],
])('the error for %s does not show a password', async (url, error) => {
  const opened = await openMail('', { smtp: `${url}\n` });
  const runId = await opened.end(rule, 'fail');
  const found = await errorOf(opened, runId);
  expect(found).toContain(error);
  expect(found).not.toContain('T0KEN');
});

test('a mail server that does not answer delays neither the other channels nor the end of the server', async () => {
  const { createServer } = await import('node:net');
  const sockets: { destroy(): void }[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const opened = await openMail(`smtp://127.0.0.1:${port}`);
  await opened.end(rule, 'fail');
  await vi.waitFor(() => expect(sockets).toHaveLength(1), { timeout: 60_000 });
  const startedMs = performance.now();
  await opened.close();
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  for (const socket of sockets) socket.destroy();
  silent.close();
});
