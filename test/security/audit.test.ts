// The audit log over HTTP: every change leaves an entry, no entry contains a secret, nobody can fill the log, and
// callers see only entries of their tenant.

import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Operation, operations } from '../../src/contract/operations.ts';
import type { AuditEntry } from '../../src/domain/audit.ts';
import { openAuditFile } from '../../src/store/sqlite/offline.ts';
import { type Serving, startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';

const jobs = {
  demo: bash('true', { argspec: { type: 'object', properties: { target: { type: 'string' } } } }),
  hooked: bash('true', { webhooks: [{ name: 'w', scheme: 'hmac', secret: 'hook-key' }] }),
  secret: bash('true', { argspec: { type: 'object', properties: { key: { type: 'string', format: 'secret' } } } }),
};
const server = await startServing({ jobs });
const gate = { 'config.yaml': JSON.stringify({ steps: [{ id: 'go', approval: { text: 'Go?' } }] }) };
const executing = await startServing({ jobs: { gate }, executes: true });
afterAll(async () => {
  await server.close();
  await executing.close();
});

type Page = { readonly entries: readonly AuditEntry[]; readonly total: number };

async function audit(query: string, init: RequestInit = {}, on: Serving = server): Promise<Page> {
  const response = await on.fetch(`/audit?${query}`, init);
  expect(response.status).toBe(200);
  return JSON.parse(await response.text());
}

async function newest(on: Serving = server): Promise<AuditEntry | undefined> {
  return (await audit('limit=1', {}, on)).entries[0];
}

async function idOf(response: Response): Promise<string> {
  const answer: { id?: string; run_id?: string } = JSON.parse(await response.text());
  return answer.id ?? answer.run_id ?? '';
}

describe('an operation that changes something leaves an entry with the caller, the address and the object', () => {
  type Asked = { readonly method?: string; readonly path: string; readonly body?: unknown; readonly on?: Serving };
  const newSchedule = async (): Promise<string> =>
    idOf(await server.post('/schedules', { job_id: 'demo', cron: '0 3 * * *' }));
  const lastWeek = { from: '2026-05-01T00:00:00Z', until: '2026-05-08T00:00:00Z' };
  const newBackfill = async (): Promise<string> =>
    idOf(await server.post(`/schedules/${await newSchedule()}/backfills`, lastWeek));
  const newWebhook = async (): Promise<string> => idOf(await server.post('/webhooks', { job_id: 'demo' }));
  const ended = async (): Promise<string> => {
    const run = await server.addRun();
    await run.move('claim');
    await run.finish();
    return run.id;
  };

  /** Builds a request for each operation. */
  const ask: Readonly<Record<string, () => Asked | Promise<Asked>>> = {
    createRun: () => ({ path: '/runs', body: { job_id: 'demo' } }),
    cancelRun: async () => ({ path: `/runs/${(await server.addRun()).id}/cancel` }),
    rerunRun: async () => ({ path: `/runs/${await ended()}/rerun`, body: { revision: 'latest' } }),
    approveRun: async () => {
      const answer = await executing.post('/runs', { job_id: 'gate' });
      const id = await idOf(answer);
      const waits = async (): Promise<string> => (await executing.fetch(`/runs/${id}`)).text();
      await expect.poll(waits).toContain('waiting_approval');
      return { path: `/runs/${id}/approvals`, body: { step_id: 'go', decision: 'approve' }, on: executing };
    },
    createSchedule: () => ({ path: '/schedules', body: { job_id: 'demo', cron: '0 4 * * *' } }),
    replaceSchedule: async () => ({
      method: 'PUT',
      path: `/schedules/${await newSchedule()}`,
      body: { job_id: 'demo', cron: '0 5 * * *' },
    }),
    deleteSchedule: async () => ({ method: 'DELETE', path: `/schedules/${await newSchedule()}` }),
    holdSchedule: async () => ({ path: `/schedules/${await newSchedule()}/hold` }),
    releaseSchedule: async () => ({ path: `/schedules/${await newSchedule()}/release`, body: {} }),
    pauseSchedules: () => ({ path: '/schedules/pause', body: { tenant: 'acme' } }),
    resumeSchedules: () => ({ path: '/schedules/resume', body: { tenant: 'acme' } }),
    runSchedule: async () => ({ path: `/schedules/${await newSchedule()}/run` }),
    createBackfill: async () => ({ path: `/schedules/${await newSchedule()}/backfills`, body: lastWeek }),
    cancelBackfill: async () => ({ path: `/backfills/${await newBackfill()}/cancel` }),
    createWebhook: () => ({ path: '/webhooks', body: { job_id: 'demo' } }),
    deleteWebhook: async () => ({ method: 'DELETE', path: `/webhooks/${await newWebhook()}` }),
    replayDelivery: async () => ({ path: `${await newDelivery()}/replay` }),
    createToken: () => ({ path: '/tokens', body: { name: `n${Date.now()}`, scopes: ['runs:read'] } }),
    revokeToken: async () => ({ method: 'DELETE', path: `/tokens/${(await server.token()).id}` }),
    putSecret: () => ({ method: 'PUT', path: '/secrets/registry', body: { value: 'a value of its own' } }),
    deleteSecret: async () => ({ method: 'DELETE', path: `/secrets/${await newSecret()}?tenant=acme` }),
    putKvKey: () => ({ method: 'PUT', path: '/kv/audited/last', body: { value: '' } }),
    deleteKvKey: async () => ({ method: 'DELETE', path: `/kv/audited/${await newKey()}` }),
    rotateSecrets: () => ({ path: '/secrets/rotate' }),
    testChannel: () => ({ path: '/channels/team/test' }),
    collectGarbage: () => ({ path: '/system/gc' }),
  };
  async function newDelivery(): Promise<string> {
    const json = { 'content-type': 'application/json' };
    const [key, body] = ['a key of the test', '{}'];
    await server.fetch('/secrets/hook-key', { method: 'PUT', headers: json, body: JSON.stringify({ value: key }) });
    const headers = { ...json, 'x-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}` };
    await server.fetch('//hooks/hooked/w', { method: 'POST', headers, body });
    const list = await (await server.fetch('/webhooks')).text();
    type Webhook = { readonly id: string; readonly job_id: string; readonly last_delivery: { readonly id: string } };
    const { webhooks }: { webhooks: Webhook[] } = JSON.parse(list);
    const hooked = webhooks.find((one) => one.job_id === 'hooked');
    return `/webhooks/${hooked?.id}/deliveries/${hooked?.last_delivery.id}`;
  }
  async function newSecret(): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ value: 'a value of its own' });
    await server.fetch('/secrets/theirs?tenant=acme', { method: 'PUT', headers, body });
    return 'theirs';
  }
  async function newKey(): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    await server.fetch('/kv/audited/gone', { method: 'PUT', headers, body: '{"value":""}' });
    return 'gone';
  }
  const changing = Object.entries<Operation>(operations).filter(([, { audit: entered }]) => entered);

  test('every operation that changes something is tested here', () => {
    expect(changing.map(([id]) => id).toSorted()).toEqual(Object.keys(ask).toSorted());
  });

  test.each(changing)('%s', async (id, operation) => {
    const { method = 'POST', path, body, on = server } = await (ask[id] ?? (() => expect.fail(`${id} is not tried`)))();
    const response = await on.fetch(path, {
      method,
      headers: { 'x-request-id': `req-of-${id}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect(response.ok).toBe(true);
    // The test need not wait for the entry, which is stored before the answer is sent.
    expect(await audit(`q=req-of-${id}`, {}, on)).toMatchObject({
      total: 1,
      entries: [
        {
          action: operation.audit?.action,
          actor: { kind: 'local', name: 'local' },
          from: '127.0.0.1',
          object: { kind: operation.audit?.object },
          result: 'done',
          reason: null,
        },
      ],
    });
  });

  test('an entry names a new object by its id, and a deleted one by the id in its path, with its tenant', async () => {
    const id = await idOf(await server.post('/schedules', { job_id: 'demo', cron: '0 3 * * *', tenant: 'acme' }));
    await server.fetch(`/schedules/${id}`, { method: 'DELETE' });
    await server.fetch(`/secrets/${await newSecret()}?tenant=acme`, { method: 'DELETE' });
    const { id: tokenId } = await server.token({ tenant: 'acme' });
    await server.fetch(`/tokens/${tokenId}`, { method: 'DELETE' });
    const run = await server.addRun({ tenant: 'acme' });
    await server.fetch(`/runs/${run.id}/cancel`, { method: 'POST' });
    const rows = [...(await audit(`object=${id}`)).entries, ...(await audit(`object=${tokenId}`)).entries];
    rows.push(...(await audit(`object=${run.id}`)).entries);
    expect(rows.map((row) => [row.action, row.tenant, row.object])).toEqual([
      ['schedule.delete', 'acme', { kind: 'schedule', id }],
      ['schedule.create', 'acme', { kind: 'schedule', id }],
      ['token.revoke', 'acme', { kind: 'token', id: tokenId }],
      ['run.cancel', 'acme', { kind: 'run', id: run.id }],
    ]);
    const ofSecrets = (await audit('object=theirs')).entries.slice(0, 2);
    expect(ofSecrets.map((row) => [row.action, row.tenant, row.detail])).toEqual([
      ['secret.delete', 'acme', null],
      ['secret.set', 'acme', null],
    ]);
  });

  test('a refused operation leaves an entry with the reason, and a plan leaves no entry', async () => {
    const { total } = await audit('limit=1');
    await server.post('/plans', { job_id: 'demo' });
    await server.post('/schedules/preview', { job_id: 'demo', cron: '0 3 * * *' });
    await server.post('/plans', { job_id: 'demo', security_profile: 'permissive' });
    expect(await audit('limit=1')).toMatchObject({ total });

    const runId = await ended();
    await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
    await server.post('/schedules', { job_id: 'nowhere', cron: '0 3 * * *' });
    await expect
      .poll(() => audit('limit=2'))
      .toMatchObject({
        total: total + 2,
        entries: [
          { action: 'schedule.create', object: { id: null }, result: 'refused', reason: 'job-not-found' },
          { action: 'run.cancel', object: { id: runId }, result: 'refused', reason: 'run-already-finished' },
        ],
      });
  });
});

test('a run that is refused because of its request leaves an entry with the job', async () => {
  const acme = await server.token({ scopes: ['runs:write'], tenant: 'acme' });
  const { credential } = await server.token();
  const [, shownId] = credential.split('_');
  for (const [body, headers, reason, jobId] of [
    [{ job_id: 'demo', tenant: 'other' }, acme.headers, 'permission-denied', 'demo'],
    [{ job_id: 'demo', args: { target: 7 } }, {}, 'validation-error', 'demo'],
    [{ job_id: credential }, {}, 'job-not-found', `flwd_${shownId}_[redacted]`],
    [{ job_id: 'x'.repeat(600) }, {}, 'validation-error', undefined],
    [{ job_id: ['demo'] }, {}, 'validation-error', undefined],
  ] as const) {
    await server.post('/runs', body, { ...headers, 'x-request-id': `for-${reason}-${JSON.stringify(body).length}` });
    const rows = () => audit(`q=for-${reason}-${JSON.stringify(body).length}`);
    await expect.poll(rows).toMatchObject({ entries: [{ action: 'run.create', result: 'refused', reason }] });
    expect((await rows()).entries[0]?.detail?.job_id).toBe(jobId);
  }
});

describe('a refused caller leaves an entry', () => {
  test('without a valid token, under the public id of the token', async () => {
    const { credential, id } = await server.token();
    const wrong = `${credential.slice(0, -6)}abcdef`;
    await server.fetch('/runs', { headers: { authorization: `Bearer ${wrong}` } });
    await expect
      .poll(() => newest())
      .toMatchObject({
        action: 'auth.fail',
        actor: { kind: 'anonymous', name: 'anonymous' },
        from: '127.0.0.1',
        tenant: '*',
        result: 'refused',
        reason: 'unauthenticated',
        detail: { operation: 'listRuns', token_id: id },
      });
  });

  test('without the scope, under the action that it tried', async () => {
    const { headers, name } = await server.token({ scopes: ['runs:read'], tenant: 'acme' });
    await server.fetch('/runs/run_x/cancel', { method: 'POST', headers });
    await expect
      .poll(() => newest())
      .toMatchObject({
        action: 'run.cancel',
        actor: { kind: 'token', name },
        tenant: 'acme',
        object: { kind: 'run', id: 'run_x' },
        result: 'refused',
        reason: 'permission-denied',
      });
    await server.fetch('/audit', { headers });
    await expect.poll(() => newest()).toMatchObject({ action: 'access.deny', detail: { operation: 'listAudit' } });
  });

  test('from a foreign origin, under the operation that it tried', async () => {
    await server.post('/runs', { job_id: 'demo' }, { origin: 'https://evil.example' });
    await expect
      .poll(() => newest())
      .toMatchObject({
        action: 'access.deny',
        actor: { name: 'anonymous' },
        reason: 'permission-denied',
        detail: { operation: 'createRun' },
      });
  });
});

test('no entry contains a secret, whether it is a token, an argument, or in the wrong place', async () => {
  const secret = 'hunter2-hunter2-hunter2';
  const answer = await server.post('/tokens', { name: 'shown', scopes: ['admin'] });
  const { token: credential }: { token: string } = JSON.parse(await answer.text());
  const [, , own = ''] = credential.split('_');
  await server.post('/runs', { job_id: 'secret', args: { key: secret } });
  await server.post('/runs', { job_id: 'secret', args: { key: secret, more: 1 } });
  await server.post('/runs', { job_id: 'secret', args: { key: secret }, security_profile: 'permissive' });
  await server.post('/schedules', { job_id: 'secret', cron: '0 3 * * *', args: { key: secret } });
  // These requests have the secret where a name belongs.
  await server.post('/runs', { job_id: 'secret', args: { key: 'long enough', [secret]: 1, other: 1 } });
  await server.post('/runs', { job_id: 'demo', labels: { [`${secret} `]: '' } });
  await server.post('/schedules', { job_id: 'demo', cron: '0 3 * * *', args: { [secret]: 1 } });
  await server.post('/tokens', { name: 'x', scopes: ['admin'], [secret]: 1 });
  await server.fetch(`/runs/${credential}/cancel`, { method: 'POST' });
  await server.post('/runs', { job_id: credential });
  await server.fetch('/runs', { headers: { authorization: `Bearer ${credential}x` } });
  await server.fetch(`/runs?q=${credential}`, { headers: { origin: 'https://evil.example' } });
  await expect.poll(async () => (await audit(`q=${credential.slice(5, 31)}_%5Bredacted%5D`)).total).toBeGreaterThan(1);
  await expect.poll(() => newest()).toMatchObject({ detail: { operation: 'listRuns' } });

  const { entries } = await audit('action=run.create&result=refused');
  expect(entries.map(({ detail }) => detail?.message)).toContain('/args: has a member that is not known (and 1 more)');
  const file = new DatabaseSync(join(server.root, 'data', 'flwd.db'), { readOnly: true });
  const all = JSON.stringify(file.prepare('SELECT * FROM audit').all());
  file.close();
  expect(all).not.toContain(secret);
  expect(all).not.toContain(own);
});

describe('nobody can flood the log with requests', () => {
  test('one address leaves at most twenty entries a minute', async () => {
    const flooded = await startServing({ jobs });
    onTestFinished(() => flooded.close());
    const wrong = { headers: { authorization: `Bearer flwd_01HXAAAAAAAAAAAAAAAAAAAAAA_${'0'.repeat(64)}` } };
    for (let n = 0; n < 200; n++) await flooded.fetch(n % 2 === 0 ? '/runs' : '/jobs', wrong);
    const known = await audit('limit=1', {}, flooded);
    expect(known.total).toBeLessThanOrEqual(21);
    // Entries of known callers are still written.
    await flooded.fetch('/runs/run_x/cancel', { method: 'POST' });
    await expect.poll(() => newest(flooded)).toMatchObject({ action: 'run.cancel', reason: 'run-not-found' });
  });
});

describe('a principal of one tenant', () => {
  test('sees and counts only the entries of that tenant, and cannot ask for those of others', async () => {
    const { headers } = await server.token({ scopes: ['audit:read'], tenant: 'beta' });
    const beta = await server.token({ scopes: ['runs:write'], tenant: 'beta' });
    await server.addRun({ tenant: 'beta' }).then(({ id }) => server.fetch(`/runs/${id}/cancel`, { method: 'POST' }));
    await server.fetch('/tokens', { headers: beta.headers });
    await expect
      .poll(async () => (await audit('', { headers })).entries.map(({ action }) => action))
      .toEqual(['access.deny', 'run.cancel']);
    expect(await audit('', { headers })).toMatchObject({ total: 2 });
    expect(await audit('tenant=beta&limit=1', { headers })).toMatchObject({ total: 2 });
    const lines = await server.fetch('/audit', { headers: { ...headers, accept: 'application/x-ndjson' } });
    expect((await lines.text()).trim().split('\n')).toHaveLength(2);
    for (const foreign of ['default', '*', 'acme']) {
      const answer = await server.fetch(`/audit?tenant=${encodeURIComponent(foreign)}`, { headers });
      expect(answer.status).toBe(403);
    }
  });
});

describe('while the audit log cannot be written', () => {
  test('no change is begun, and the answer says so', async () => {
    const failing = await startServing({ jobs });
    onTestFinished(() => failing.close());
    Object.assign(failing.store.db, { failure: () => 'no space left' });
    const answer = await failing.post('/tokens', { name: 'never', scopes: ['admin'] });
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining('The audit log cannot be written, so nothing was done: no space left.'),
    ]);
    expect(await failing.store.tokens.list('*', { limit: 10 })).toMatchObject({ total: 0 });
  });

  test('a change that was already made is reported as such, and its entry follows as soon as possible', async () => {
    const failing = await startServing({ jobs });
    onTestFinished(() => failing.close());
    const { record } = failing.store.audit;
    const refuse = (): Promise<never> => Promise.reject(Object.assign(new Error('disk full'), { code: 'ENOSPC' }));
    Object.assign(failing.store.audit, { record: refuse });
    const answer = await failing.post('/schedules', { job_id: 'demo', cron: '0 3 * * *' });
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining('The request was carried out, but its audit entry'),
    ]);
    expect(await failing.store.schedules.all()).toHaveLength(1);
    expect(await audit('', {}, failing)).toMatchObject({ total: 0 });

    Object.assign(failing.store.audit, { record });
    await expect.poll(() => newest(failing)).toMatchObject({ action: 'schedule.create', result: 'done' });
  });
});

test('an id that is cut in the middle of a character does not break the hash chain', async () => {
  expect((await server.post(`/runs/${'a'.repeat(255)}%F0%9F%98%80/cancel`, {})).status).toBe(404);
  await expect.poll(async () => (await newest())?.object?.id).toMatch(/^a{255}/);
  const file = openAuditFile(join(server.root, 'data', 'flwd.db'));
  expect(await file.verify()).toMatchObject({ broken: null });
  file.close();
});
