// Attacks on webhooks: forged and replayed deliveries, bodies that name secrets, headers that try to inject log lines,
// and web pages that call a webhook on the machine of their reader.

import { createHmac, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { bash } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';

const key = 'k-7Qe1!signing';
const given = 'tok-given-by-the-body-91';
const logged: string[] = [];
const server = await startServing({
  server: { bodyLimitBytes: 2 ** 20 },
  onLog: (line) => logged.push(JSON.stringify(line)),
  jobs: {
    deploy: bash('true', {
      args: [{ name: 'token', format: 'secret' }, { name: 'text' }, { name: 'seen', type: 'integer' }],
      webhooks: [
        { name: 'gh', scheme: 'github', secret: 'signing', args: { text: 'body.text' } },
        { name: 'secret', scheme: 'hmac', secret: 'signing', args: { token: 'body.token' } },
        { name: 'made', scheme: 'hmac', secret: 'signing', args: { token: '{"secret": body.token}' } },
        { name: 'headers', scheme: 'hmac', secret: 'signing', args: { seen: 'size(headers)' } },
        { name: 'keyless', scheme: 'hmac', secret: ['not-stored', 'nor-this'] },
        { name: 'empty', scheme: 'standard', secret: 'signing', args: {} },
        { name: 'costly', scheme: 'hmac', secret: 'signing', if: 'body.a.all(x, body.a.exists(y, y == x))' },
      ],
    }),
    other: bash('true', { webhooks: [{ name: 'keyless', scheme: 'hmac', secret: 'not-stored' }] }),
    off: bash('true', { enabled: false, webhooks: [{ name: 'gh', scheme: 'github', secret: 'signing' }] }),
  },
  sources: [
    {
      name: 'guest',
      mountPath: 'guest',
      trusted: false,
      jobs: { build: bash('true', { webhooks: [{ name: 'gh', scheme: 'github', secret: 'signing' }] }) },
    },
  ],
});
afterAll(() => server.close());
beforeAll(async () => {
  const headers = { 'content-type': 'application/json' };
  await server.fetch('/secrets/signing', { method: 'PUT', headers, body: JSON.stringify({ value: key }) });
});

const hex = (text: string) => createHmac('sha256', key).update(text).digest('hex');
const signed = (body: string) => ({
  'x-hub-signature-256': `sha256=${hex(body)}`,
  'x-signature-256': `sha256=${hex(body)}`,
});
const send = (hook: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
  server.fetch(`//hooks/${hook}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...signed(body), ...headers },
  });
type Answer = { readonly run_id?: string; readonly detail?: string; readonly errors?: { readonly pointer: string }[] };
const read = async (answer: Response): Promise<Answer> => JSON.parse(await answer.text());
const fresh = () => JSON.stringify({ text: randomUUID() });
const runs = async (): Promise<number> => {
  const { total }: { total: number } = JSON.parse(await (await server.fetch('/runs?job_id=deploy&limit=1')).text());
  return total;
};

test('a credential in addition to the signature neither adds rights nor replaces the signature', async () => {
  const { headers } = await server.token({ scopes: ['admin'] });
  const body = fresh();
  const { run_id } = await read(await send('deploy/gh', body, headers));
  const run: { created_by: string } = JSON.parse(await (await server.fetch(`/runs/${run_id}`)).text());
  expect(run.created_by).toBe('webhook:gh');
  const unsigned = await send('deploy/gh', fresh(), { ...headers, 'x-hub-signature-256': 'sha256=' });
  expect(unsigned.status).toBe(403);
});

test('a body cannot name a stored secret, neither directly nor through an expression', async () => {
  for (const [hook, body] of [
    ['secret', JSON.stringify({ token: { secret: 'signing' } })],
    ['made', JSON.stringify({ token: 'signing' })],
  ] as const) {
    const answer = await send(`deploy/${hook}`, body);
    expect(answer.status).toBe(400);
    expect((await read(answer)).errors).toMatchObject([{ pointer: '/args/token' }]);
  }
});

test('a secret in a body is stored encrypted, and is in no answer and no log line', async () => {
  const answer = await send('deploy/secret', JSON.stringify({ token: given }));
  expect(answer.status).toBe(202);
  const { run_id } = await read(answer);
  expect(await (await server.fetch(`/runs/${run_id}`)).text()).not.toContain(given);
  const data = join(server.root, 'data');
  for (const file of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const content = readFileSync(join(file.parentPath, file.name));
    for (const secret of [given, key]) expect(content.includes(secret), file.name).toBe(false);
  }
  expect(logged.join('\n')).not.toContain(given);
  expect(logged.join('\n')).not.toContain(key);
});

test('no expression sees a signature or a credential, even if it reads all headers', async () => {
  const seenWith = async (headers: Readonly<Record<string, string>>) => {
    const { run_id } = await read(await send('deploy/headers', fresh(), headers));
    const { args }: { args: { seen: number } } = JSON.parse(await (await server.fetch(`/runs/${run_id}`)).text());
    return args.seen;
  };
  const usual = await seenWith({});
  expect(await seenWith({ authorization: 'Bearer x', cookie: 'a=b', 'x-gitlab-token': 'x', 'x-other': 'x' })).toBe(
    usual,
  );
  expect(await seenWith({ 'x-github-event': 'push' })).toBe(usual + 1);
});

test('a key that is not base64 does not count as an empty key of Standard Webhooks', async () => {
  const [id, time, body] = ['msg_1', String(Math.floor(Date.now() / 1000)), '{}'];
  for (const guess of ['', '!!', key]) {
    const bytes = Buffer.from(guess, 'base64');
    const signature = createHmac('sha256', bytes).update(`${id}.${time}.${body}`).digest('base64');
    const headers = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${signature}` };
    expect((await send('deploy/empty', body, headers)).status).toBe(403);
  }
});

