// Webhooks that are created at run time: what their addresses do, who may create and remove them, and where their
// tokens must not appear.

import { createHmac, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startServing, type TestToken } from './serving.ts';

const key = 'a key of the test';
const logged: string[] = [];
let aheadMs = 0;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
const args = [
  { name: 'ref', required: true, pattern: '^refs/' },
  { name: 'pin', format: 'secret' },
];
const server = await startServing({
  clock,
  watch: true,
  server: { publicUrl: 'https://flwd.example.org/' },
  onLog: (line) => logged.push(JSON.stringify(line)),
  jobs: {
    'site/deploy': bash('true', {
      args,
      webhooks: [{ name: 'push', scheme: 'hmac', secret: 'key', args: { ref: 'body.ref' } }],
    }),
    simple: bash('true'),
    leaving: bash('true'),
    many: bash('true', { args: [{ name: 'n', type: 'integer' }] }),
  },
  sources: [{ name: 'guest', mountPath: 'guest', trusted: false, jobs: { build: bash('true') } }],
});
afterAll(() => server.close());
const json = { 'content-type': 'application/json' };
beforeAll(() => server.fetch('/secrets/key', { method: 'PUT', headers: json, body: JSON.stringify({ value: key }) }));

type Made = { readonly id: string; readonly name: string; readonly hook: string; readonly url: string };
type Fields = Readonly<Record<string, unknown>>;

const post = (path: string, body: unknown, token?: TestToken) => server.post(path, body, token?.headers);
const read = async (answer: Response): Promise<Fields & { errors?: readonly { pointer: string; message: string }[] }> =>
  JSON.parse(await answer.text());
async function make(terms: Fields, token?: TestToken): Promise<Made> {
  const answer = await post('/webhooks', terms, token);
  expect(answer.status).toBe(201);
  const made: Made = JSON.parse(await answer.text());
  return made;
}
const call = (hook: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
  server.fetch(`/${hook}`, {
    method: 'POST',
    ...(body !== undefined && { body: JSON.stringify(body) }),
    headers: { ...(body !== undefined && json), ...headers },
  });
const runOf = async (answer: Response) => read(await server.fetch(`/runs/${String((await read(answer)).run_id)}`));
const remove = (id: string, token?: TestToken) =>
  server.fetch(`/webhooks/${id}`, { method: 'DELETE', headers: { ...token?.headers } });

describe('an address with a token', () => {
  test('is shown once, and starts a run without a body, below both paths and with any Host', async () => {
    const made = await make({ job_id: 'simple' });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^webhook_[0-9A-Z]{26}$/),
      name: expect.stringMatching(/^hook-[0-9a-z]{8}$/),
      source: 'api',
      hook: expect.stringMatching(/^\/hooks\/flwd_hook_[\w-]{43}$/),
      url: `https://flwd.example.org${made.hook}`,
      scheme: 'token',
      header: null,
      secrets: [],
      per_minute: 10,
      created_by: 'local',
    });
    const shown = await read(await server.fetch(`/webhooks/${made.id}`));
    expect(shown).toMatchObject({ id: made.id, hook: null });
    expect(shown).not.toHaveProperty('url');

    const answer = await call(made.hook);
    expect(answer.status).toBe(202);
    expect(await runOf(answer)).toMatchObject({
      job_id: 'simple',
      tenant: 'default',
      trigger: { type: 'webhook' },
      created_by: `webhook:${made.name}`,
    });
    expect((await server.fetch(made.hook, { method: 'POST', headers: { host: 'hooks.example.com' } })).status).toBe(
      202,
    );
  });

  test('starts a run for each delivery, because nothing marks the second one as a duplicate', async () => {
    const { hook } = await make({ job_id: 'simple' });
    const [first, second] = [await read(await call(hook, { n: 1 })), await read(await call(hook, { n: 1 }))];
    expect(first.run_id).not.toBe(second.run_id);
  });

  test('accepts ten deliveries a minute, or as many as were configured', async () => {
    const usual = await make({ job_id: 'simple' });
    const few = await make({ job_id: 'simple', per_minute: 2 });
    const statuses = async (hook: string, count: number) => {
      const seen: number[] = [];
      for (let n = 0; n < count; n += 1) seen.push((await call(hook)).status);
      return seen;
    };
    expect(await statuses(usual.hook, 12)).toEqual([...Array.from({ length: 10 }, () => 202), 429, 429]);
    expect(await statuses(few.hook, 3)).toEqual([202, 202, 429]);
    const refused = await call(few.hook);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    aheadMs += 60_000;
    expect(await statuses(few.hook, 1)).toEqual([202]);
  });

  test('that never existed, was removed, or lost its job gets the same 404 before the body is read', async () => {
    const ended = await make({ job_id: 'simple' });
    const jobless = await make({ job_id: 'leaving' });
    expect((await call(jobless.hook)).status).toBe(202);
    expect((await remove(ended.id)).status).toBe(204);
    rmSync(join(server.root, 'jobs', 'leaving'), { recursive: true });
    await expect
      .poll(async () => read(await server.fetch(`/webhooks/${jobless.id}`)))
      .toMatchObject({ denied: { type: expect.stringMatching(/job-not-found$/), detail: expect.any(String) } });

    const seen = new Set<string>();
    for (const hook of [ended.hook, jobless.hook, `/hooks/flwd_hook_${'A'.repeat(43)}`]) {
      // Only the headers arrive, so the answer cannot depend on the body.
      const head = [
        'Host: x',
        'Content-Type: application/json',
        'Content-Length: 9',
        'Connection: close',
        'X-Request-Id: same',
      ];
      const answer = await sendRaw(server.url, [`POST ${hook} HTTP/1.1`, ...head, '', ''].join('\r\n'));
      seen.add(`${answer.head.replaceAll(/^(?:Date|X-RateLimit-\w+): .*$/gim, '')}${answer.body}`);
    }
    expect([...seen]).toEqual([expect.stringMatching(/ 404 [\s\S]*"instance":"\/hooks\/flwd_hook_\[redacted\]"/)]);

    await writeJob(join(server.root, 'jobs', 'leaving'), bash('true'));
    await expect.poll(async () => (await call(jobless.hook)).status).toBe(202);
  });
});

