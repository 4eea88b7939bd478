// A token that is limited to jobs. For such a token, objects of other jobs do not exist, even in its own tenant (ADR
// 0067).

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Operation, operations } from '../../src/contract/operations.ts';
import { jobScopes } from '../../src/domain/principal.ts';
import { steps } from '../engine/step-jobs.ts';
import { startServing, type TestToken } from '../server/serving.ts';
import { aBackfill } from '../store/a-backfill.ts';
import { framesUntil } from '../support/event-stream.ts';
import { bash } from '../support/jobs.ts';
import { type Attempt, type Case, cases } from './tenant-cases.ts';

const approval = steps({ steps: [{ id: 'ok', approval: { text: 'Go on?' } }] });
const yearly = [{ cron: '0 0 1 1 *' }];
const hook = [{ name: 'w', scheme: 'hmac', secret: 'key' }];
const server = await startServing({
  executes: true,
  aliases: [{ from: 'vault/open', to: 'shortcut' }],
  jobs: {
    'reports/daily': bash('echo daily', { schedules: yearly, webhooks: hook }),
    'reports/gated': approval,
    'tools/lint': bash('true', { tags: ['agent'] }),
    'vault/open': bash('echo "the words of the vault"; exit 3', {
      schedules: yearly,
      webhooks: hook,
      argspec: { type: 'object', properties: { n: { type: 'integer' } } },
    }),
    'vault/gated': approval,
    'vault/broken': { 'config.yaml': 'no: [' },
    'vault/after': bash('true', { triggers: [{ job: 'vault/open', on: ['success'] }] }),
  },
  sources: [
    { name: 'foreign', mountPath: 'foreign', trusted: false, jobs: { pushed: bash('true', { tags: ['agent'] }) } },
  ],
});
afterAll(() => server.close());

const table: Readonly<Record<string, Operation>> = operations;
const json = async <T>(response: Response): Promise<T> => JSON.parse(await response.text());
const get = async <T>(path: string, by: TestToken) => json<T>(await server.fetch(path, { headers: by.headers }));
const ofKind = <Kind extends Case['kind']>(kind: Kind) =>
  Object.entries(cases).flatMap(([id, all]) =>
    all.flatMap((one) => (isOf(one, kind) && isForJobs(id) ? [[id, one] as const] : [])),
  );
function isOf<Kind extends Case['kind']>(one: Case, kind: Kind): one is Extract<Case, { kind: Kind }> {
  return one.kind === kind;
}
function isForJobs(id: string): boolean {
  return jobScopes.some((scope) => scope === table[id]?.scope);
}

