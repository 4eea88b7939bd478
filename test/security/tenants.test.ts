// Two tenants on one server, with tokens of every scope: neither can see or change objects of the other.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Operation, operations } from '../../src/contract/operations.ts';
import { createHub } from '../../src/engine/hub.ts';
import { followJournal } from '../../src/server/streams/event-feed.ts';
import { steps } from '../engine/step-jobs.ts';
import { startServing, type TestToken } from '../server/serving.ts';
import { aBackfill } from '../store/a-backfill.ts';
import { framesUntil } from '../support/event-stream.ts';
import { bash } from '../support/jobs.ts';
import { type Attempt, type Case, cases, type Noun } from './tenant-cases.ts';

type Tenant = {
  readonly name: string;
  readonly token: TestToken;
  readonly things: Readonly<Record<Noun, readonly string[]>>;
};
type Page = { readonly total: number; readonly next_cursor: string | null; readonly rows: readonly string[] };

const single = { argspec: { type: 'object', properties: { key: { type: 'string' } } } };
const server = await startServing({
  executes: true,
  jobs: {
    quick: bash('echo done'),
    timed: bash('true', { schedules: [{ cron: '0 0 1 1 *' }] }),
    hooked: bash('true', { webhooks: [{ name: 'w', scheme: 'hmac', secret: 'key' }] }),
    gated: steps({ steps: [{ id: 'ok', approval: { text: 'Go on?' } }] }),
    alone: steps({
      ...single,
      concurrency: { limit: 1, key: 'args.key', on_conflict: 'cancel_running' },
      steps: [{ id: 'ok', approval: { text: 'Go on?' } }],
    }),
    only: steps({
      ...single,
      concurrency: { limit: 1, on_conflict: 'reject' },
      steps: [{ id: 'ok', approval: { text: 'Go on?' } }],
    }),
  },
});
afterAll(() => server.close());

const table: Readonly<Record<string, Operation>> = operations;
const of = <Kind extends Case['kind']>(kind: Kind) =>
  Object.entries(cases).flatMap(([id, all]) => all.flatMap((one) => (isOf(one, kind) ? [[id, one] as const] : [])));
function isOf<Kind extends Case['kind']>(one: Case, kind: Kind): one is Extract<Case, { kind: Kind }> {
  return one.kind === kind;
}