describe('a webhook with a scheme', () => {
  test('needs the signature and the token, recognizes duplicates, and lists and replays its deliveries', async () => {
    const made = await make({
      job_id: 'site/deploy',
      name: 'signed',
      scheme: 'hmac',
      secret: 'key',
      if: 'body.ref != "refs/no"',
      args: { ref: 'body.ref', pin: 'body.pin' },
    });
    expect(made).toMatchObject({ header: 'x-signature-256', secrets: ['key'], per_minute: null });
    const body = { ref: 'refs/a', pin: 'pin-4711', n: randomUUID() };
    const signature = (value: unknown) => ({
      'x-signature-256': `sha256=${createHmac('sha256', key).update(JSON.stringify(value)).digest('hex')}`,
    });
    expect((await call(made.hook, body)).status).toBe(403);
    const first = await call(made.hook, body, signature(body));
    expect(first.status).toBe(202);
    const { run_id } = await read(first);
    expect(await read(await call(made.hook, body, signature(body)))).toMatchObject({ run_id, duplicate: true });
    const no = { ref: 'refs/no' };
    expect(await read(await call(made.hook, no, signature(no)))).toEqual({ skipped: true });

    const { deliveries } = (await read(await server.fetch(`/webhooks/${made.id}/deliveries`))) as {
      deliveries?: readonly { id: string; args: Fields | null }[];
    };
    expect(deliveries).toMatchObject([
      { result: 'skipped', scheme: 'hmac' },
      { result: 'started', args: { ref: 'refs/a', pin: '[redacted]' }, run_id, repeats: 1 },
    ]);
    const replayed = await post(`/webhooks/${made.id}/deliveries/${deliveries?.[1]?.id}/replay`, undefined);
    expect(replayed.status).toBe(409);
    expect((await remove(made.id)).status).toBe(204);
    expect((await server.fetch(`/webhooks/${made.id}/deliveries`)).status).toBe(404);
    expect(await server.store.webhooks.deliveries(made.id)).toEqual([]);
  });
});

