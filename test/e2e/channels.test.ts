// Channels of a real server: rules in flwd.yaml, secrets that are stored later, tests of a channel, approvals, and what
// callers see.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Notification } from '../../src/domain/notification.ts';
import type { Run } from '../../src/domain/run.ts';
import { plainText } from '../../src/lib/plain-text.ts';
import { createCertificate } from '../support/a-certificate.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startMailServer } from '../support/mail-server.ts';
import { answerWith, startReceiver } from '../support/receiver.ts';
import { type Server, type ServerOptions, startServer } from '../support/server.ts';

const test = testWith('bwrap');

async function serving(options: ServerOptions): Promise<Server> {
  const server = await startServer(options);
  onTestFinished(() => server.close());
  return server;
}

async function notices(server: Server, runId: string): Promise<Notification[]> {
  return (await server.json<{ notices: Notification[] }>(`/runs/${runId}/notices`)).notices;
}

test('a rule of flwd.yaml reports a failure with redacted lines of its log, using a secret that is stored later', async () => {
  const receiver = await startReceiver();
  const server = await serving({
    jobs: {
      'prod/load': bash('echo "the pin is $(cat "$FLWD_SECRETS_DIR/pin")"; echo "cannot connect" >&2; exit 3', {
        name: 'Load <!channel>',
        args: [{ name: 'pin', format: 'secret' }],
      }),
      'dev/load': bash('exit 3'),
    },
    config: {
      server: { public_url: 'https://flwd.example.org' },
      notify: {
        channels: { team: { type: 'slack', url: { secret: 'slack' } } },
        rules: [{ jobs: 'prod/**', to: 'team' }],
      },
    },
  });
  const missing = "There is no stored secret 'slack': store it with `flwd secrets set slack`.";
  expect(await server.json('/channels')).toEqual({
    channels: [{ name: 'team', type: 'slack', origin: null, problem: missing, last_delivery: null, waiting: null }],
    job_addresses: [],
  });
  const test = () => server.json('/channels/team/test', { method: 'POST' });
  expect(await test()).toEqual({ name: 'team', type: 'slack', origin: null, delivered: false, error: missing });

  const body = { value: `${receiver.url}/services/T0KEN` };
  expect((await server.fetch('/secrets/slack', { method: 'PUT', body })).status).toBe(201);
  expect(await test()).toEqual({ name: 'team', type: 'slack', origin: receiver.url, delivered: true, error: null });
  expect(receiver.received[0]?.body).toContain('This is a test from flwd; no run has failed.');

  const dev = await server.run('dev/load');
  const run = await server.run('prod/load', { pin: 'pin-4711-of-the-caller' });
  await expect.poll(() => receiver.received.length).toBe(2);
  const [, request] = receiver.received;
  expect(request?.path).toBe('/services/T0KEN');
  const { text, attachments } = JSON.parse(request?.body ?? '');
  expect(text).toBe('Load &lt;!channel&gt; (prod/load) failed');
  const { text: said, title_link: link } = attachments[0];
  expect(said).toMatch(/^Exited with code 3: cannot connect\.\n/);
  expect(said).toContain('cannot connect');
  expect(said).toContain('the pin is [redacted]');
  expect(request?.body).not.toContain('pin-4711');
  expect(link).toBe(`https://flwd.example.org/runs/${run.run_id}`);

  await expect
    .poll(() => notices(server, run.run_id))
    .toMatchObject([{ status: 'delivered', event: 'failed', channel: 'team', origin: null }]);
  expect(await notices(server, dev.run_id)).toEqual([]);
  const listed = await (await server.fetch('/channels')).text();
  expect(JSON.parse(listed)).toMatchObject({
    channels: [{ origin: receiver.url, problem: null, last_delivery: { status: 'delivered', error: null } }],
  });
  const { entries } = await server.json<{ entries: object[] }>('/audit?action=channel.test');
  expect(entries).toMatchObject([
    { object: { kind: 'channel', id: 'team' }, result: 'done', tenant: '*' },
    { object: { kind: 'channel', id: 'team' }, result: 'done' },
  ]);
  const told = listed + JSON.stringify(entries) + server.stderr + server.stdout;
  expect(told).not.toContain('T0KEN');
});

