// Deliveries over HTTP. The tests create each signature as the service documents it, without flwd's own code.

import { createHash, createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const keys = {
  gh: 'It is a secret to everybody',
  'gh-old': 'the key of last year',
  gl: 'gl-7b2f-token',
  st: 'whsec_test_3fKq9',
  sl: '8f742231b10e8888abcd99yyyzzz85a5',
  sw: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  plain: 'a shared key',
};
type Headers = Readonly<Record<string, string>>;
const hex = (key: string, text: string) => createHmac('sha256', key).update(text).digest('hex');

let aheadMs = 0;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
const seconds = () => Math.floor(clock.now() / 1000);
const server = await startServing({
  clock,
  server: { bodyLimitBytes: 4 * 2 ** 20 },
  jobs: {
    'ci/build': bash('true', {
      args: [
        { name: 'ref', required: true, pattern: '^refs/' },
        { name: 'commits', type: 'integer' },
        { name: 'agent' },
        { name: 'mode' },
        { name: 'event' },
      ],
      webhooks: [
        {
          name: 'push',
          scheme: 'github',
          secret: ['gh', 'gh-old'],
          if: 'event == "push"',
          headers: ['X-Trace'],
          args: {
            ref: 'body.ref',
            commits: 'size(body.commits)',
            agent: 'headers["user-agent"] + ("x-trace" in headers ? headers["x-trace"] : "")',
            mode: '"mode" in query ? query.mode : "usual"',
            event: 'event',
          },
        },
        { name: 'lost', scheme: 'github', secret: 'not-stored', args: { ref: 'body.ref' } },
      ],
    }),
    any: bash('true', {
      args: [{ name: 'text' }, { name: 'event' }, { name: 'key', format: 'secret' }],
      webhooks: [
        { name: 'gitlab', scheme: 'gitlab', secret: 'gl', args: { text: 'body.ref', event: 'event' } },
        { name: 'stripe', scheme: 'stripe', secret: 'st', args: { text: 'body.data.object.id', event: 'event' } },
        { name: 'slack', scheme: 'slack', secret: 'sl', args: { text: 'string(dyn(body).size())', event: 'event' } },
        { name: 'standard', scheme: 'standard', secret: 'sw', args: { text: 'body.data.name', event: 'event' } },
        { name: 'plain', scheme: 'hmac', secret: 'plain', args: { text: 'body.text' } },
        { name: 'named', scheme: 'hmac', secret: 'plain', header: 'X-Proof', args: { text: 'body.text' } },
        { name: 'secret', scheme: 'hmac', secret: 'plain', args: { key: 'body.key' } },
        { name: 'everything', scheme: 'hmac', secret: 'plain', args: { text: 'string(size(headers))' } },
      ],
    }),
    broken: bash('true', { webhooks: [{ name: 'x', scheme: 'github', secret: 'gh' }], argspec: { type: 'nothing' } }),
  },
  aliases: [{ from: 'ci/build', to: 'build' }],
});
afterAll(() => server.close());
beforeAll(async () => {
  for (const [name, value] of Object.entries(keys)) {
    const body = JSON.stringify({ value });
    await server.fetch(`/secrets/${name}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
  }
});

const json = { 'content-type': 'application/json' };
const send = (hook: string, body: string, headers: Headers = {}) =>
  server.fetch(`//hooks/${hook}`, { method: 'POST', body, headers: { ...json, ...headers } });
const read = async (answer: Response) => {
  const { type, errors, ...body }: Record<string, unknown> & { errors?: { pointer: string }[] } = JSON.parse(
    await answer.text(),
  );
  if (typeof type !== 'string') return { status: answer.status, ...body };
  return { status: answer.status, slug: type.split('/').at(-1), at: errors?.map(({ pointer }) => pointer) };
};
const runOf = async (answer: Response): Promise<Record<string, unknown>> => {
  const { run_id: id }: { run_id: string } = JSON.parse(await answer.text());
  return JSON.parse(await (await server.fetch(`/runs/${id}`)).text());
};

/** A push as GitHub sends it. */
const pushed = (over: object = {}) =>
  JSON.stringify({ ref: 'refs/heads/main', commits: [{ id: randomUUID() }], sender: { login: 'mona' }, ...over });
const githubHeaders = (body: string, key = keys.gh): Headers => ({
  'user-agent': 'GitHub-Hookshot/044aadd',
  'x-github-event': 'push',
  'x-github-delivery': randomUUID(),
  'x-hub-signature-256': `sha256=${hex(key, body)}`,
});
const push = (body = pushed(), headers = githubHeaders(body)) => send('ci/build/push', body, headers);

describe('a push from GitHub', () => {
  test('starts a run with the mapped arguments, as the webhook and as no other caller', async () => {
    const answer = await push();
    expect(answer.status).toBe(202);
    expect(await runOf(answer)).toMatchObject({
      job_id: 'ci/build',
      tenant: 'default',
      args: { ref: 'refs/heads/main', commits: 1, mode: 'usual', event: 'push' },
      trigger: { type: 'webhook' },
      created_by: 'webhook:push',
    });
  });

  test('is also accepted below /api/v1, by an alias, with any Host, with a query and as a form', async () => {
    const body = pushed();
    const base = await server.fetch('/hooks/ci/build/push?mode=quick', {
      method: 'POST',
      body,
      headers: { ...json, ...githubHeaders(body), host: 'hooks.example.com' },
    });
    expect(await runOf(base)).toMatchObject({ args: { mode: 'quick' } });

    const other = pushed();
    expect((await send('build/push', other, githubHeaders(other))).status).toBe(202);

    const form = `payload=${encodeURIComponent(pushed())}`;
    const sent = await push(form, { ...githubHeaders(form), 'content-type': 'application/x-www-form-urlencoded' });
    expect(await runOf(sent)).toMatchObject({ args: { ref: 'refs/heads/main' } });
  });

  test('is accepted with the older of two keys, and refused with any other key', async () => {
    const body = pushed();
    expect((await push(body, githubHeaders(body, keys['gh-old']))).status).toBe(202);
    expect(await read(await push(body, githubHeaders(body, keys.gl)))).toMatchObject({
      status: 403,
      slug: 'signature-invalid',
    });
  });

  test('is refused when a byte of the body, the header or the key is missing', async () => {
    const body = pushed();
    const { 'x-hub-signature-256': signature = '', ...unsigned } = githubHeaders(body);
    const wrong = { status: 403, slug: 'signature-invalid' };
    expect(await read(await push(`${body} `, githubHeaders(body)))).toMatchObject(wrong);
    expect(await read(await push(body, unsigned))).toMatchObject(wrong);
    expect(await read(await push(body, { ...unsigned, 'x-hub-signature-256': signature.slice(0, -1) }))).toMatchObject(
      wrong,
    );
    expect(await read(await push(body, { ...unsigned, 'x-hub-signature-256': '' }))).toMatchObject(wrong);
    expect(await read(await send('ci/build/lost', body, githubHeaders(body)))).toMatchObject(wrong);
    expect(await read(await send('ci/build/lost', body, githubHeaders(body, '')))).toMatchObject(wrong);
  });

  test('that is sent again returns the first run, even under another id', async () => {
    const body = pushed();
    const headers = githubHeaders(body);
    const first = await read(await push(body, headers));
    const { run_id } = first as { run_id?: string };
    expect(await read(await push(body, headers))).toEqual({ status: 200, run_id, duplicate: true });
    expect(await read(await push(body, githubHeaders(body)))).toEqual({ status: 200, run_id, duplicate: true });
  });

  test('that arrives twenty times at once starts one run', async () => {
    const body = pushed();
    const headers = githubHeaders(body);
    // Each request holds back its last byte, so that all bodies are completed together.
    const requests = Array.from({ length: 20 }, () => {
      const options = { method: 'POST', headers: { ...json, ...headers, 'content-length': body.length } };
      const sent = request(`${server.url}/hooks/ci/build/push`, options);
      sent.write(body.slice(0, -1));
      return sent;
    });
    await Promise.all(
      requests.map(async (sent) => {
        const [socket]: Socket[] = await once(sent, 'socket');
        if (socket?.connecting) await once(socket, 'connect');
      }),
    );
    const answers = await Promise.all(
      requests.map(async (sent) => {
        const answered = once(sent, 'response');
        sent.end(body.slice(-1));
        const [answer]: IncomingMessage[] = await answered;
        return { status: answer?.statusCode, ...JSON.parse(answer ? await text(answer) : '{}') };
      }),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(new Set(answers.map((answer) => (answer as { run_id?: string }).run_id)).size).toBe(1);
    const list = await (await server.fetch('/runs?job_id=ci/build&limit=200')).text();
    const { runs }: { runs: { run_id: string }[] } = JSON.parse(list);
    expect(runs.filter(({ run_id }) => run_id === (answers[0] as { run_id?: string }).run_id)).toHaveLength(1);
  });

  test('that is sent again after seven days starts another run', async () => {
    const body = pushed();
    const headers = githubHeaders(body);
    await push(body, headers);
    try {
      aheadMs = 7 * 86_400_000 - 60_000;
      expect((await push(body, headers)).status).toBe(200);
      aheadMs = 7 * 86_400_000 + 60_000;
      expect((await push(body, headers)).status).toBe(202);
    } finally {
      aheadMs = 0;
    }
  });

  test('starts no run if `if` says so, and a ping is answered', async () => {
    const body = pushed();
    const headers = githubHeaders(body);
    expect(await read(await push(body, { ...headers, 'x-github-event': 'star' }))).toEqual({
      status: 200,
      skipped: true,
    });
    expect(await read(await push(body, { ...headers, 'x-github-event': 'ping' }))).toEqual({ status: 200, pong: true });
    expect((await push(body, headers)).status).toBe(202);
  });

  test('whose body lacks a member or does not fit is refused with the argument, and may be sent again', async () => {
    const lacking = JSON.stringify({ commits: [] });
    expect(await read(await push(lacking))).toEqual({ status: 400, slug: 'validation-error', at: ['/args/ref'] });
    const unfit = pushed({ ref: 'main' });
    expect(await read(await push(unfit))).toEqual({ status: 400, slug: 'validation-error', at: ['/args/ref'] });
    const said = async (body: string) => (await (await push(body)).text()).match(/"message":"((?:[^"\\]|\\.)*)"/)?.[1];
    expect(await said(lacking)).toBe('has no value: no such key: ref; `has(body.ref)` says whether it is there');
    for (const body of ['[]', '"text"', '17', 'null', '']) {
      expect(await read(await push(body))).toMatchObject({ status: 400, slug: 'validation-error' });
    }
    expect((await push(lacking)).status).toBe(400);
  });

  test('with a body that is not JSON, has another type or is compressed is refused', async () => {
    const sendAs = async (body: string, headers: Headers) =>
      read(await push(body, { ...githubHeaders(body), ...headers }));
    expect(await sendAs('{"ref":', {})).toMatchObject({ status: 400, slug: 'malformed-request' });
    expect(await sendAs('{"__proto__":{"ref":1}}', {})).toMatchObject({ status: 400, slug: 'malformed-request' });
    expect(await sendAs('['.repeat(5_000), {})).toMatchObject({ status: 400, slug: 'malformed-request' });
    const type = { status: 415, slug: 'unsupported-media-type' };
    expect(await sendAs(pushed(), { 'content-type': 'text/plain' })).toMatchObject(type);
    expect(await sendAs(pushed(), { 'content-type': 'application/xml' })).toMatchObject(type);
    expect(await sendAs(pushed(), { 'content-encoding': 'gzip' })).toMatchObject(type);
  });
});

describe('the schemes of other services', () => {
  const gitlab = (body: string, over: Headers = {}) =>
    send('any/gitlab', body, {
      'x-gitlab-token': keys.gl,
      'x-gitlab-event': 'Push Hook',
      'idempotency-key': randomUUID(),
      ...over,
    });

  test('GitLab sends its token, and the same Idempotency-Key with each attempt', async () => {
    const body = JSON.stringify({ object_kind: 'push', ref: 'refs/heads/main' });
    const key = randomUUID();
    const answer = await gitlab(body, { 'idempotency-key': key });
    expect(await runOf(answer)).toMatchObject({ args: { text: 'refs/heads/main', event: 'Push Hook' } });
    expect(await read(await gitlab(body, { 'idempotency-key': key }))).toMatchObject({ status: 200, duplicate: true });
    expect((await gitlab(body)).status).toBe(202);
    expect((await gitlab(body, { 'x-gitlab-token': 'gl-7b2f-tokem' })).status).toBe(403);
  });

  const stripe = (body: string, t = seconds(), key = keys.st) =>
    send('any/stripe', body, {
      'stripe-signature': `t=${t},v1=${hex('whsec_another', `${t}.${body}`)},v1=${hex(key, `${t}.${body}`)},v0=6ffbb59b`,
    });
  const event = (id = `evt_${randomUUID()}`) =>
    JSON.stringify({ id, object: 'event', type: 'invoice.paid', data: { object: { id: 'in_1' } } });

  test('Stripe signs the time, may sign with two keys, and signs each attempt again', async () => {
    const body = event();
    expect(await runOf(await stripe(body))).toMatchObject({ args: { text: 'in_1', event: 'invoice.paid' } });
    expect(await read(await stripe(body, seconds() - 60))).toMatchObject({ status: 200, duplicate: true });
    expect((await stripe(event(), seconds(), 'whsec_wrong')).status).toBe(403);
    expect((await stripe(event(), seconds() - 301)).status).toBe(403);
    expect((await stripe(event(), seconds() + 400)).status).toBe(403);
    expect((await stripe(event(), seconds() - 200)).status).toBe(202);
  });

  const slack = (body: string, over: { t?: number; key?: string; type?: string } = {}) => {
    const { t = seconds(), key = keys.sl, type = 'application/json' } = over;
    return send('any/slack', body, {
      'content-type': type,
      'x-slack-request-timestamp': String(t),
      'x-slack-signature': `v0=${hex(key, `v0:${t}:${body}`)}`,
    });
  };

  test('Slack signs its events and its forms, and its challenge is returned', async () => {
    const mention = { token: 'x', type: 'event_callback', event_id: 'Ev08MFMKH6', event: { type: 'app_mention' } };
    expect(await runOf(await slack(JSON.stringify(mention)))).toMatchObject({
      args: { text: '4', event: 'app_mention' },
    });
    expect(await read(await slack(JSON.stringify({ ...mention, token: 'y' })))).toMatchObject({ duplicate: true });
    const form = 'token=x&command=%2Fdeploy&text=web+now&trigger_id=13345224609.738474920';
    const sent = await slack(form, { type: 'application/x-www-form-urlencoded' });
    expect(await runOf(sent)).toMatchObject({ args: { text: '4', event: '/deploy' } });
    const hello = JSON.stringify({ token: 'x', challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY', type: 'url_verification' });
    expect(await read(await slack(hello))).toEqual({ status: 200, challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY' });
    expect((await slack(hello, { key: 'wrong' })).status).toBe(403);
    expect((await slack(form, { t: seconds() - 301 })).status).toBe(403);
  });

  const standard = (body: string, over: { id?: string; t?: number; key?: string } = {}) => {
    const { id = `msg_${randomUUID()}`, t = seconds(), key = keys.sw } = over;
    const mac = createHmac('sha256', Buffer.from(key.slice('whsec_'.length), 'base64'));
    const signature = mac.update(`${id}.${t}.${body}`).digest('base64');
    return send('any/standard', body, {
      'webhook-id': id,
      'webhook-timestamp': String(t),
      'webhook-signature': `v1a,${createHash('sha256').update('x').digest('base64')} v1,${signature}`,
    });
  };

  test('Standard Webhooks signs id, time and body', async () => {
    const body = JSON.stringify({ type: 'contact.created', data: { name: 'Ada' } });
    const sent = await standard(body, { id: 'msg_1' });
    expect(await runOf(sent)).toMatchObject({ args: { text: 'Ada', event: 'contact.created' } });
    expect(await read(await standard(body, { id: 'msg_1' }))).toMatchObject({ status: 200, duplicate: true });
    expect((await standard(body, { t: seconds() - 301 })).status).toBe(403);
    expect((await standard(body, { key: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' })).status).toBe(403);
  });

  test('any other sender signs the body, in a header that the webhook may name', async () => {
    const body = () => JSON.stringify({ text: randomUUID() });
    const [one, two] = [body(), body()];
    expect((await send('any/plain', one, { 'x-signature-256': `sha256=${hex(keys.plain, one)}` })).status).toBe(202);
    expect((await send('any/named', two, { 'x-proof': `sha256=${hex(keys.plain, two)}` })).status).toBe(202);
    expect((await send('any/named', body(), { 'x-signature-256': `sha256=${hex(keys.plain, two)}` })).status).toBe(403);
  });

  test('if the sender gives no id, the same body counts once in ten minutes', async () => {
    const body = JSON.stringify({ text: randomUUID() });
    const sendIt = () => send('any/plain', body, { 'x-signature-256': `sha256=${hex(keys.plain, body)}` });
    try {
      expect((await sendIt()).status).toBe(202);
      aheadMs = 9 * 60_000;
      expect((await sendIt()).status).toBe(200);
      aheadMs = 11 * 60_000;
      expect((await sendIt()).status).toBe(202);
    } finally {
      aheadMs = 0;
    }
  });
});

test('an unknown webhook, and one whose job is invalid or missing, get the same answer before the body is read', async () => {
  const answers = await Promise.all(
    ['ci/build/pull', 'ci/build/PUSH', 'broken/x', 'nothing/push', 'push', 'ci%2Fbuild', '..%2F..%2Fetc', '%00/x'].map(
      async (hook) => {
        const answer = await send(hook, 'x'.repeat(2 ** 21));
        const { instance: _, ...body }: { instance: string } = JSON.parse(await answer.text());
        return { status: answer.status, ...body };
      },
    ),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 404, detail: 'There is no webhook at this address.' });
});

test('a webhook accepts only POST, and other methods do not reveal whether it exists', async () => {
  for (const [path, shown] of [
    ['//hooks/ci/build/push', '/hooks/ci/build/push'],
    ['//hooks/nothing/push', '/hooks/nothing/push'],
    ['/hooks/some-token', '/hooks/[redacted]'],
  ] as const) {
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await server.fetch(path, { method, headers: { accept: 'text/html' } });
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')).toBe('POST');
      expect(await answer.json()).toMatchObject({ detail: `'${shown}' supports POST, not ${method}.` });
    }
    expect((await server.fetch(path, { method: 'PROPFIND' })).status).toBe(404);
  }
});

testWith('bwrap')('a webhook with `wait` answers when its run has ended', async () => {
  await using waiting = await startServing({
    executes: true,
    jobs: {
      quick: bash('echo \'{"total": 3}\' > "$FLWD_RESULT_FILE"', {
        webhooks: [{ name: 'w', scheme: 'hmac', secret: 'plain', wait: '30s' }],
      }),
      slow: bash('sleep 60', {
        webhooks: [{ name: 'w', scheme: 'hmac', secret: 'plain', wait: '1s' }],
      }),
    },
  });
  const put = { method: 'PUT', headers: json, body: JSON.stringify({ value: keys.plain }) };
  await waiting.fetch('/secrets/plain', put);
  const sendTo = async (job: string) => {
    const body = JSON.stringify({ id: randomUUID() });
    const headers = { ...json, 'x-signature-256': `sha256=${hex(keys.plain, body)}` };
    return read(await waiting.fetch(`//hooks/${job}/w`, { method: 'POST', headers, body }));
  };
  expect(await sendTo('quick')).toMatchObject({ status: 'success', exit_code: 0, result: { value: { total: 3 } } });
  // On a busy machine, a run takes longer than a second to start.
  const slow = async () => {
    const run = (await sendTo('slow')) as { run_id?: string };
    await waiting.post(`/runs/${run.run_id}/cancel`, undefined);
    return run;
  };
  await expect.poll(slow).toMatchObject({ status: 'running' });
});

describe('a webhook in a config.yaml with mistakes', () => {
  test('makes the job invalid, and each mistake is named', async () => {
    const { errors } = await errorsOf({
      args: [{ name: 'ref', required: true }],
      webhooks: [
        { name: 'a', scheme: 'github', secret: 'gh', header: 'X-Mine', args: { rev: 'body.ref' } },
        { name: 'a', scheme: 'hmac', secret: 'gh', if: '"yes"', args: { ref: 'headers["x-other"]' }, wait: '31s' },
        { name: 'b', scheme: 'hmac', secret: 'gh', args: { ref: 'run.job_id' }, headers: ['Authorization'] },
      ],
    });
    expect(errors).toEqual([
      '`header` needs `scheme: hmac`; `github` has its own header',
      'the required argument `ref` is missing',
      'there is no argument `rev`: did you mean `ref`?',
      '`webhooks.0` has the name `a` already',
      '`if` must give true or false, but gives string',
      expect.stringMatching(/^`ref`: the header `x-other` is not among the headers that expressions may read/),
      '`wait` can be at most `30s`, because senders give up if an answer takes longer',
      '`ref`: there is no name `run`: there are body, headers, query, event',
      '`Authorization` authenticates the sender, so no expression may read it',
    ]);
  });

  test('needs a scheme and a secret', async () => {
    const { errors } = await errorsOf({ webhooks: [{ name: 'a' }] });
    expect(errors).toHaveLength(2);
  });

  async function errorsOf(config: object): Promise<{ errors: string[] }> {
    await using other = await startServing({ jobs: { wrong: bash('true', config as never) } });
    const { invalid = [] }: { invalid?: { errors: { message: string }[] }[] } = JSON.parse(
      await (await other.fetch('/jobs')).text(),
    );
    return { errors: invalid.flatMap((job) => job.errors.map(({ message }) => message)) };
  }
});

test('a job that loses its webhook loses the address', async () => {
  await using other = await startServing({
    jobs: { gone: bash('true', { webhooks: [{ name: 'w', scheme: 'hmac', secret: 'plain' }] }) },
  });
  const answer = () => other.fetch('//hooks/gone/w', { method: 'POST', headers: json, body: '{}' });
  expect((await answer()).status).toBe(403);
  await writeFile(join(other.root, 'jobs/gone/config.yaml'), 'command: ./run.sh\n');
  await expect.poll(async () => (await answer()).status).toBe(404);
});
