// Stolen and guessed tokens, and callers who try to get more rights than their token has.

import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { scopes } from '../../src/domain/principal.ts';
import { createInstance } from '../cli/an-instance.ts';
import { steps } from '../engine/step-jobs.ts';
import { startServing, type TestToken } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';

let nowMs = Date.parse('2026-05-01T12:00:00Z');
const server = await startServing({ clock: { now: () => nowMs } });
afterAll(() => server.close());
// Each test starts without failed logins.
beforeEach(() => {
  nowMs += 61_000;
});

const using = async (authorization: string, path = '/jobs', headers: Readonly<Record<string, string>> = {}) => {
  const response = await server.fetch(path, { headers: { ...headers, authorization } });
  return { status: response.status, challenge: response.headers.get('www-authenticate'), body: await response.text() };
};
const refused = { status: 401, challenge: 'Bearer error="invalid_token"' };
const raw = (headers: string) =>
  sendRaw(server.url, `GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`);

const [mine, theirs] = [await server.token({ tenant: '*' }), await server.token({ tenant: '*' })];
const partsOf = ({ credential }: TestToken) => {
  const [, id = '', secret = ''] = credential.split('_');
  return { id, secret };
};

describe('a credential that is almost right is refused', () => {
  const { id, secret } = partsOf(mine);
  const other = partsOf(theirs);
  const flipped = (text: string, at: number) => text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);

  test.each([
    ['its first digit altered', `flwd_${id}_${flipped(secret, 0)}`],
    ['its last digit altered', `flwd_${id}_${flipped(secret, 63)}`],
    ['another token’s id', `flwd_${other.id}_${secret}`],
    ['its id in small letters', `flwd_${id.toLowerCase()}_${secret}`],
    ['its secret in capitals', `flwd_${id}_${secret.toUpperCase()}`],
    ['no secret', `flwd_${id}_`],
    ['half a secret', `flwd_${id}_${secret.slice(0, 32)}`],
    ['the hash of the secret for a secret', `flwd_${id}_HASH`],
    ['more behind it', `flwd_${id}_${secret}0`],
    ['the id alone', `flwd_${id}`],
    ['the secret alone', secret],
    ['an SQL condition', "flwd_' OR '1'='1_x"],
    ['the name of a token', 'local'],
    ['the word null', 'null'],
    ['a padding', `flwd_${id}_${secret}==`],
    ['another prefix', `FLWD_${id}_${secret}`],
    ['a JWT that is not signed', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJsb2NhbCIsInNjb3BlIjoiYWRtaW4ifQ.'],
    ['15,000 letters', 'x'.repeat(15_000)],
    ['a prefix and 15,000 digits', `flwd_${'0'.repeat(15_000)}`],
  ])('if it has %s', async (_what, credential) => {
    const row = await server.store.tokens.find(mine.id);
    const sent = credential.replace('HASH', row?.hash ?? '');
    const seen = await using(`Bearer ${sent}`);
    expect(seen).toMatchObject(refused);
    expect(seen.body).not.toContain(sent);
  });

  test.each([
    `Basic ${Buffer.from(`x:${mine.credential}`).toString('base64')}`,
    `Token ${mine.credential}`,
    mine.credential,
    `Bearer${mine.credential}`,
    'Bearer',
    'Bearer  ',
    `Bearer ${mine.credential} ${mine.credential}`,
    `Bearer ${mine.credential},Bearer x`,
    `Bearer "${mine.credential}"`,
    `Bearer x, Bearer ${mine.credential}`,
    'Digest username="local"',
    'Negotiate x',
  ])('if it is sent as %j', async (authorization) => {
    expect(await using(authorization)).toMatchObject(refused);
  });

  test('if it contains bytes beyond ASCII, without an error of the server', async () => {
    for (const bytes of ['flwd_\u00e9\u00ff', '\ud83d\ude00', 'flwd_\u202e', 'ﬂwd_x']) {
      expect((await raw(`Authorization: Bearer ${bytes}\r\n`)).status).toBe(401);
    }
  });

  test('if its header is empty, even if the server’s user sends it', async () => {
    expect((await raw('Authorization:\r\n')).status).toBe(401);
  });

  test('if there are two headers, even if one of them is right', async () => {
    const right = `Authorization: Bearer ${mine.credential}\r\n`;
    const wrong = 'Authorization: Bearer flwd_x\r\n';
    for (const headers of [right + wrong, wrong + right, right + right]) expect((await raw(headers)).status).toBe(400);
  });

  test('but the case of its scheme does not matter, as in HTTP', async () => {
    expect((await using(`bearer ${mine.credential}`)).status).toBe(200);
    expect((await using(`BEARER   ${mine.credential}`)).status).toBe(200);
  });
});