test('a secret is redacted in every message, even if colours or hidden characters interrupt it', async () => {
  const receiver = await startReceiver();
  const { url } = receiver;
  const secret = 'tok-Zq7-fe-8842-Rw3';
  const server = await serving({
    jobs: {
      leaky: bash(
        `token=$(cat "$FLWD_SECRETS_DIR/token"); half=\${token:0:8}; rest=\${token:8}
echo "Authorization: Bearer $token" | grep --color=always -i 'fe-'
printf '%s\\0%s\\n' "$half" "$rest"
printf '%s\\u200b%s\\n' "$half" "$rest"
printf '{"level":"info","message":"%s\\\\u001b[1m%s"}\\n' "$half" "$rest"
printf 'refused: %s\\u2060%s\\n' "$half" "$rest" >&2
exit 3`,
        { args: [{ name: 'token', format: 'secret' }] },
      ),
    },
    config: {
      notify: {
        channels: {
          slack: { type: 'slack', url },
          hook: { type: 'webhook', url },
          own: { type: 'template', url, body: 'message.log' },
        },
        rules: [{ to: ['slack', 'hook', 'own'] }],
      },
    },
  });
  const { run_id: runId, error } = await server.run('leaky', { token: secret });
  await expect.poll(() => receiver.received.length).toBe(3);
  const { logs } = await server.json<{ logs: { message: string }[] }>(`/runs/${runId}/logs`);
  const lines = logs.map(({ message }) => message);
  expect(lines.filter((line) => line.includes('[redacted]'))).toHaveLength(5);
  const told = [...receiver.received.map(({ body }) => body), ...lines.map(plainText), plainText(error?.message ?? '')];
  for (const text of told) expect(text).not.toMatch(/tok-Zq7|8842-Rw3/);
  expect(error?.message).toBe('exited with code 3: refused: [redacted]');
});

test('a run that waits for an approval is reported once, with its question, and the wait does not count as work', async () => {
  const receiver = await startReceiver();
  const steps = [
    { id: 'go', approval: { text: 'Ship it?' }, timeout: '1h' },
    { id: 'ship', script: './run.sh', needs: ['go'] },
  ];
  const { 'run.sh': script = '' } = bash('true');
  const server = await serving({
    jobs: {
      ship: {
        'config.yaml': JSON.stringify({ steps, notify: { channel: 'team', on: ['waiting_approval', 'success'] } }),
        'run.sh': script,
      },
    },
    config: { notify: { channels: { team: { type: 'gotify', url: receiver.url, token: 'app' } } } },
  });
  const runId = await server.start('ship');
  await expect.poll(() => receiver.received.length).toBe(1);
  const askedAtMs = Date.now();
  expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
    title: 'ship waits for an approval',
    message: expect.stringMatching(
      `^The step go waits for an approval by anyone with runs:approve until \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d(:\\d\\d)? UTC: Ship it\\?\n\nWaiting on ${hostname()} since .* UTC, started by local through the API\\.\n\nOn ${hostname()}: flwd approve ${runId} go, or flwd deny ${runId} go$`,
    ),
  });
  await expect.poll(() => Date.now() - askedAtMs).toBeGreaterThan(2_000);
  const approval = { step_id: 'go', decision: 'approve' };
  expect((await server.fetch(`/runs/${runId}/approvals`, { body: approval })).status).toBe(200);
  await server.finished(runId);
  const run = await server.json<Run>(`/runs/${runId}`);
  const workMs = Date.parse(run.finished_at ?? '') - Date.parse(run.started_at ?? '') - run.approval_ms;
  await expect.poll(() => receiver.received.length).toBe(2);
  const { message } = JSON.parse(receiver.received[1]?.body ?? '');
  expect(message).toContain(`It succeeded in ${Math.round(workMs / 100) / 10}s.`);
});