describe('creating a webhook', () => {
  test.each([
    [{ scheme: 'github' }, '/secret', 'is missing'],
    [{ secret: 'key' }, '/secret', 'needs a `scheme`'],
    [{ scheme: 'hmac', secret: 'nothing' }, '/secret', 'flwd secrets set nothing'],
    [{ header: 'X-Mine' }, '/header', 'needs `scheme: hmac`'],
    [{ args: { reff: 'body.ref' } }, '/args/reff', 'did you mean `ref`?'],
    [{ args: {} }, '/args/ref', 'is missing'],
    [{ if: '"yes"' }, '/if', 'true or false'],
    [{ args: { ref: 'args.x' } }, '/args/ref', 'args'],
    [{ args: { ref: 'headers.cookie' } }, '/args/ref', 'authenticates the sender'],
    [{ wait: '5m' }, '/wait', 'at most `30s`'],
    [{ wait: 'soon' }, '/wait', 'a duration'],
    [{ per_minute: 0 }, '/per_minute', ''],
    [{ name: 'a/b' }, '/name', ''],
    [{ name: 'push' }, '/name', "'push' is already the name of a webhook of 'site/deploy': choose another one"],
  ])('with %j is refused with the wrong member', async (terms, pointer, message) => {
    const answer = await post('/webhooks', { job_id: 'site/deploy', args: { ref: 'body.ref' }, ...terms });
    expect(answer.status).toBe(400);
    const { errors = [] } = await read(answer);
    expect(errors.find((one) => one.pointer === pointer)?.message).toContain(message);
  });

  test('needs the scope `schedules:write`, an existing job, and a trusted source', async () => {
    const runner = await server.token({ scopes: ['jobs:read', 'runs:write'] });
    expect((await post('/webhooks', { job_id: 'simple' }, runner)).status).toBe(403);
    expect((await post('/webhooks', { job_id: 'no/such/job' })).status).toBe(404);
    expect(await read(await post('/webhooks', { job_id: 'guest/build' }))).toMatchObject({
      type: expect.stringMatching(/source-untrusted$/),
    });
    const scheduler = await server.token({ scopes: ['schedules:write'] });
    const { id } = await make({ job_id: 'simple', name: 'of-a-token' }, scheduler);
    expect((await remove(id, runner)).status).toBe(403);
    expect((await remove(id, scheduler)).status).toBe(204);
  });

  test('puts the webhook, its runs and its secrets into the tenant of the caller', async () => {
    const beta = await server.token({ tenant: 'beta' });
    const other = await make({ job_id: 'simple', name: 'same' });
    const made = await make({ job_id: 'simple', name: 'same' }, beta);
    expect((await post('/webhooks', { job_id: 'simple', name: 'same' }, beta)).status).toBe(400);
    expect(await runOf(await call(made.hook))).toMatchObject({ tenant: 'beta' });
    const terms = { job_id: 'simple', scheme: 'hmac', secret: 'key' };
    expect((await post('/webhooks', terms, beta)).status).toBe(400);
    for (const [id, token] of [
      [other.id, beta],
      [made.id, await server.token()],
    ] as const) {
      expect((await server.fetch(`/webhooks/${id}`, { headers: token.headers })).status).toBe(404);
      expect((await remove(id, token)).status).toBe(404);
    }
  });

  test('a webhook of a job file can only be changed in that file', async () => {
    const { webhooks } = (await read(await server.fetch('/webhooks?job_id=site/deploy'))) as {
      webhooks?: readonly { id: string; name: string; source: string }[];
    };
    const ofFile = webhooks?.find(({ name }) => name === 'push');
    expect(ofFile?.source).toBe('job');
    const refused = await remove(ofFile?.id ?? '');
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('site/deploy')]);
  });
});

test('a delivery that arrives while its webhook is being removed starts no run afterwards', async () => {
  const made = await make({ job_id: 'many', per_minute: 1_000, args: { n: 'body.n' } });
  const sent = Promise.all(Array.from({ length: 30 }, (_, n) => call(made.hook, { n })));
  await remove(made.id);
  const count = async () => (await read(await server.fetch('/runs?job_id=many&limit=1'))).total;
  const before = await count();
  const statuses = (await sent).map(({ status }) => status);
  expect(statuses.every((status) => status === 202 || status === 404)).toBe(true);
  expect(await count()).toBe(before);
});

