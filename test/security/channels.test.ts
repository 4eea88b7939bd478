// Attacks on notifications: text of a job that tries to add headers and addresses to a mail, servers that try to read
// the password, and receivers that redirect a message.

import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { errorOf, openMail, rule, to } from '../notify/a-mail-channel.ts';
import { dataFolder, openNotifier } from '../notify/a-notifier.ts';
import { createCertificate } from '../support/a-certificate.ts';
import { startMailServer } from '../support/mail-server.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';

const hostile = 'Nightly\r\nBcc: victim@example.net\r\n\r\n<b>ü</b> \u202e@everyone';

test('neither the title of a job nor its output can add a header or an address to a mail', async () => {
  const server = await startMailServer();
  const opened = await openMail(`smtp://127.0.0.1:${server.port}`);
  const change = { error: { message: hostile } };
  const lines = ['x'.repeat(60_000), 'Bcc: victim@example.net', 'QUIT'];
  await opened.end(rule, 'fail', { title: hostile, lines, change });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), { timeout: 60_000 });
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

// To Linux, 0.0.0.0 is this machine. To flwd, it is not a loopback address.
test('a password is not sent to a server that offers no encryption', async () => {
  const server = await startMailServer({ password: 'T0KEN' });
  const opened = await openMail('', { smtp: `smtp://flwd:T0KEN@0.0.0.0:${server.port}` });
  const runId = await opened.end(rule, 'fail');
  expect(await errorOf(opened, runId)).toBe('the mail server does not encrypt the connection');
  expect([server.received, server.passwords]).toEqual([[], []]);
});

test('mail and password are sent over STARTTLS once the certificate is trusted', async () => {
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
    { timeout: 60_000 },
  );
  expect(server.received).toMatchObject([{ to, isEncrypted: true, user: 'flwd' }]);
  expect(server.received[0]?.body).toContain('https://flwd.example.org/runs/');
});

test('a redirect counts as a failure, and its target is not called', async () => {
  const elsewhere = await startReceiver();
  const receiver = await startReceiver();
  receiver.answer = answerWith(307, { location: elsewhere.url });
  const opened = await openNotifier(dataFolder());
  const runId = await opened.end([{ on: ['failed'], webhook: receiver.url }]);
  const failed = { status: 'pending', last_error: 'the answer was 307, and redirects are not followed' };
  await vi.waitFor(async () => expect(await opened.store.notifications.list(runId)).toMatchObject([failed]), {
    timeout: 60_000,
  });
  expect(elsewhere.received).toEqual([]);
});