test('only an admin may test a channel, and other callers see only the last delivery about their own runs', async () => {
  const receiver = await startReceiver();
  const server = await serving({
    jobs: { failing: bash('exit 3', { notify: { channel: 'team' } }) },
    config: { notify: { channels: { team: { type: 'discord', url: `${receiver.url}/T0KEN` } } } },
  });
  const tokenFor = async (name: string, scopes: readonly string[], tenant: string) => {
    const { token } = await server.json<{ token: string }>('/tokens', { body: { name, scopes, tenant } });
    return { headers: { authorization: `Bearer ${token}` } };
  };
  const reader = await tokenFor('reader', ['jobs:read', 'runs:read'], 'default');
  const other = await tokenFor('other', ['jobs:read', 'runs:read'], 'acme');
  const noRuns = await tokenFor('no-runs', ['jobs:read'], 'default');
  const ofTenant = await tokenFor('of-tenant', ['admin'], 'acme');
  const run = await server.run('failing');
  await expect.poll(() => notices(server, run.run_id)).toMatchObject([{ status: 'delivered' }]);

  const lastFor = async (token: object) =>
    (await server.json<{ channels: { last_delivery: object | null }[] }>('/channels', token)).channels[0]
      ?.last_delivery;
  expect(await lastFor(reader)).toMatchObject({ status: 'delivered' });
  expect(await lastFor(other)).toBeNull();
  expect(await lastFor(noRuns)).toBeNull();
  const statusFor = async (name: string, token: object) =>
    (await server.fetch(`/channels/${name}/test`, { method: 'POST', ...token })).status;
  expect([await statusFor('team', reader), await statusFor('team', ofTenant), await statusFor('none', {})]).toEqual([
    403, 403, 404,
  ]);
  expect(receiver.received).toHaveLength(1);
});

test('callers see which messages about their own runs could not be sent, and when the next attempt is', async () => {
  const receiver = await startReceiver();
  receiver.answer = answerWith(500);
  const server = await serving({
    jobs: { failing: bash('exit 3', { notify: [{ channel: 'team' }, { webhook: `${receiver.url}/S3CRET` }] }) },
    config: { notify: { channels: { team: { type: 'discord', url: `${receiver.url}/T0KEN` } } } },
  });
  const tokenFor = async (body: object) => {
    const { token } = await server.json<{ token: string }>('/tokens', { body });
    return { headers: { authorization: `Bearer ${token}` } };
  };
  const scopes = ['jobs:read', 'runs:read'];
  const reader = await tokenFor({ name: 'reader', scopes, tenant: 'default' });
  const hidden = [
    await tokenFor({ name: 'other', scopes, tenant: 'acme' }),
    await tokenFor({ name: 'no-runs', scopes: ['jobs:read'], tenant: 'default' }),
    await tokenFor({ name: 'only', scopes, tenant: 'default', only: ['failing'] }),
  ];
  const runs = [await server.run('failing'), await server.run('failing')];
  for (const { run_id: runId } of runs)
    await expect
      .poll(() => notices(server, runId))
      .toMatchObject([{ last_error: 'the answer was 500' }, { last_error: 'the answer was 500' }]);
  const waitingFor = async (token: object) => {
    type Answer = { readonly channels: { readonly waiting: object | null }[]; readonly job_addresses: object[] };
    const { channels, job_addresses: addresses } = await server.json<Answer>('/channels', token);
    return { channel: channels[0]?.waiting, addresses };
  };
  const shown = {
    messages: 2,
    since: (await notices(server, runs[0]?.run_id ?? ''))[0]?.created_at,
    error: 'the answer was 500',
    next_attempt_at: expect.stringMatching(/Z$/),
  };
  const all = { channel: shown, addresses: [{ origin: receiver.url, job_id: 'failing', waiting: shown }] };
  expect(await waitingFor({})).toEqual(all);
  expect(await waitingFor(reader)).toEqual(all);
  const nothing = { channel: null, addresses: [] };
  for (const token of hidden) expect(await waitingFor(token)).toEqual(nothing);
  receiver.answer = answerWith(200);
  await expect.poll(() => waitingFor({})).toEqual(nothing);
});

test('only callers who administer the whole instance see the origins of channels and the names of stored secrets', async () => {
  const receiver = await startReceiver();
  const server = await serving({
    jobs: { failing: bash('exit 3', { notify: [{ channel: 'team' }, { channel: 'lost' }] }) },
    config: {
      notify: {
        channels: {
          open: { type: 'discord', url: `${receiver.url}/T0KEN` },
          team: { type: 'slack', url: { secret: 'slack-prod-hook' } },
        },
      },
    },
  });
  const tokenFor = async (scopes: readonly string[], tenant: string) => {
    const body = { name: `${scopes[0]}-${tenant}`.replace(':', '-').replace('*', 'all'), scopes, tenant };
    const { token } = await server.json<{ token: string }>('/tokens', { body });
    return { headers: { authorization: `Bearer ${token}` } };
  };
  const { run_id: runId } = await server.run('failing');
  await expect
    .poll(() => notices(server, runId))
    .toMatchObject([
      { status: 'pending', attempts: 1, last_error: 'a secret that it needs is not stored, or cannot be read' },
      { status: 'failed', attempts: 1, last_error: "flwd.yaml has no channel 'lost', so the message was not sent" },
    ]);
  for (const [scopes, tenant] of [
    [['jobs:read', 'runs:read'], 'acme'],
    [['jobs:read', 'runs:read'], 'default'],
    [['jobs:read', 'runs:read'], '*'],
    [['admin'], 'default'],
  ] as const) {
    const answer = await (await server.fetch('/channels', await tokenFor(scopes, tenant))).text();
    expect(JSON.parse(answer)).toMatchObject({
      channels: [
        { name: 'open', type: 'discord', origin: null, problem: null },
        { name: 'team', type: 'slack', origin: null, problem: null },
      ],
    });
    expect(answer).not.toMatch(/slack-prod-hook|127\.0\.0\.1/);
  }
  expect(await server.json('/channels', await tokenFor(['admin'], '*'))).toMatchObject({
    channels: [{ origin: receiver.url }, { problem: expect.stringContaining("'slack-prod-hook'") }],
  });
  expect(await server.json('/plans', { body: { job_id: 'failing' } })).toMatchObject({ missing_channels: ['lost'] });
});