describe('a test of a webhook', () => {
  const terms = {
    job_id: 'site/deploy',
    scheme: 'github',
    secret: 'key',
    if: 'event == "push"',
    args: { ref: 'body.ref + ("x" in query ? query.x : "")', pin: '"pin" in body ? body.pin : "none"' },
  };
  test('says which run a body would start, but starts and stores nothing', async () => {
    const { id } = await make({ ...terms, name: 'tried' });
    const total = async () => (await read(await server.fetch('/runs?limit=1'))).total;
    const before = await total();
    const tryIt = async (body: Fields) => read(await post(`/webhooks/${id}/test`, body));
    expect(await tryIt({ event: 'push', body: { ref: 'refs/a', pin: 'pin-8842' }, query: { x: 'b' } })).toEqual({
      result: 'starts',
      event: 'push',
      args: { ref: 'refs/ab', pin: '[redacted]' },
      asks_person: false,
      problem: null,
      detail: null,
    });
    expect(await tryIt({ event: 'star', body: { ref: 'refs/a' } })).toMatchObject({ result: 'skipped', args: null });
    expect(await tryIt({ headers: { 'X-GitHub-Event': 'ping' } })).toMatchObject({ result: 'tested', event: 'ping' });
    expect(await tryIt({ event: 'push', body: { ref: 'main' } })).toMatchObject({
      result: 'refused',
      args: { ref: 'main' },
      problem: 'validation-error',
      detail: expect.stringContaining('/args/ref'),
    });
    expect(await tryIt({ event: 'push', body: {} })).toMatchObject({
      result: 'refused',
      args: null,
      detail: expect.stringContaining('/args/ref'),
    });
    expect(await total()).toBe(before);
    expect(await server.store.webhooks.deliveries(id)).toEqual([]);
  });

  test('needs the scope `runs:write`', async () => {
    const { id } = await make({ ...terms, name: 'tried-by-others' });
    const reader = await server.token({ scopes: ['jobs:read', 'runs:read'] });
    expect((await post(`/webhooks/${id}/test`, {}, reader)).status).toBe(403);
  });
});

