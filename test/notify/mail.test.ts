// Mail to a real mail server: what it contains, and what an error says.

import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createCertificate } from '../support/a-certificate.ts';
import { startMailServer } from '../support/mail-server.ts';
import { aChannel } from './a-channel.ts';
import { dataFolder, type Opened, openNotifier } from './a-notifier.ts';

const to = ['ops@example.org', 'night@example.org'];
const rule = [{ on: ['failed', 'fixed'], channel: 'team' }] as const;
const hostile = 'Nightly\r\nBcc: victim@example.net\r\n\r\n<b>ü</b> \u202e@everyone';

async function openMail(url: string, secrets: Record<string, string> = {}, dir = dataFolder()): Promise<Opened> {
  const smtp = { url: secrets.smtp === undefined ? url : { secret: 'smtp' }, from: 'flwd of ops <flwd@example.org>' };
  return openNotifier(dir, {
    channels: [aChannel({ type: 'mail', to })],
    smtp,
    secrets,
    publicUrl: 'https://flwd.example.org',
  });
}

async function errorOf(opened: Opened, runId: string): Promise<string | null> {
  return vi.waitFor(
    async () => {
      const [notification] = await opened.store.notifications.list(runId);
      expect(notification).toMatchObject({ status: 'pending', attempts: 1, channel: 'team' });
      return notification?.last_error ?? null;
    },
    { timeout: 20_000 },
  );
}

test('a failure is one mail to all addresses, with the reason, the log and a link', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const change = { error: { message: 'exit code 3' } };
  const runId = await opened.end(rule, 'fail', { lines: ['connecting', '.', 'From here it failed'], change });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 20_000 });
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
  expect(mail?.body.trimEnd().replaceAll('\r\n', '\n')).toBe(
    `Exit code 3.\n\nconnecting\n.\nFrom here it failed\n\nhttps://flwd.example.org/runs/${runId}`,
  );
});

test('neither the title of a job nor its output adds a header or an address', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const change = { error: { message: hostile } };
  const lines = ['x'.repeat(60_000), 'Bcc: victim@example.net', 'QUIT'];
  await opened.end(rule, 'fail', { title: hostile, lines, change });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 20_000 });
  const [mail] = server.received;
  expect(mail?.to).toEqual(to);
  expect([...(mail?.headers.keys() ?? [])].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    'auto-submitted',
    'content-transfer-encoding',
    'content-type',
    'date',
    'from',
    'message-id',
    'mime-version',
    'subject',
    'to',
  ]);
  expect(mail?.headers.get('subject')).toMatch(/^=\?UTF-8\?[QB]\?/);
  expect(mail?.body.length).toBeLessThan(30_000);
});

test('a mail that is sent again has the same Message-ID', async () => {
  const server = await startMailServer();
  server.refusal = 'T0KEN is full';
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe('the mail server answered 550');
  server.refusal = null;
  opened.time.nowMs += 5_000;
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 20_000 });
  const [{ id } = { id: '' }] = await opened.store.notifications.list(runId);
  expect(server.received[0]?.headers.get('message-id')).toBe(`<${id}@example.org>`);
  expect(JSON.stringify(opened.log)).not.toContain('T0KEN');
});

test('an address that is refused for now gets the mail later, also after a restart, and the others get it once', async () => {
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
    { timeout: 20_000 },
  );
  server.greylisted = null;
  again.time.nowMs += 15_000;
  await vi.waitFor(
    async () =>
      expect(await again.store.notifications.list(runId)).toMatchObject([{ status: 'delivered', attempts: 3 }]),
    { timeout: 20_000 },
  );
  const [first, second, ...more] = server.received;
  expect([second?.to, more]).toEqual([['ops@example.org'], []]);
  expect(second?.headers.get('to')).toBe(to.join(', '));
  expect(second?.headers.get('message-id')).toBe(first?.headers.get('message-id'));
  expect(JSON.stringify([...opened.log, ...again.log])).not.toContain('try again later');
});

test('a digest that was refused for one address stays one mail to that address', async () => {
  const server = await startMailServer();
  server.greylisted = 'ops@example.org';
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const digest = [{ on: ['failed'], channel: 'team', digestMs: 60_000 }] as const;
  const runIds = [await opened.end(digest, 'fail'), await opened.end(digest, 'fail', { run: { jobId: 'other' } })];
  const added = async () => (await Promise.all(runIds.map(opened.store.notifications.list))).flat();
  await vi.waitFor(async () => expect(await added()).toHaveLength(2), { timeout: 20_000 });
  opened.time.nowMs += 60_000;
  await vi.waitFor(async () => expect(await added()).toMatchObject([{ attempts: 1 }, { attempts: 1 }]), {
    timeout: 20_000,
  });
  server.greylisted = null;
  opened.time.nowMs += 5_000;
  await vi.waitFor(
    async () => expect(await added()).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]),
    { timeout: 20_000 },
  );
  expect(server.received.map((mail) => mail.to)).toEqual([['night@example.org'], ['ops@example.org']]);
  expect(server.received[1]?.headers.get('subject')).toBe('2 failed');
});

test.each([
  ['ftp://T0KEN.example.org', '`notify.smtp.url` is not a URL such as smtps://user:password@mail.example.org'],
  ['smtp://a:%E0%A4%A@T0KEN', '`notify.smtp.url` is not a URL such as smtps://user:password@mail.example.org'],
  ['smtp://127.0.0.1:9', 'the mail server cannot be reached (ECONNREFUSED)'],
])('the error for %s', async (url, error) => {
  const opened = await openMail('', { smtp: `${url}\n` });
  const runId = await opened.end(rule, 'fail');
  const found = await errorOf(opened, runId);
  expect(found).toContain(error);
  expect(found).not.toContain('T0KEN');
});

// To Linux, 0.0.0.0 is this machine; to flwd, it is no loopback address.
test('a password is not sent to a server that offers no encryption', async () => {
  const server = await startMailServer({ password: 'T0KEN' });
  const opened = await openMail('', { smtp: `smtp://flwd:T0KEN@0.0.0.0:${server.port}` });
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe('the mail server does not encrypt the connection');
  expect([server.received, server.passwords]).toEqual([[], []]);
});

test('mail and password go over STARTTLS, once the certificate is trusted', async () => {
  const certificate = createCertificate('mail', 'IP:0.0.0.0');
  const server = await startMailServer({ certificate, password: 'T0KEN' });
  const opened = await openMail('', { smtp: `smtp://flwd:T0KEN@0.0.0.0:${server.port}` });
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe(
    'the certificate of the mail server is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)',
  );
  expect([server.received, server.passwords]).toEqual([[], []]);

  const trusted = getCACertificates();
  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, certificate.cert]);
  opened.time.nowMs += 5_000;
  await vi.waitFor(
    async () => expect(await opened.store.notifications.list(runId)).toMatchObject([{ status: 'delivered' }]),
    { timeout: 20_000 },
  );
  expect(server.received).toMatchObject([{ to, isEncrypted: true, user: 'flwd' }]);
  expect(server.received[0]?.body).toContain('https://flwd.example.org/runs/');
});

test('a mail server that does not answer holds up neither the other channels nor the end of the server', async () => {
  const { createServer } = await import('node:net');
  const sockets: { destroy(): void }[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const opened = await openMail(`smtp://127.0.0.1:${port}`);
  await opened.end(rule, 'fail');
  await vi.waitFor(() => expect(sockets).toHaveLength(1), { timeout: 20_000 });
  const startedMs = performance.now();
  await opened.close();
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  for (const socket of sockets) socket.destroy();
  silent.close();
});