function send(id: string, { path, headers, body }: Attempt, by: TestToken): Promise<Response> {
  return server.fetch(path, {
    method: table[id]?.method ?? 'GET',
    headers: { ...by.headers, ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function seen(response: Response, id: string): Promise<object> {
  const headers = [...response.headers].filter(([name]) => !/^(date|x-request-id|x-ratelimit-.*)$/.test(name));
  return { status: response.status, headers, body: (await response.text()).replaceAll(id, 'ID') };
}

type Run = { readonly status: string; readonly steps: readonly { readonly status: string }[] };
async function start(jobId: string, by: TestToken, status: string): Promise<string> {
  const { run_id: runId } = await json<{ run_id: string }>(await server.post('/runs', { job_id: jobId }, by.headers));
  await vi.waitFor(
    async () => {
      const run = await get<Run>(`/runs/${runId}`, by);
      expect([run.status, run.steps[0]?.status]).toContain(status);
    },
    { interval: 25, timeout: 60_000 },
  );
  return runId;
}

let operator: TestToken;
let reporter: TestToken;
/** Objects of the jobs in `vault`, and of those in `reports`. */
const hidden: Record<string, string[]> = {};
const own: Record<string, string[]> = {};

async function fill(into: Record<string, string[]>, folder: string, [job, status]: [string, string]): Promise<void> {
  const ran = await start(`${folder}/${job}`, operator, status);
  const waits = await start(`${folder}/gated`, operator, 'waiting_approval');
  const run = await server.addRun({ jobId: `${folder}/${job}` });
  await run.move('claim');
  const artifact = await server.addArtifact(run, { name: 'report.txt', content: folder });
  await run.finish();
  const made = await server.post('/schedules', { job_id: `${folder}/${job}`, cron: '0 0 1 1 *' }, operator.headers);
  const { id: schedule } = await json<{ id: string }>(made);
  const { webhooks } = await get<{ webhooks: { id: string; job_id: string }[] }>('/webhooks', operator);
  const webhook = webhooks.filter((one) => one.job_id.startsWith(folder)).map(({ id }) => id);
  const late = { tenant: 'default', jobId: `${folder}/${job}`, kind: 'by', key: '2026-06-01', atMs: 0 } as const;
  const detail = `No run of ${folder}/${job} has succeeded.`;
  await server.store.db.transact((tx) =>
    server.store.late.add(tx, { ...late, runId: null, scheduleId: schedule, detail }),
  );
  const backfill = aBackfill({
    id: `backfill_${folder.toUpperCase().padEnd(26, '0')}`,
    jobId: `${folder}/${job}`,
    scheduleId: schedule,
  });
  await server.store.db.transact((tx) => server.store.backfills.add(tx, backfill, 1));
  Object.assign(into, {
    run: [run.id, ran, waits],
    approval: [waits],
    artifact: [artifact],
    schedule: [schedule],
    backfill: [backfill.id],
    webhook,
  });
}

beforeAll(async () => {
  operator = await server.token({ scopes: ['admin'] });
  reporter = await server.token({ scopes: jobScopes, only: ['reports/**', 'tag:agent'] });
  await fill(hidden, 'vault', ['open', 'failed']);
  await fill(own, 'reports', ['daily', 'success']);
});

describe('an object of a job that the token may not reach', () => {
  test.each(ofKind('thing'))('%s: is answered as if it did not exist', async (id, { noun, attempts, status = 404 }) => {
    const never = `${noun}_01HX0000000000000000000000`;
    for (const theirs of hidden[noun] ?? []) {
      for (const [at, attempt] of attempts(theirs).entries()) {
        const answer = await seen(await send(id, attempt, reporter), theirs);
        if (!attempt.path.includes('tenant=')) expect(answer, attempt.path).toMatchObject({ status });
        expect(answer).toEqual(await seen(await send(id, attempts(never)[at] ?? attempt, reporter), never));
      }
    }
  });

  test.each(ofKind('list'))('%s: is in no list and no total', async (id, { path, noun, queries }) => {
    for (const query of ['', ...queries(hidden.run?.[0] ?? '')]) {
      const response = await server.fetch(`${path}?${query}`, { headers: reporter.headers });
      const text = await response.text();
      expect(text, `${id} ${query}`).not.toMatch(/vault|shortcut/);
      for (const one of hidden[noun] ?? []) expect(text.replaceAll(query, '')).not.toContain(one);
      if (query !== '') continue;
      const { total, ...rest }: { total: number } = JSON.parse(text);
      const [rows = []] = Object.values(rest).filter((member) => Array.isArray(member));
      expect(rows).toHaveLength(total);
      for (const one of own[noun] ?? []) expect(text).toContain(one);
    }
  });

  test('is unchanged by all those requests', async () => {
    const [, ran, waits] = hidden.run ?? [];
    expect(await get(`/runs/${ran}`, operator)).toMatchObject({ status: 'failed' });
    expect(await get(`/runs/${waits}`, operator)).toMatchObject({ status: 'running' });
    expect(await get(`/schedules/${hidden.schedule?.[0]}`, operator)).toMatchObject({ held: false });
  });

  test('is in no answer to any request that only reads', async () => {
    const paths = [
      '/jobs',
      '/jobs?include=args&last_runs=3',
      '/jobs?q=vault',
      '/jobs?ids=vault/open,reports/daily',
      '/runs?q=vault',
      '/runs?job_id=shortcut',
      '/runs?prefix=vault',
      '/stats?by=job',
      '/stats/jobs',
      '/stats/jobs?ids=vault/open',
      '/stats/times?job_id=shortcut',
      '/failures',
      '/failures?job_id=shortcut',
      '/late',
      '/late?state=all',
      '/late?job_id=shortcut',
      '/logs?q=words',
      '/logs?job_id=shortcut',
      '/approvals',
      '/approvals?state=answered',
      '/artifacts',
      '/schedules',
      '/schedules/fires?since=2026-12-31T00:00:00Z&until=2027-01-02T00:00:00Z',
      '/backfills',
      '/backfills?job_id=shortcut',
      '/webhooks',
      '/triggers',
      '/channels',
      '/system/info',
      '/workers',
      '/health',
    ];
    for (const path of paths) {
      const text = await (await server.fetch(path, { headers: reporter.headers })).text();
      expect(text.replaceAll('shortcut"', ''), path).not.toMatch(/vault|shortcut/);
      for (const id of Object.values(hidden).flat()) expect(text, path).not.toContain(id);
    }
    expect(await get('/jobs', reporter)).toMatchObject({
      jobs: [{ id: 'reports/daily' }, { id: 'reports/gated' }, { id: 'tools/lint' }],
      invalid: [],
      total: 3,
    });
    expect(await get('/runs', reporter)).toMatchObject({ total: 3 });
    expect(await get('/late?state=all', reporter)).toMatchObject({ late: [{ job_id: 'reports/daily' }] });
    expect(await get('/stats', reporter)).toMatchObject({ totals: { runs: 2, failed: 0 } });
    expect(await get('/stats/times?job_id=vault/open', reporter)).toMatchObject({ runs: [], steps: [] });
    expect(await get('/system/info', reporter)).toMatchObject({ queue: { running: 1 } });
  });

  test.each(['vault/open', 'vault/gated', 'vault/broken', 'shortcut'])('the job %s is not found', async (jobId) => {
    const never = jobId.replaceAll(/[a-z]/g, 'z');
    const bodies = [
      { job_id: jobId },
      { job_id: jobId, args: { n: 'x' } },
      { job_id: jobId, priority: 'x', args: { n: 'x' } },
    ];
    for (const [path, more] of [
      ['/runs', {}],
      ['/plans', {}],
      ['/schedules', { cron: '@daily' }],
      ['/schedules/preview', { cron: '@daily' }],
    ] as const) {
      for (const body of bodies) {
        const of = async (id: string) =>
          seen(await server.post(path, { ...body, ...more, job_id: id }, reporter.headers), id);
        expect(await of(jobId)).toEqual(await of(never));
      }
    }
    for (const path of ['/jobs/ID', '/job-files/ID', '/job-file/ID?path=config.yaml']) {
      const of = async (id: string) => seen(await send('getJob', { path: path.replace('ID', id) }, reporter), id);
      expect(await of(jobId)).toMatchObject({ status: 404 });
      expect(await of(jobId)).toEqual(await of(never));
    }
  });

  test('somebody else’s idempotency key reveals nothing', async () => {
    const body = { job_id: 'vault/open' };
    const key = { 'idempotency-key': 'theirs' };
    expect((await server.post('/runs', body, { ...operator.headers, ...key })).status).toBe(201);
    expect((await server.post('/runs', body, { ...reporter.headers, ...key })).status).toBe(404);
    const mine = { job_id: 'tools/lint', async: false };
    expect((await server.post('/runs', mine, { ...reporter.headers, ...key })).status).toBe(201);
    const again = await server.post('/runs', mine, { ...reporter.headers, ...key });
    expect(again.headers.get('idempotent-replay')).toBe('true');
    const other = await server.token({ scopes: jobScopes, only: ['tools/**'] });
    for (const { headers } of [reporter, other]) {
      const asAgent = { ...headers, ...key, 'x-flwd-agent': 'runs:write' };
      const first = await server.post('/runs', mine, { ...asAgent, 'idempotency-key': 'of an agent' });
      expect([first.status, first.headers.get('idempotent-replay')]).toEqual([201, null]);
    }
  });

  test('is in no cursor, and lists begin with the newest run that the token may see', async () => {
    const queries = ['', 'q=report', 'label=team', 'status=success', 'not_label=nothing'];
    const before = await Promise.all(queries.map((query) => get<{ runs: object[] }>(`/runs?${query}`, reporter)));
    for (let n = 0; n < 30; n++) await (await server.addRun({ jobId: 'vault/open' })).move('claim');
    for (const [at, query] of queries.entries()) {
      const all = await get<{ runs: { run_id: string }[]; total: number }>(`/runs?${query}`, reporter);
      expect(all, query).toEqual(before[at]);
      const paged: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const path = `/runs?${query}&limit=1${cursor && `&cursor=${cursor}`}`;
        const page: { runs: { run_id: string }[]; total: number; next_cursor: string | null } = await get(
          path,
          reporter,
        );
        expect(page.total, query).toBe(all.total);
        paged.push(...page.runs.map(({ run_id: id }) => id));
        cursor = page.next_cursor;
        const [, place] = Buffer.from(cursor ?? '', 'base64url')
          .toString()
          .split(' ');
        if (cursor !== null) expect(all.runs.map(({ run_id: id }) => id)).toContain(place);
      }
      expect(paged, query).toEqual(all.runs.map(({ run_id: id }) => id));
    }
  });

  test('the stream of all runs contains only events of reachable jobs, stored and live', async () => {
    const stream = await server.fetch('/events/runs?last_event_id=0', { headers: reporter.headers });
    const following = framesUntil(stream, ({ data }) => data.message === 'the last');
    for (const jobId of ['vault/open', 'reports/daily']) {
      const run = await server.addRun({ jobId });
      await run.move('claim');
      await run.print('the last');
    }
    const jobs = new Set((await following).map(({ data }) => data.job_id));
    expect(jobs).toEqual(new Set(['reports/daily', 'reports/gated', 'tools/lint']));
  });
});

describe('a token that is limited to jobs', () => {
  test('works with the jobs that it may reach', async () => {
    await start('tools/lint', reporter, 'success');
    const rerun = await server.post(`/runs/${own.run?.[1]}/rerun`, {}, reporter.headers);
    expect(rerun.status).toBe(201);
    const [gated] = own.approval ?? [];
    const decision = { step_id: 'ok', decision: 'approve' };
    expect((await server.post(`/runs/${gated}/approvals`, decision, reporter.headers)).status).toBe(200);
  });

  test('does not reach a job because an untrusted source gave it a tag', async () => {
    expect((await server.post('/runs', { job_id: 'foreign/pushed' }, reporter.headers)).status).toBe(404);
    expect((await server.post('/runs', { job_id: 'foreign/pushed' }, operator.headers)).status).toBe(201);
  });

  test('cannot pause the schedules of others', async () => {
    for (const path of ['/schedules/pause', '/schedules/resume']) {
      const response = await server.post(path, {}, reporter.headers);
      expect(await json(response)).toMatchObject({
        status: 403,
        detail: expect.stringContaining('reports/**, tag:agent'),
      });
    }
  });

  test.each(['admin', 'kv:read', 'secrets:write', 'sources:read', 'audit:read', 'metrics:read'])(
    'cannot have the scope %s',
    async (scope) => {
      const body = { name: `with-${scope.replace(':', '-')}`, scopes: ['runs:read', scope], only: ['reports/**'] };
      const response = await server.post('/tokens', body, operator.headers);
      expect(await json(response)).toMatchObject({ status: 400, errors: [{ pointer: '/scopes/1', keyword: 'scope' }] });
    },
  );

  test.each([[''], ['reports/'], ['/x'], ['tag:'], ['a b'], [], 'reports'])(
    'cannot be limited to %j',
    async (...only) => {
      const body = { name: 'odd', scopes: ['runs:read'], only: only.length === 1 ? only[0] : only };
      expect((await server.post('/tokens', body, operator.headers)).status).toBe(400);
    },
  );
});
