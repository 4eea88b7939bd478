// Callers who try to get more rights by acting as an agent (ADR 0064).

import { afterAll, describe, expect, test } from 'vitest';
import { scopes } from '../../src/domain/principal.ts';
import { startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';
import { sendRaw } from '../support/raw-http.ts';

const server = await startServing({ jobs: { quick: bash('true') } });
afterAll(() => server.close());

type Health = { caller: { name: string; scopes: string[]; tenant: string } };
type Headers = Readonly<Record<string, string>>;
const callerWith = async (headers: Headers) => {
  const answer: Health = JSON.parse(await (await server.fetch('/health', { headers })).text());
  return answer.caller;
};
const everything = scopes.join(' ');
const never = ['runs:approve', 'secrets:write', 'admin'];

describe('a caller with the header X-Flwd-Agent', () => {
  test('that is the server’s own user becomes mcp:local, without the scopes that agents never get', async () => {
    expect(await callerWith({ 'x-flwd-agent': everything })).toEqual({
      name: 'mcp:local',
      scopes: scopes.filter((scope) => !never.includes(scope)),
      tenant: '*',
    });
    expect(await callerWith({ 'x-flwd-agent': 'jobs:read, runs:write artifacts:read' })).toEqual({
      name: 'mcp:local',
      scopes: ['jobs:read', 'runs:read', 'runs:write', 'artifacts:read'],
      tenant: '*',
    });
    expect(await callerWith({ 'x-flwd-agent': 'admin' })).toMatchObject({ scopes: [] });
    expect(await callerWith({ 'x-flwd-agent': '' })).toMatchObject({ name: 'mcp:local', scopes: [] });
  });

  test.each(scopes)('that has a token with %s gains no scope and no tenant', async (scope) => {
    const { headers, name } = await server.token({ scopes: [scope], tenant: 'blue' });
    const before = await callerWith(headers);
    const narrowed = await callerWith({ ...headers, 'x-flwd-agent': everything });
    expect(narrowed).toMatchObject({ name: `mcp:${name}`, tenant: 'blue' });
    const held = scope === 'admin' ? scopes : [...before.scopes, scope.replace(/:write$/, ':read')];
    expect(held).toEqual(expect.arrayContaining(narrowed.scopes));
    expect(narrowed.scopes.filter((one) => never.includes(one))).toEqual([]);
  });

  test('that has no credential, or a wrong one, is refused', async () => {
    const foreign = { 'x-flwd-agent': everything, via: '1.1 proxy' };
    expect((await server.fetch('/jobs', { headers: foreign })).status).toBe(401);
    const wrong = { 'x-flwd-agent': everything, authorization: 'Bearer flwd_x' };
    expect((await server.fetch('/jobs', { headers: wrong })).status).toBe(401);
  });

  test('can approve nothing, store no secret, and create no token', async () => {
    const headers = { 'x-flwd-agent': everything };
    const run = await server.addRun();
    const decision = { step_id: 'x', decision: 'approve' };
    expect((await server.post(`/runs/${run.id}/approvals`, decision, headers)).status).toBe(403);
    expect((await server.post('/tokens', { name: 'up', scopes: ['admin'] }, headers)).status).toBe(403);
    const put = { method: 'PUT', headers: { ...headers, 'content-type': 'application/json' }, body: '{"value":"x"}' };
    expect((await server.fetch('/secrets/mine', put)).status).toBe(403);
  });

  test('that names an unknown scope, or sends the header twice, is refused', async () => {
    expect((await server.fetch('/jobs', { headers: { 'x-flwd-agent': 'jobs:reed' } })).status).toBe(400);
    const twice = 'X-Flwd-Agent: jobs:read\r\nX-Flwd-Agent: admin\r\n';
    const one = 'GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    expect((await sendRaw(server.url, `${one}${twice}\r\n`)).status).toBe(400);
  });

  test('is recorded in the audit log as an agent', async () => {
    const headers = { 'x-flwd-agent': everything };
    await server.post('/tokens', { name: 'up', scopes: ['admin'] }, headers);
    const entries = async () => await (await server.fetch('/audit?actor=mcp:local&limit=1')).json();
    await expect
      .poll(entries)
      .toMatchObject({ entries: [{ actor: { kind: 'mcp', name: 'mcp:local' }, result: 'refused' }] });
  });
});

test('requests of an agent use up the rate limit of the caller that it acts for', async () => {
  await using limited = await startServing({ rateLimit: { limit: 2, windowMs: 60_000 } });
  const { headers } = await limited.token();
  const asked = async (more: Headers) => (await limited.fetch('/jobs', { headers: { ...headers, ...more } })).status;
  expect(await asked({})).toBe(200);
  expect(await asked({ 'x-flwd-agent': everything })).toBe(200);
  expect(await asked({ 'x-flwd-agent': everything })).toBe(429);
  expect(await asked({})).toBe(429);
});