function send(id: string, { path, headers, body }: Attempt, token: TestToken, signal?: AbortSignal): Promise<Response> {
  return server.fetch(path, {
    method: table[id]?.method ?? 'GET',
    headers: { ...token.headers, ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
}

async function read<T>(path: string, token: TestToken): Promise<T> {
  const answer: T = JSON.parse(await (await server.fetch(path, { headers: token.headers })).text());
  return answer;
}

async function start(jobId: string, token: TestToken, more: object = {}): Promise<string> {
  const response = await server.post('/runs', { job_id: jobId, ...more }, token.headers);
  expect(response.status).toBe(201);
  const { run_id: runId }: { run_id: string } = JSON.parse(await response.text());
  return runId;
}

type Run = {
  readonly status: string;
  readonly tenant: string;
  readonly waiting: string | null;
  readonly steps: readonly { readonly status: string }[];
};
const waits = (runId: string, token: TestToken) =>
  vi.waitFor(async () => expect((await read<Run>(`/runs/${runId}`, token)).steps[0]?.status).toBe('waiting_approval'), {
    interval: 25,
    timeout: 60_000,
  });

/** All webhooks belong to the default tenant, so callers of any other tenant must not see them. */
async function webhooksOfDefault(): Promise<string[]> {
  const ofDefault = await server.token();
  const { webhooks } = await read<{ webhooks: { id: string }[] }>('/webhooks', ofDefault);
  expect(webhooks).toHaveLength(1);
  return webhooks.map(({ id }) => id);
}

async function found(name: string): Promise<Tenant> {
  const token = await server.token({ tenant: name });
  const spare = await server.token({ tenant: name });
  const run = await server.addRun({ tenant: name }, 'claim');
  await run.print(`the secret of ${name}`);
  const artifact = await server.addArtifact(run, { name: 'report.txt', content: `the report of ${name}` });
  const expired = await server.addArtifact(run, { name: 'report.txt', content: 'old', expiresAtMs: 1 });
  await run.finish();
  const gated = await start('gated', token);
  await waits(gated, token);
  const response = await server.post('/schedules', { job_id: 'quick', cron: '0 0 1 1 *' }, token.headers);
  const { id: schedule }: { id: string } = JSON.parse(await response.text());
  const secret = `secret_${name.padEnd(26, '0')}`;
  const backfill = `backfill_${name.padEnd(26, '0')}`;
  const ended = aBackfill({ id: backfill, jobId: 'quick', tenant: name, scheduleId: schedule });
  await server.store.db.transact((tx) => server.store.backfills.add(tx, ended, 1));
  await send('putSecret', { path: `/secrets/${secret}`, body: { value: `the value of ${name}` } }, token);
  const [key, namespace] = ['kv-key', 'namespace'].map((noun) => `${noun}_${name.padEnd(26, '0')}`);
  for (const path of [`/kv/shared/${key}`, `/kv/${namespace}/k`])
    await send('putKvKey', { path, body: { value: 'c2VjcmV0' } }, token);
  return {
    name,
    token,
    things: {
      run: [run.id, gated],
      approval: [gated],
      artifact: [artifact, expired],
      schedule: [schedule],
      backfill: [backfill],
      webhook: await webhooksOfDefault(),
      token: [spare.id],
      secret: [secret],
      'kv-key': [`${key}`],
      namespace: [`${namespace}`],
      entry: [],
    },
  };
}

/**
 * Returns everything that a caller sees of an answer, except for the requested id and for headers that differ in every
 * answer.
 */
async function seen(response: Response, id: string): Promise<object> {
  const headers = [...response.headers].filter(([name]) => !/^(date|x-request-id|x-ratelimit-.*)$/.test(name));
  return { status: response.status, headers, body: (await response.text()).replaceAll(id, 'ID') };
}

const never = (noun: Noun) => `${noun}_01HX0000000000000000000000`;

let acme: Tenant;
let beta: Tenant;
beforeAll(async () => {
  acme = await found('acme');
  beta = await found('beta');
});

test('each operation that takes an id, lists objects or names a tenant is tested here', () => {
  const has = (schema: object | undefined, member: string): boolean =>
    schema !== undefined && 'properties' in schema && Object.hasOwn(Object(schema.properties), member);
  const wanted = Object.entries(table).flatMap(([id, { path, query, body, answers, isInstanceWide }]) => {
    if (isInstanceWide) return [[id, 'instance-wide']];
    // Jobs, their sources and their triggers belong to every tenant. test/server/triggers.test.ts tests the results of
    // triggers.
    const isOfJobs = ['getSource', 'listJobs', 'listTriggers', 'listTriggerResults'].includes(id);
    const takesId = !isOfJobs && /\{(?!job_id)\w+\}/.test(path);
    const isList = !isOfJobs && answers.some(({ content }) => has(content['application/json'], 'total'));
    return [
      ...(takesId || (has(query, 'run_id') && !isList) ? [[id, 'thing']] : []),
      ...(isList ? [[id, 'list']] : []),
      ...(has(body, 'tenant') ? [[id, 'make']] : []),
    ];
  });
  const tried = Object.entries(cases).flatMap(([id, all]) => all.map(({ kind }) => [id, kind]));
  expect(tried).toEqual(expect.arrayContaining(wanted));
});

describe('an object of another tenant', () => {
  const before: unknown[] = [];
  const ofAcme = () =>
    Promise.all(
      ['/runs', '/artifacts', '/schedules', '/secrets', '/kv', '/kv/shared'].map((path) =>
        read<unknown>(path, acme.token),
      ),
    );
  beforeAll(async () => {
    before.push(...(await ofAcme()));
  });

  test.each(of('thing'))('%s: is answered as if it did not exist', async (id, { noun, attempts, status = 404 }) => {
    for (const theirs of acme.things[noun]) {
      const none = never(noun);
      for (const [at, attempt] of attempts(theirs).entries()) {
        const answer = await seen(await send(id, attempt, beta.token), theirs);
        expect(answer).toMatchObject({ status });
        expect(answer).toEqual(await seen(await send(id, attempts(none)[at] ?? attempt, beta.token), none));
      }
    }
  });

  test('is answered as if it did not exist, even while its own tenant reads it', async () => {
    const [runId = ''] = acme.things.run;
    for (let n = 0; n < 3; n++) {
      expect((await send('getRun', { path: `/runs/${runId}` }, acme.token)).status).toBe(200);
      expect((await send('getRun', { path: `/runs/${runId}` }, beta.token)).status).toBe(404);
    }
  });

  test('is unchanged by all those requests', async () => {
    expect(await ofAcme()).toEqual(before);
    const { tokens } = await read<{ tokens: { id: string; status: string }[] }>('/tokens', acme.token);
    expect(tokens.find(({ id }) => id === acme.things.token[0])).toMatchObject({ status: 'active' });
  });

  test.each(of('list'))('%s: is in no list and no total, with any query', async (_id, one) => {
    const { noun, path, queries } = one;
    const [other = ''] = acme.things.run;
    const own = await page(path, noun, beta.token);
    expect(own.rows).toEqual(expect.arrayContaining(beta.things[noun].filter((id) => isListed(id))));
    expect(own.total).toBe(own.rows.length);
    for (const query of queries(other)) {
      if (/tenant=/.test(query)) continue;
      const found = await page(`${path}?${query}`, noun, beta.token);
      expect(own.rows, query).toEqual(expect.arrayContaining([...found.rows]));
      if (!/limit|offset/.test(query))
        expect(found, query).toMatchObject({ total: found.rows.length, next_cursor: null });
      else expect(found.total, query).toBe(own.total);
    }
    const theirs = await page(path, noun, acme.token);
    expect(theirs.rows.filter((id) => own.rows.includes(id))).toEqual([]);
    expect(theirs.rows).toEqual(expect.arrayContaining(acme.things[noun].filter((id) => isListed(id))));
  });

  test.each(of('list'))(
    '%s: cannot be filtered for, and the refusal does not reveal whether it exists',
    async (_id, one) => {
      const { path, queries } = one;
      const [other = ''] = acme.things.run;
      for (const query of queries(other).filter((text) => /tenant=acme/.test(text))) {
        const refused = await seen(await send('listRuns', { path: `${path}?${query}` }, beta.token), 'acme');
        expect(refused).toMatchObject({ status: 403, body: expect.stringMatching(/permission-denied.*'ID'/) });
        const none = { path: `${path}?${query.replace('acme', 'none')}` };
        expect(refused).toEqual(await seen(await send('listRuns', none, beta.token), 'none'));
      }
    },
  );

  test('is listed for callers of all tenants, who can also filter by tenant', async () => {
    const ids = [...acme.things.run, ...beta.things.run];
    const all = await page('/runs', 'run', await server.token({ tenant: '*' }));
    expect(all.rows).toEqual(expect.arrayContaining(ids));
    const some = await page('/runs?tenant=acme', 'run', await server.token({ tenant: '*' }));
    expect(some).toEqual(await page('/runs', 'run', acme.token));
  });

  test.each(of('make'))('%s: cannot be created in that tenant', async (id, { attempt, status }) => {
    const [schedule = ''] = beta.things.schedule;
    const make = (tenant?: string) => send(id, attempt(schedule, tenant), beta.token);
    const refused = await make('acme');
    expect(refused.status).toBe(403);
    const problem = await seen(refused, 'acme');
    expect(problem).toMatchObject({ body: expect.stringMatching(/permission-denied.*'ID'/) });
    expect(problem).toEqual(await seen(await make('none'), 'none'));
    for (const tenant of [undefined, 'beta']) {
      const answer = await make(tenant);
      expect(answer.status).toBe(status);
      const { run_id: runId, ...made }: { run_id?: string; tenant?: string } = JSON.parse(await answer.text());
      const { tenant: of = 'beta' } = runId === undefined ? made : await read<Run>(`/runs/${runId}`, beta.token);
      expect(of).toBe('beta');
    }
  });

  test.each(of('instance-wide'))('%s: can only be used with the tenant `*`', async (id) => {
    const response = await send(id, { path: table[id]?.path ?? '' }, beta.token);
    expect(response.status).toBe(403);
  });

  async function page(path: string, noun: Noun, token: TestToken): Promise<Page> {
    type Row = { readonly run_id: string; readonly id: string; readonly name: string };
    const {
      total,
      next_cursor = null,
      ...rest
    } = await read<{ total: number; next_cursor?: string | null }>(path, token);
    const [rows = []]: Row[][] = Object.values(rest);
    return {
      total,
      next_cursor,
      rows: rows.map((row) =>
        noun === 'run' || noun === 'approval' ? row.run_id : noun === 'secret' ? row.name : row.id,
      ),
    };
  }
  /** Expired artifacts are in no list, and webhooks are only in those of the default tenant. */
  const isListed = (id: string): boolean =>
    id !== acme.things.artifact[1] && id !== beta.things.artifact[1] && !id.startsWith('webhook_');
});

test('the key-value store lists the namespaces and keys of one tenant only', async () => {
  type Lists = { readonly namespaces: readonly object[]; readonly keys: readonly object[] };
  const namespaces = async ({ token }: Tenant, query = '') => (await read<Lists>(`/kv${query}`, token)).namespaces;
  const size_bytes = expect.any(Number);
  const of = ({ things }: Tenant) => [
    { namespace: things.namespace[0], keys: 1, size_bytes },
    { namespace: 'shared', keys: 1, size_bytes },
  ];
  for (const one of [acme, beta]) {
    expect(await namespaces(one)).toEqual(of(one));
    expect((await read<Lists>('/kv/shared', one.token)).keys).toMatchObject([{ key: one.things['kv-key'][0] }]);
  }
  expect((await send('listKvNamespaces', { path: '/kv?tenant=acme' }, beta.token)).status).toBe(403);
});

describe('the stream of all runs', () => {
  test('has only events of the caller’s tenant, stored and live', async () => {
    const stream = (token: TestToken) => server.fetch('/events/runs?last_event_id=0', { headers: token.headers });
    const following = framesUntil(await stream(beta.token), ({ data }) => data.message === 'the last of beta');
    for (const { name } of [acme, beta]) {
      const run = await server.addRun({ tenant: name });
      await run.move('claim');
      await run.print(`the last of ${name}`);
    }
    const frames = await following;
    expect(new Set(frames.map(({ data }) => data.tenant))).toEqual(new Set(['beta']));
    expect(frames.some(({ data }) => data.run_id === beta.things.run[0])).toBe(true);
  });

  test('has the same events if it is read from the database', async () => {
    const { journal } = server.store;
    const stop = new AbortController();
    // A new hub has no events in memory, so they come from the database.
    const hub = createHub(await journal.latestId());
    const feed = followJournal(
      { hub, journal },
      { afterId: 0, runId: undefined, reach: { tenant: 'beta' } },
      stop.signal,
    );
    const entries = (await feed.next()).value?.entries ?? [];
    stop.abort();
    expect(new Set(entries.map(({ tenant }) => tenant))).toEqual(new Set(['beta']));
  });
});

test('an idempotency key belongs to a tenant', async () => {
  const send = (token: TestToken, body: object) =>
    server.post('/runs', { job_id: 'quick', ...body }, { ...token.headers, 'idempotency-key': 'nightly 1' });
  const first = await send(acme.token, {});
  const second = await send(beta.token, { priority: 5 });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.headers.get('idempotent-replay')).toBeNull();
  const again = await send(beta.token, { priority: 5 });
  expect(again.headers.get('idempotent-replay')).toBe('true');
  expect(await again.text()).toBe(await second.text());
});

describe('a job that both tenants run', () => {
  test('ends only runs of the same tenant with on_conflict: cancel_running, and waits for those of others', async () => {
    const args = { key: 'a' };
    const theirs = await start('alone', acme.token, { args });
    await waits(theirs, acme.token);
    const plan = await (await server.post('/plans', { job_id: 'alone', args }, beta.token.headers)).text();
    const own = await start('alone', beta.token, { args });
    const newest = await start('alone', beta.token, { args });
    await expect.poll(async () => (await read<Run>(`/runs/${own}`, beta.token)).status).toBe('cancelled');
    const waiting = "only one run of alone with the concurrency key 'a' at a time";
    const told = async () => {
      const run = await read<Run>(`/runs/${newest}`, beta.token);
      return { status: run.status, waiting: run.waiting };
    };
    await expect.poll(told).toEqual({ status: 'pending', waiting });
    expect(plan).not.toMatch(/acme|run_/);
    expect(await read<Run>(`/runs/${theirs}`, acme.token)).toMatchObject({ status: 'running' });
    const cancel = await send('cancelRun', { path: `/runs/${theirs}/cancel` }, acme.token);
    expect(cancel.status).toBe(200);
    await waits(newest, beta.token);
  });

  test('with on_conflict: reject, says how many runs there are, but not whose', async () => {
    await waits(await start('only', acme.token), acme.token);
    const response = await server.post('/runs', { job_id: 'only' }, beta.token.headers);
    expect(response.status).toBe(409);
    expect(await response.text()).not.toMatch(/acme|run_/);
  });
});

test('a rerun has the tenant of the run that it repeats, for any caller', async () => {
  const runId = await start('quick', acme.token);
  await expect.poll(async () => (await read<Run>(`/runs/${runId}`, acme.token)).status).toBe('success');
  const response = await server.post(`/runs/${runId}/rerun`, {});
  const { run_id: again }: { run_id: string } = JSON.parse(await response.text());
  expect(await read<Run>(`/runs/${again}`, acme.token)).toMatchObject({ tenant: 'acme', created_by: 'local' });
});

test('a schedule keeps its tenant when an admin of all tenants replaces it, unless the admin names another tenant', async () => {
  type Schedule = { readonly id: string; readonly tenant: string };
  const terms = { job_id: 'quick', cron: '0 0 1 1 *' };
  const made = await server.post('/schedules', terms, acme.token.headers);
  const { id }: Schedule = JSON.parse(await made.text());
  const all = await server.token({ tenant: '*' });
  const replaced = async (body: object): Promise<Schedule> =>
    JSON.parse(await (await send('replaceSchedule', { path: `/schedules/${id}`, body }, all)).text());
  expect(await replaced({ ...terms, cron: '0 0 2 2 *' })).toMatchObject({ id, tenant: 'acme' });
  expect(await replaced({ ...terms, tenant: 'beta' })).toMatchObject({ id, tenant: 'beta' });
});

test('schedules of a config.yaml belong to the default tenant', async () => {
  type List = { readonly total: number };
  const ofDefault = await server.token();
  expect(await read<List>('/schedules?source=job', ofDefault)).toMatchObject({ total: 1 });
  expect(await read<List>('/schedules?source=job', beta.token)).toMatchObject({ total: 0 });
});

test('health shows only the status of each check to unknown callers and to callers of one tenant', async () => {
  const { failure } = server.store.db;
  Object.assign(server.store.db, { failure: () => 'the disk /srv is full' });
  const health = async (headers: Readonly<Record<string, string>>) =>
    (await server.fetch('/health', { headers })).text();
  const all = await health({});
  const others = [await health(beta.token.headers), await health({ 'x-forwarded-for': '203.0.113.7' })];
  Object.assign(server.store.db, { failure });
  expect(JSON.parse(all)).toMatchObject({ checks: { database: { detail: 'the disk /srv is full' } } });
  for (const text of others) {
    expect(JSON.parse(text)).toMatchObject({ status: 'unhealthy', checks: { database: { status: 'failing' } } });
    expect(text).not.toContain('detail');
  }
});

test('system information counts only the runs of the caller’s tenant', async () => {
  const lonely = await server.token({ tenant: 'lonely' });
  expect(await read<object>('/system/info', lonely)).toMatchObject({
    queue: { depth: 0, running: 0 },
    workers: [{ running: 0 }],
  });
  await waits(await start('gated', lonely), lonely);
  expect(await read<object>('/workers', lonely)).toMatchObject({ workers: [{ running: 1 }] });
  expect(await read<object>('/system/info', lonely)).toMatchObject({ queue: { depth: 0, running: 1 } });
});

test('an object is found for its own tenant by every one of these operations', async () => {
  const ofDefault = await server.token();
  for (const [id, { noun, attempts }] of of('thing')) {
    const [own = ''] = acme.things[noun];
    // A deleted object cannot be deleted a second time.
    const all = attempts(own).slice(0, table[id]?.method === 'DELETE' ? 1 : undefined);
    for (const attempt of all) {
      const stop = new AbortController();
      const response = await send(id, attempt, noun === 'webhook' ? ofDefault : acme.token, stop.signal);
      const text = response.status === 404 ? await response.text() : '';
      stop.abort();
      expect(text, id).not.toContain(`/${noun}-not-found`);
    }
  }
});

test('the list of upcoming times contains only schedules of the caller’s tenant', async () => {
  type List = { readonly fires: readonly { readonly tenant: string }[] };
  const day = { job_id: 'quick', cron: '0 5 * * *', timezone: 'UTC' };
  for (const { token } of [acme, beta]) await server.post('/schedules', day, token.headers);
  const all = await server.token({ tenant: '*' });
  const tenantsIn = async (token: Parameters<typeof read>[1], query = '') =>
    new Set((await read<List>(`/schedules/fires${query}`, token)).fires.map(({ tenant }) => tenant));
  expect(await tenantsIn(acme.token)).toEqual(new Set(['acme']));
  expect(await tenantsIn(all)).toEqual(new Set(['acme', 'beta']));
  expect(await tenantsIn(all, '?tenant=beta')).toEqual(new Set(['beta']));
  expect((await server.fetch('/schedules/fires?tenant=beta', { headers: acme.token.headers })).status).toBe(403);
});
