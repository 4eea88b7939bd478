// The list of deliveries: what it shows, what it leaves out, and what a replay starts.

import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { startServing, type TestToken } from './serving.ts';

const key = 'a key of the test';
const server = await startServing({
  jobs: {
    'site/deploy': bash('true', {
      args: [
        { name: 'ref', required: true, pattern: '^refs/' },
        { name: 'pin', format: 'secret' },
      ],
      webhooks: [
        {
          name: 'push',
          scheme: 'github',
          secret: 'key',
          if: 'event == "push"',
          args: { ref: 'body.ref' },
        },
        { name: 'pin', scheme: 'hmac', secret: 'key', args: { ref: 'body.ref', pin: 'body.pin' } },
        { name: 'many', scheme: 'hmac', secret: 'key', if: 'body.yes', args: { ref: 'body.ref' } },
      ],
    }),
  },
});
afterAll(() => server.close());
const json = { 'content-type': 'application/json' };
beforeAll(() => server.fetch('/secrets/key', { method: 'PUT', headers: json, body: JSON.stringify({ value: key }) }));

type Delivery = {
  readonly id: string;
  readonly result: string;
  readonly run_id: string | null;
  readonly repeats: number;
  readonly detail: string | null;
};
type Webhook = { readonly id: string; readonly name: string; readonly last_delivery: Delivery | null };

async function read<T>(path: string, token?: TestToken): Promise<T> {
  const answer: T = JSON.parse(await (await server.fetch(path, { headers: { ...token?.headers } })).text());
  return answer;
}
const webhooks = async (token?: TestToken) =>
  (await read<{ webhooks: readonly Webhook[] }>('/webhooks?job_id=site/deploy', token)).webhooks;
const idOf = async (name: string) => (await webhooks()).find((one) => one.name === name)?.id ?? '';
const deliveriesOf = async (name: string) =>
  (await read<{ deliveries: readonly Delivery[] }>(`/webhooks/${await idOf(name)}/deliveries`)).deliveries;

async function send(
  name: string,
  value: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  const signed = { 'x-hub-signature-256': signature, 'x-signature-256': signature };
  const answer = await server.fetch(`//hooks/site/deploy/${name}`, {
    method: 'POST',
    body,
    headers: { ...json, ...signed, ...headers },
  });
  return answer.status;
}
const github = (event = 'push') => ({ 'x-github-event': event, 'x-github-delivery': randomUUID() });
const replay = async (name: string, delivery: string, token?: TestToken) =>
  server.fetch(`/webhooks/${await idOf(name)}/deliveries/${delivery}/replay`, {
    method: 'POST',
    headers: { ...token?.headers },
  });

test('a webhook is listed with its address and its last delivery', async () => {
  expect(await webhooks()).toMatchObject([{ name: 'many' }, { name: 'pin' }, { name: 'push' }]);
  expect(await read(`/webhooks/${await idOf('push')}`)).toEqual({
    id: expect.stringMatching(/^webhook_[0-9A-F]{26}$/),
    name: 'push',
    job_id: 'site/deploy',
    tenant: 'default',
    source: 'job',
    hook: '/hooks/site/deploy/push',
    scheme: 'github',
    header: 'x-hub-signature-256',
    secrets: ['key'],
    missing_secrets: [],
    per_minute: null,
    created_at: null,
    created_by: null,
    if: 'event == "push"',
    args: { ref: 'body.ref' },
    denied: null,
    last_delivery: null,
  });
  const reader = await server.token({ scopes: ['jobs:read'] });
  await send('push', { ref: 'refs/heads/last', n: randomUUID() }, github());
  expect((await webhooks()).find(({ name }) => name === 'push')?.last_delivery).toMatchObject({ result: 'started' });
  expect((await webhooks(reader)).find(({ name }) => name === 'push')?.last_delivery).toBeNull();
});

test('the list says what each delivery led to, newest first, and leaves out forged deliveries', async () => {
  const headers = github();
  const body = { ref: 'refs/heads/a', n: randomUUID() };
  await send('push', { zen: 'Keep it simple.' }, github('ping'));
  await send('push', { ref: 'refs/heads/a', n: randomUUID() }, github('star'));
  await send('push', { ref: 'main' }, github());
  await send('push', body, headers);
  expect(await send('push', body, headers)).toBe(200);
  expect(await send('push', body, { 'x-hub-signature-256': 'sha256=0' })).toBe(403);
  expect((await deliveriesOf('push')).slice(0, 4)).toEqual([
    {
      id: expect.stringMatching(/^delivery_/),
      at: expect.any(String),
      result: 'started',
      event: 'push',
      delivery_id: headers['x-github-delivery'],
      scheme: 'github',
      run_id: expect.stringMatching(/^run_/),
      args: { ref: 'refs/heads/a' },
      problem: null,
      detail: null,
      repeats: 1,
    },
    expect.objectContaining({
      result: 'refused',
      run_id: null,
      args: { ref: 'main' },
      problem: 'validation-error',
      detail: expect.stringContaining('/args/ref'),
    }),
    expect.objectContaining({ result: 'skipped', event: 'star', args: null, run_id: null }),
    expect.objectContaining({ result: 'tested', event: 'ping', args: null, run_id: null }),
  ]);
});