describe('the list of webhooks', () => {
  type List = { readonly webhooks: readonly Made[]; readonly total: number; readonly next_cursor: string | null };
  const list = async (query: string, token?: TestToken): Promise<List> =>
    JSON.parse(await (await server.fetch(`/webhooks?${query}`, { headers: { ...token?.headers } })).text());
  const namesOf = ({ webhooks }: List) => webhooks.map(({ name }) => name);

  test('pages webhooks of both kinds together, and shows each caller only those of its jobs', async () => {
    const gamma = await server.token({ tenant: 'gamma', only: ['many', 'leaving'], scopes: ['jobs:read'] });
    const maker = await server.token({ tenant: 'gamma', scopes: ['jobs:read', 'schedules:write'] });
    for (const name of ['c', 'a', 'b']) await make({ job_id: 'many', name, args: {} }, maker);
    await make({ job_id: 'simple', name: 'hidden' }, maker);
    expect(await list('', gamma)).toMatchObject({ total: 3, next_cursor: null });
    const first = await list('limit=2', gamma);
    expect(namesOf(first)).toEqual(['a', 'b']);
    expect(first.total).toBe(3);
    const rest = await list(`limit=2&cursor=${first.next_cursor}`, gamma);
    expect([namesOf(rest), rest.total, rest.next_cursor]).toEqual([['c'], 3, null]);
    expect(namesOf(await list('offset=1&limit=1', gamma))).toEqual(['b']);
    expect(namesOf(await list('job_id=simple', maker))).toEqual(['hidden']);

    await make({ job_id: 'site/deploy', name: 'a-before', args: { ref: 'body.ref' } });
    await make({ job_id: 'site/deploy', name: 'z-behind', args: { ref: 'body.ref' } });
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(`tenant=default&job_id=site/deploy&limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(...namesOf(page));
      cursor = page.next_cursor;
    }
    const whole = await list('tenant=default&job_id=site/deploy');
    expect(seen).toEqual(namesOf(whole));
    expect(seen.filter((name) => ['a-before', 'push', 'z-behind'].includes(name))).toEqual([
      'a-before',
      'push',
      'z-behind',
    ]);
    const malformed = await server.fetch(`/webhooks?cursor=${Buffer.from('a\0b').toString('base64url')}`);
    expect(malformed.status).toBe(400);
  });

  test('reads each token once, however many webhooks belong to it, and only for the page that it shows', async () => {
    const limited = await server.token({ tenant: 'delta', only: ['many', 'simple'], scopes: ['schedules:write'] });
    const other = await server.token({ tenant: 'delta', only: ['simple'], scopes: ['schedules:write'] });
    for (const name of ['a', 'b', 'c']) await make({ job_id: 'many', name }, limited);
    await make({ job_id: 'simple', name: 'z' }, other);
    const find = vi.spyOn(server.store.tokens, 'find');
    expect(namesOf(await list('tenant=delta&limit=3'))).toEqual(['a', 'b', 'c']);
    expect(find.mock.calls).toEqual([[limited.id]]);
    find.mockRestore();
  });
});

describe('the token of a webhook', () => {
  const everywhere = async (path: string) => server.fetch(path).then((answer) => answer.text());

  test('is in no list, audit entry, metric or file, while creating and removing the webhook are audited', async () => {
    const made = await make({ job_id: 'simple', name: 'audited' });
    const secret = made.hook.slice('/hooks/'.length);
    await call(made.hook);
    await remove(made.id);
    const audit = await everywhere(`/audit?object=${made.id}`);
    expect((JSON.parse(audit) as { entries: readonly object[] }).entries).toMatchObject([
      { action: 'webhook.delete', object: { kind: 'webhook', id: made.id }, tenant: 'default', result: 'done' },
      { action: 'webhook.create', detail: { job_id: 'simple', name: 'audited' }, tenant: 'default', result: 'done' },
    ]);
    for (const path of ['/audit?limit=1000', '/webhooks', '//metrics', '/runs?limit=200'])
      expect(await everywhere(path), path).not.toContain(secret);
    const data = join(server.root, 'data');
    for (const file of readdirSync(data, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      expect(readFileSync(join(file.parentPath, file.name)).includes(secret), file.name).toBe(false);
    }
  });

  test.each([
    ['as it is', (hook: string) => hook],
    ['below /api/v1', (hook: string) => `/api/v1${hook}`],
    ['with a slash behind it', (hook: string) => `${hook}/`],
    ['with more behind it', (hook: string) => `${hook}/more?a=b`],
    ['with a typo before it', (hook: string) => `/x${hook}`],
    ['percent-encoded', (hook: string) => hook.replaceAll('_', '%5F').replace('h', '%68')],
    ['as an absolute URL', (hook: string) => `http://x${hook}`],
  ])('is in no log line and no problem document, %s', async (_, spell) => {
    const made = await make({ job_id: 'simple' });
    const secret = made.hook.slice('/hooks/flwd_hook_'.length);
    await remove(made.id);
    const from = logged.length;
    for (const method of ['POST', 'GET', 'CONNECT', 'DELETE']) {
      const head = [`${method} ${spell(made.hook)} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close'];
      const answer = await sendRaw(server.url, `${[...head, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      for (const text of [answer.head, answer.body])
        for (const spelled of [secret, secret.replaceAll('_', '%5F')]) expect(text).not.toContain(spelled);
    }
    // A request is logged after its answer, so wait for the log line of a last request.
    await call('/hooks/simple/the-last-one');
    await expect.poll(() => logged.slice(from).some((line) => line.includes('the-last-one'))).toBe(true);
    expect(logged.slice(from).join('\n')).not.toContain(secret);
    expect(logged.slice(from).join('\n')).not.toContain(secret.replaceAll('_', '%5F'));
  });

  test.each([
    ['that a proxy has encoded again', (token: string) => `/hooks/${token.replaceAll('_', '%255f')}`],
    ['with a line break of a mail in it', (token: string) => `/hooks/${token.slice(0, 18)}%20${token.slice(18)}`],
    ['without its prefix', (token: string) => `/api/v1/hooks/${token.slice('flwd_hook_'.length)}`],
    ['in upper case', (token: string) => `/hooks/${token.replace('flwd_hook_', 'FLWD_HOOK_')}`],
    ['as the id of a webhook', (token: string) => `/api/v1/webhooks/${token}`],
    ['as the id of a job', (token: string) => `/api/v1/jobs/${token}`],
    ['as the id of a run', (token: string) => `/api/v1/runs/${token}`],
  ])('is in no log line and no problem document, %s', async (_, pathFor) => {
    const { hook } = await make({ job_id: 'simple' });
    const token = hook.slice('/hooks/'.length);
    const end = token.slice(-20);
    const from = logged.length;
    for (const method of ['POST', 'GET']) {
      const answer = await server.fetch(`/${pathFor(token)}`, { method, headers: { 'x-request-id': token } });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers.get('x-request-id')).toMatch(/^req_/);
      expect(await answer.text()).not.toContain(end);
    }
    await call('/hooks/simple/the-last-one');
    await expect.poll(() => logged.slice(from).some((line) => line.includes('the-last-one'))).toBe(true);
    expect(logged.slice(from).join('\n')).not.toContain(end);
  });

  test('is in no problem document of a request that is refused for another reason', async () => {
    const made = await make({ job_id: 'simple', per_minute: 1, args: {} });
    const secret = made.hook.slice('/hooks/'.length);
    await call(made.hook);
    for (const answer of [
      await call(made.hook),
      await server.fetch(`/${made.hook}`, { method: 'POST', body: '{', headers: json }),
      await server.fetch(`/${made.hook}`, { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } }),
      await server.fetch(`/${made.hook}`, { method: 'POST', body: 'x'.repeat(70_000), headers: json }),
      await server.fetch(`/${made.hook}`, { method: 'POST', headers: { origin: 'https://evil.example' } }),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(await answer.text()).not.toContain(secret);
    }
  });
});