test('mail goes over TLS with the user and password of a stored secret, and only if the certificate is trusted', async () => {
  const certificate = createCertificate('mail');
  const mail = await startMailServer({ certificate, isSecure: true, password: 'T0KEN/4711' });
  const dir = mkdtempSync(join(tmpdir(), 'flwd-mail-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'ca.pem'), certificate.cert);
  const options = {
    jobs: { failing: bash('echo "the disk is full"; exit 3') },
    config: {
      notify: {
        smtp: { url: { secret: 'smtp' }, from: 'flwd@example.org' },
        channels: { ops: { type: 'mail', to: ['ops@example.org'] } },
        rules: [{ to: 'ops' }],
      },
    },
  };
  const test = (server: Server) => server.json('/channels/ops/test', { method: 'POST' });
  const url = `smtps://flwd:T0KEN%2F4711@localhost:${mail.port}`;
  const stranger = await serving(options);
  await stranger.fetch('/secrets/smtp', { method: 'PUT', body: { value: url } });
  expect(await test(stranger)).toMatchObject({
    delivered: false,
    origin: `smtps://localhost:${mail.port}`,
    error: 'the certificate of the mail server is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)',
  });

  const server = await serving({ ...options, env: { NODE_EXTRA_CA_CERTS: join(dir, 'ca.pem') } });
  await server.fetch('/secrets/smtp', { method: 'PUT', body: { value: url.replace('4711', 'wrong') } });
  expect(await test(server)).toMatchObject({ error: 'the mail server refused the user and the password (535)' });
  await server.fetch('/secrets/smtp', { method: 'PUT', body: { value: url } });
  expect(await test(server)).toMatchObject({ delivered: true, error: null });
  await server.run('failing');
  await expect.poll(() => mail.received.length).toBe(2);
  const [, failure] = mail.received;
  expect(failure).toMatchObject({ to: ['ops@example.org'], isEncrypted: true, user: 'flwd' });
  expect(failure?.headers.get('subject')).toBe('failing failed');
  expect(failure?.body).toContain('the disk is full');
  expect(server.stderr + stranger.stderr).not.toContain('T0KEN');
});

test('a digest that a SIGKILL interrupts is sent once after the restart, with the messages before and after it', async () => {
  const receiver = await startReceiver();
  const server = await serving({
    jobs: { one: bash('exit 3'), two: bash('exit 4') },
    config: {
      notify: {
        channels: { team: { type: 'webhook', url: receiver.url } },
        rules: [{ to: 'team', on: ['failed', 'still_failing'], digest: '8s', repeat: '1h' }],
      },
    },
  });
  const first = await server.run('one');
  await expect.poll(() => notices(server, first.run_id)).toMatchObject([{ status: 'pending' }]);
  await server.stop('SIGKILL');
  await server.startAgain();
  const again = await server.run('one');
  const other = await server.run('two');
  await expect.poll(() => notices(server, other.run_id)).toMatchObject([{ event: 'failed' }]);
  expect(await notices(server, again.run_id)).toEqual([]);
  const told = () =>
    receiver.received
      .map(({ body }) => JSON.parse(body).data)
      .flatMap((data) => (data.notifications ?? [data]).map(({ run_id: runId }: { run_id: string }) => runId));
  await expect.poll(told).toEqual([first.run_id, other.run_id]);
});