test('only the last 100 deliveries are kept, and a repeated delivery does not displace another one', async () => {
  for (let n = 0; n < 103; n += 1) await send('many', { yes: false, n });
  const before = await deliveriesOf('many');
  expect(before).toHaveLength(100);
  await send('many', { yes: true, ref: 'refs/x' });
  for (let n = 0; n < 5; n += 1) expect(await send('many', { yes: true, ref: 'refs/x' })).toBe(200);
  const after = await deliveriesOf('many');
  expect(after).toMatchObject([{ result: 'started', repeats: 5 }, ...before.slice(0, 99).map(({ id }) => ({ id }))]);
});

test('one body sent many times under new ids does not displace other deliveries, whatever its result', async () => {
  await send('push', { ref: 'refs/heads/real', n: randomUUID() }, github());
  const [real] = await deliveriesOf('push');
  const skipped = { ref: 'refs/heads/recorded', n: randomUUID() };
  const refused = { ref: 'recorded', n: randomUUID() };
  for (let n = 0; n < 120; n += 1) {
    expect(await send('push', skipped, github('star'))).toBe(200);
    expect(await send('push', skipped, github('ping'))).toBe(200);
    expect(await send('push', refused, github())).toBe(400);
  }
  expect((await deliveriesOf('push')).slice(0, 4)).toMatchObject([
    { result: 'refused', repeats: 119 },
    { result: 'tested', repeats: 119 },
    { result: 'skipped', repeats: 119 },
    { id: real?.id, result: 'started', repeats: 0 },
  ]);
});

test('a delivery that is refused again shows the latest reason', async () => {
  const body = { ref: 'other', n: randomUUID() };
  await send('push', body, github());
  await send('push', body, { ...github(), 'content-type': 'text/plain' });
  expect((await deliveriesOf('push'))[0]).toMatchObject({
    result: 'refused',
    problem: 'unsupported-media-type',
    detail: expect.stringContaining('application/json'),
    repeats: 1,
  });
});

test.each([
  ['JSON', '{"ref":', json['content-type']],
  ['a form', `payload=${encodeURIComponent('{"ref":')}`, 'application/x-www-form-urlencoded'],
  ['an empty form', 'payload=', 'application/x-www-form-urlencoded'],
])('a signed delivery whose JSON is broken is kept as refused (%s)', async (_, body, type) => {
  expect(await send('push', body, { ...github(), 'content-type': type })).toBe(400);
  expect((await deliveriesOf('push'))[0]).toMatchObject({
    result: 'refused',
    problem: 'malformed-request',
    detail: expect.stringContaining('not well-formed JSON'),
    repeats: 0,
  });
});

describe('a replay', () => {
  test('starts a run with the arguments of the delivery, as the caller who asks for it', async () => {
    await send('push', { ref: 'refs/heads/again', n: randomUUID() }, github());
    const [delivery] = await deliveriesOf('push');
    const token = await server.token({ scopes: ['runs:write'], name: 'ops' });
    const answer = await replay('push', delivery?.id ?? '', token);
    expect(answer.status).toBe(201);
    const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
    expect(runId).not.toBe(delivery?.run_id);
    expect(await read(`/runs/${runId}`)).toMatchObject({
      args: { ref: 'refs/heads/again' },
      created_by: 'ops',
      trigger: { type: 'webhook' },
    });
  });

  test('reruns the run if an argument is a secret, which the list never shows', async () => {
    const pin = 'pin-4711-of-the-body';
    await send('pin', { ref: 'refs/heads/a', pin });
    await send('pin', { ref: 'main', pin });
    const [refused, started] = await deliveriesOf('pin');
    expect(JSON.stringify([refused, started])).not.toContain(pin);
    expect(started).toMatchObject({ args: { ref: 'refs/heads/a', pin: '[redacted]' } });
    expect((await replay('pin', refused?.id ?? '')).status).toBe(409);
    const answer = await replay('pin', started?.id ?? '');
    // The run of this delivery has not ended, and only a run that has ended can be rerun.
    expect([answer.status, JSON.parse(await answer.text()).type]).toEqual([
      409,
      expect.stringMatching(/run-not-finished$/),
    ]);
  });

  test('of an unknown delivery, or of one without arguments, is refused', async () => {
    await send('push', { zen: 'Speak like a human.' }, github('ping'));
    const [tested] = await deliveriesOf('push');
    expect((await replay('push', tested?.id ?? '')).status).toBe(409);
    expect((await replay('push', 'delivery_01HX0000000000000000000000')).status).toBe(404);
    expect((await replay('pin', tested?.id ?? '')).status).toBe(404);
  });

  test('needs the scope and the tenant of the webhook, and for other tenants the delivery does not exist', async () => {
    await send('push', { ref: 'refs/heads/b', n: randomUUID() }, github());
    const [delivery] = await deliveriesOf('push');
    const reader = await server.token({ scopes: ['runs:read'] });
    expect((await replay('push', delivery?.id ?? '', reader)).status).toBe(403);
    const beta = await server.token({ tenant: 'beta' });
    expect(await webhooks(beta)).toEqual([]);
    const id = await idOf('push');
    for (const path of [`/webhooks/${id}`, `/webhooks/${id}/deliveries`]) {
      expect((await server.fetch(path, { headers: beta.headers })).status).toBe(404);
    }
    expect((await replay('push', delivery?.id ?? '', beta)).status).toBe(404);
    expect((await server.fetch('/webhooks?tenant=default', { headers: beta.headers })).status).toBe(403);
  });
});