test('forged deliveries start nothing, and the audit log records them without their content', async () => {
  const before = await runs();
  const body = JSON.stringify({ text: 'FORGED-BODY' });
  for (const proof of [
    'sha256=00',
    `sha256=${hex(`${body}x`)}`,
    hex(body),
    `SHA256=${hex(body)}`,
    `sha256=${hex(body)} `.repeat(2),
  ]) {
    expect((await send('deploy/gh', body, { 'x-hub-signature-256': proof })).status).toBe(403);
  }
  expect(await runs()).toBe(before);
  const audit = () => server.fetch('/audit?action=auth.fail&limit=200').then((answer) => answer.text());
  await expect.poll(audit).toContain('signature-invalid');
  expect(await audit()).not.toContain('FORGED-BODY');
  const { entries } = JSON.parse(await audit());
  const { webhooks } = JSON.parse(await (await server.fetch('/webhooks?job_id=deploy')).text());
  const { id } = webhooks.find(({ name }: { readonly name: string }) => name === 'gh');
  expect(entries[0]).toMatchObject({
    tenant: 'default',
    object: { kind: 'webhook', id },
    detail: { webhook: 'deploy/gh', message: expect.stringContaining("'x-hub-signature-256'") },
  });
  const warned = logged.filter((line) => line.includes('its signature is missing, wrong or too old'));
  expect(warned.filter((line) => line.includes('"webhook":"gh"'))).toHaveLength(1);
});

test('a request with two signatures is refused, and a header cannot start a second line of the log', async () => {
  const body = fresh();
  const lines = [
    'POST /hooks/deploy/gh HTTP/1.1',
    'Host: hooks.example.com',
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    `X-Hub-Signature-256: sha256=${hex(body)}`,
  ];
  const twice = [...lines, `X-Hub-Signature-256: sha256=${hex('other')}`].join('\r\n');
  expect((await sendRaw(server.url, `${twice}\r\n\r\n${body}`)).status).toBe(403);
  const injected = [...lines, 'X-GitHub-Delivery: 1\u001b[2J\u0085{"level":50,"msg":"forged"}'].join('\r\n');
  expect((await sendRaw(server.url, `${injected}\r\n\r\n${body}`)).status).toBeLessThan(500);
  const long = [...lines, `X-GitHub-Delivery: ${'9'.repeat(9_000)}`].join('\r\n');
  expect((await sendRaw(server.url, `${long}\r\n\r\n${body}`)).status).toBeLessThan(500);
  expect(logged.some((line) => line.includes('\n') || line.includes('"msg":"forged"'))).toBe(false);
});

test('a page of another site cannot call a webhook, even with a valid signature', async () => {
  const body = fresh();
  expect((await send('deploy/gh', body, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await send('deploy/gh', body, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await send('deploy/gh', body)).status).toBe(202);
});

test('an expression over a large body ends in time, and a disabled job is not started', async () => {
  await expectWithin(5_000, () =>
    msOf(async () => {
      const large = JSON.stringify({ id: randomUUID(), a: Array.from({ length: 15_000 }, (_, n) => n) });
      expect((await send('deploy/costly', large)).status).toBe(400);
    }),
  );
  const body = fresh();
  expect((await send('off/gh', body)).status).toBeGreaterThanOrEqual(400);
});

test('a body of more than 1 MiB is refused, and a body of almost 1 MiB is accepted', async () => {
  const filled = (size: number) => JSON.stringify({ text: randomUUID(), filler: 'x'.repeat(size) });
  expect((await send('deploy/gh', filled(2 ** 20 - 500))).status).toBe(202);
  const refused = await send('deploy/gh', filled(2 ** 20));
  expect([refused.status, await refused.json()]).toMatchObject([
    413,
    { type: expect.stringContaining('body-too-large') },
  ]);
});

test('a delivery id counts only for its own webhook, and a recorded body starts no second run under a new id', async () => {
  const body = fresh();
  const headers = { 'x-github-delivery': randomUUID() };
  expect((await send('deploy/gh', body, headers)).status).toBe(202);
  expect((await send('deploy/gh', body, { 'x-github-delivery': randomUUID() })).status).toBe(200);
  expect((await send('deploy/headers', body, headers)).status).toBe(202);
});

test('many requests to a webhook that is denied or lacks a key write one log line, until something changes', async () => {
  const lines = (job: string) =>
    logged.filter((line) => line.includes(`"job_id":"${job}"`) && line.includes('"level":40'));
  const sendMany = async (hook: string, status: number) => {
    for (let n = 0; n < 20; n += 1) expect((await send(hook, fresh())).status).toBe(status);
  };
  await sendMany('guest/build/gh', 404);
  expect(lines('guest/build')).toMatchObject([expect.stringContaining('"msg":"a webhook takes no deliveries: ')]);
  await sendMany('other/keyless', 403);
  expect(lines('other')).toHaveLength(1);
  await sendMany('deploy/keyless', 403);
  const ofKeyless = lines('deploy').filter((line) => line.includes('"webhook":"keyless"'));
  expect(ofKeyless).toMatchObject([expect.stringMatching(/lacks a key: .*not-stored.*nor-this/)]);

  const headers = { 'content-type': 'application/json' };
  await server.fetch('/secrets/not-stored', { method: 'PUT', headers, body: JSON.stringify({ value: key }) });
  await sendMany('other/keyless', 202);
  await server.fetch('/secrets/not-stored', { method: 'DELETE' });
  await sendMany('other/keyless', 403);
  expect(lines('other')).toHaveLength(2);
});