describe('a caller on this machine', () => {
  test('that sends a wrong token is not treated as the server’s user', async () => {
    for (const path of ['/jobs', '/health', '/openapi.json', '//metrics', '/nowhere']) {
      expect((await using('Bearer flwd_x', path)).status).toBe(401);
    }
  });

  test('that sends a token with few scopes has only those scopes', async () => {
    const { headers } = await server.token({ scopes: ['jobs:read'] });
    expect((await using(headers.authorization, '/runs')).status).toBe(403);
  });

  test.each([
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-For:',
    'Forwarded: for=127.0.0.1',
    'X-Real-IP: 127.0.0.1',
    'Via: 1.1 localhost',
    'X-Forwarded-Host: localhost',
    'X-Forwarded-Proto: http',
    'X-Client-IP: 127.0.0.1',
    'True-Client-IP: 127.0.0.1',
    'CF-Connecting-IP: 127.0.0.1',
    'X-Forwarded-Port: 443',
    'X-Forwarded: for=127.0.0.1',
    'X-Cluster-Client-IP: 127.0.0.1',
    'X-ProxyUser-Ip: 127.0.0.1',
    'Client-IP: 127.0.0.1',
    'X-Envoy-External-Address: 127.0.0.1',
    'X-Azure-ClientIP: 127.0.0.1',
    'X-Azure-SocketIP: 127.0.0.1',
    'X-Original-Host: localhost',
    'X-Original-Forwarded-For: 127.0.0.1',
    'Fly-Client-IP: 127.0.0.1',
    'Fastly-Client-IP: 127.0.0.1',
    'CF-Connecting-IPv6: ::1',
    'X_Forwarded_For: 127.0.0.1',
    'X_Forwarded_Proto: http',
    'X_Real_IP: 127.0.0.1',
    'CF_Connecting-IP: 127.0.0.1',
  ])('behind a proxy that sends %s needs a token, and then acts as that token', async (header) => {
    expect((await raw(`${header}\r\n`)).status).toBe(401);
    expect((await raw(`${header}\r\nAuthorization: Bearer ${mine.credential}\r\n`)).status).toBe(200);
    expect((await raw('')).status).toBe(200);
  });

  test('keeps its identity on a connection that also carries a proxied request', async () => {
    const one = 'GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n';
    const answer = await sendRaw(server.url, `${one}\r\n${one}Via: 1.1 proxy\r\nConnection: close\r\n\r\n`);
    expect(`${answer.head}${answer.body}`.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401']);
  });

  test('needs a token if it calls the server by a foreign name', async () => {
    const call = (headers: string) =>
      sendRaw(server.url, `GET /api/v1/jobs HTTP/1.1\r\nHost: flwd.example.org\r\n${headers}Connection: close\r\n\r\n`);
    expect((await call('')).status).toBe(403);
    expect((await call('Authorization: Bearer flwd_x\r\n')).status).toBe(401);
    expect((await call(`Authorization: Bearer ${mine.credential}\r\n`)).status).toBe(200);
    expect((await call(`Authorization: Bearer ${mine.credential}\r\nOrigin: https://evil.example\r\n`)).status).toBe(
      403,
    );
  });
});

test.each(['access_token', 'token', 'authorization'])('a token in the query as %s is ignored', async (name) => {
  const response = await server.fetch(`/health?${name}=${mine.credential}`, { headers: { via: '1.1 x' } });
  expect(response.status).toBe(200);
  const asked = await server.fetch(`/jobs?${name}=${mine.credential}`, { headers: { via: '1.1 x' } });
  expect(asked.status).toBe(401);
  expect(
    (await server.fetch('/jobs', { headers: { via: '1.1 x', cookie: `${name}=${mine.credential}` } })).status,
  ).toBe(401);
});

describe('a caller who tries to get more rights fails', () => {
  test('because only the scope admin can create, list or revoke tokens', async () => {
    const { headers } = await server.token({ scopes: scopes.filter((scope) => scope !== 'admin'), tenant: '*' });
    const made = await server.post('/tokens', { name: 'up', scopes: ['admin'] }, headers);
    expect([made.status, (await using(headers.authorization, '/tokens')).status]).toEqual([403, 403]);
    const revoked = await server.fetch(`/tokens/${theirs.id}`, { method: 'DELETE', headers });
    expect(revoked.status).toBe(403);
    expect((await using(theirs.headers.authorization)).status).toBe(200);
  });

  test('because the admin of a tenant cannot create a token for another tenant, however it is spelled', async () => {
    const { headers } = await server.token({ tenant: 'blue' });
    for (const tenant of ['*', 'red', 'default', 'BLUE', ' blue', 'blue\u0000', '', ['*'], { $ne: 1 }, null, true]) {
      const { status } = await server.post('/tokens', { name: 'up', scopes: ['admin'], tenant }, headers);
      expect([400, 403]).toContain(status);
    }
    expect((await server.fetch('/tokens', { headers })).status).toBe(200);
  });

  test('because no token can have the name of a caller without a token', async () => {
    for (const name of [
      'local',
      'LOCAL',
      'anonymous',
      'schedule:nightly',
      'jwt:alice',
      'a\nb',
      'a b',
      '__proto__',
      '',
    ]) {
      expect((await server.post('/tokens', { name, scopes: ['admin'] })).status).toBe(400);
    }
  });

  test('because unknown members in a request for a token are refused', async () => {
    for (const more of [{ id: mine.id }, { hash: 'x' }, { created_by: 'local' }, { kind: 'local' }]) {
      expect((await server.post('/tokens', { name: 'more', scopes: ['runs:read'], ...more })).status).toBe(400);
    }
  });

  test('because only one of many simultaneous requests for the same name succeeds', async () => {
    const asked = Array.from({ length: 8 }, () => server.post('/tokens', { name: 'race', scopes: ['runs:read'] }));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(7);
  });

  testWith('bwrap')(
    'because an approval records the token that gave it, and only the token that the job names may give it',
    async () => {
      await using running = await startServing({
        executes: true,
        jobs: { gated: steps({ steps: [{ id: 'ok', approval: { text: 'Really?', by: ['alice'] } }] }) },
      });
      const [alice, bob, reader] = [
        await running.token({ name: 'alice', scopes: ['runs:approve', 'runs:read'] }),
        await running.token({ name: 'bob', scopes: ['runs:approve', 'runs:read'] }),
        await running.token({ name: 'eve', scopes: ['runs:write'] }),
      ];
      const started: { run_id: string } = JSON.parse(await (await running.post('/runs', { job_id: 'gated' })).text());
      const run = async () => await (await running.fetch(`/runs/${started.run_id}`)).json();
      const waits = { steps: [expect.objectContaining({ status: 'waiting_approval' })] };
      await expect.poll(run).toMatchObject(waits);
      const approve = async ({ headers }: Pick<TestToken, 'headers'>) =>
        (await running.post(`/runs/${started.run_id}/approvals`, { step_id: 'ok', decision: 'approve' }, headers))
          .status;
      const mayAnswer = async ({ headers }: Pick<TestToken, 'headers'>) =>
        await (await running.fetch('/approvals', { headers })).json();
      const asked = { run_id: started.run_id, question: 'Really?', by: ['alice'], answer: null };
      expect(await mayAnswer(reader)).toMatchObject({ total: 1, approvals: [{ ...asked, may_answer: false }] });
      expect(await mayAnswer(bob)).toMatchObject({ approvals: [{ ...asked, may_answer: false }] });
      expect(await mayAnswer(alice)).toMatchObject({ approvals: [{ ...asked, may_answer: true }] });
      expect(await approve(reader)).toBe(403);
      expect(await approve(bob)).toBe(403);
      expect(await run()).toMatchObject(waits);
      expect(await approve(alice)).toBe(200);
      await expect.poll(run).toMatchObject({ status: 'success', steps: [{ approval: { by: 'alice' } }] });
      expect(await mayAnswer(alice)).toEqual({ approvals: [], total: 0, total_exact: true });
      const answered = await (await running.fetch('/approvals?state=answered')).json();
      expect(answered).toMatchObject({
        approvals: [{ run_id: started.run_id, may_answer: false, answer: { decision: 'approve', by: 'alice' } }],
      });
    },
  );
});

describe('guessing tokens', () => {
  test('locks out an address after ten failures in a minute, but a valid token still works', async () => {
    const guess = async () => (await using(`Bearer flwd_${'0'.repeat(26)}_${'0'.repeat(64)}`)).status;
    for (let n = 0; n < 10; n++) expect(await guess()).toBe(401);
    const late = await server.fetch('/jobs', { headers: { authorization: 'Basic eDp5' } });
    expect(late.status).toBe(429);
    expect(late.headers.get('retry-after')).toBe('60');
    expect(await late.json()).toMatchObject({ type: 'https://flowd.org/problems/rate-limited' });
    expect((await using(mine.headers.authorization)).status).toBe(200);
    expect((await server.fetch('/jobs')).status).toBe(200);
    nowMs += 59_999;
    expect(await guess()).toBe(429);
    nowMs += 1;
    expect(await guess()).toBe(401);
  });

  test('is not counted for a caller without a credential', async () => {
    for (let n = 0; n < 12; n++) expect((await raw('Via: 1.1 x\r\n')).status).toBe(401);
    expect((await using('Bearer x')).status).toBe(401);
  });
});

describe('traces of a token', () => {
  test('are not in the server’s log', async () => {
    const lines: string[] = [];
    await using logging = await startServing({ onLog: (line) => lines.push(JSON.stringify(line)) });
    const { credential, headers } = await logging.token();
    const made = await logging.post('/tokens', { name: 'shown', scopes: ['runs:read'] }, headers);
    const { token }: { token: string } = JSON.parse(await made.text());
    await logging.fetch('/jobs', { headers: { authorization: `Bearer ${token}x` } });
    await logging.fetch('/jobs', { headers: { authorization: `Bearer ${token}` } });
    await expect.poll(() => lines.length).toBeGreaterThan(2);
    for (const secret of [credential, token].map((text) => text.split('_')[2] ?? '')) {
      expect(lines.join('\n')).not.toContain(secret);
    }
  });

  test('do not reveal whether a token was revoked or never existed, unless the caller knows its secret', async () => {
    const gone = await server.token();
    await server.fetch(`/tokens/${gone.id}`, { method: 'DELETE' });
    const wrong = await using(`Bearer flwd_${partsOf(gone).id}_${'0'.repeat(64)}`);
    const never = await using(`Bearer flwd_01ARZ3NDEKTSV4RRFFQ69G5FAV_${'0'.repeat(64)}`);
    expect(wrong).toEqual(never);
    expect((await using(gone.headers.authorization)).body).toContain('is revoked');
  });
});

const grab = (profile: string) =>
  bash('cat "$path" && echo read || echo none', {
    security_profile: profile,
    argspec: { type: 'object', required: ['path'], properties: { path: { type: 'string' } } },
  });

testWith('bwrap')(
  'only the server’s user can read cli.token, and a job can read it only in the profile disabled',
  async () => {
    // Not below /tmp, because no job shares /tmp with the host.
    const dir = realpathSync(mkdtempSync('/var/tmp/flwd-cli-token-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const security = { allow_profiles: ['secure', 'permissive'] };
    const jobs = { secure: grab('secure'), permissive: grab('permissive') };
    const instance = await createInstance(jobs, { security }, dir);
    const served = await instance.serve();
    const path = join(instance.dataDir, 'cli.token');
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    const token = readFileSync(path, 'utf8').trim();
    const withToken = { authorization: `Bearer ${token}`, via: '1.1 x' };
    expect((await served.fetch('/tokens', { headers: withToken })).status).toBe(200);
    for (const job of Object.keys(jobs)) {
      const run = await served.run(job, { path });
      const messages = await served.messages(run.run_id);
      expect([run.status, messages.includes('none'), messages.includes('read')]).toEqual(['success', true, false]);
      expect(messages.join()).not.toContain(token);
    }
    await served.stop();
  },
);
