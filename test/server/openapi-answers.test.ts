// Compares real answers and events with the OpenAPI document: their headers in both directions, and the data of every
// event.

import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, vi } from 'vitest';
import { eventTypes } from '../../src/domain/event.ts';
import { script, steps } from '../engine/step-jobs.ts';
import { allFramesOf } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { type Serving, startServing } from './serving.ts';

const test = testWith('bwrap');

type DescribedAnswer = { readonly headers: Readonly<Record<string, unknown>> };
type Described = { readonly operationId: string; readonly responses: Readonly<Record<string, { $ref?: string }>> };
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: {
    readonly headers: Readonly<Record<string, unknown>>;
    readonly responses: Readonly<Record<string, DescribedAnswer>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
};

const server = await startServing({
  executes: true,
  server: { syncWaitMs: 1 },
  jobs: {
    demo: bash('echo x > "$FLWD_ARTIFACTS_DIR/a.txt"'),
    sleeper: bash('sleep 60'),
    hooked: bash('true', { webhooks: [{ name: 'push', scheme: 'hmac', secret: 'key' }] }),
    graph: steps(
      {
        steps: [
          { ...script('flaky'), retry: { limit: 1, delay: '1s' } },
          script('never', { if: 'false' }),
          { id: 'ask', approval: { text: 'Go on?' }, needs: ['flaky'] },
        ],
      },
      { flaky: 'echo out; flwd_progress 50 half; test "$FLWD_ATTEMPT" = 2', never: 'true' },
    ),
    alone: bash('echo begun; sleep 60', { concurrency: { limit: 1 } }),
  },
});
const patient = await startServing({
  executes: true,
  server: { syncWaitMs: 120_000 },
  jobs: { sleeper: bash('sleep 60') },
});
const limited = await startServing({ rateLimit: { limit: 1, windowMs: 600_000 } });
const loaded = await startServing({ load: { complaint: () => 'full' } });
afterAll(() => Promise.all([server, patient, limited, loaded].map((one) => one.close())));

const document: Document = JSON.parse(await (await server.fetch('/openapi.json')).text());
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), ...described })),
);

/** Headers for browsers, caches, proxies and the connection, which the document does not name. */
const ordinary = [
  'cache-control',
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'date',
  'keep-alive',
  'referrer-policy',
  'transfer-encoding',
  'x-accel-buffering',
  'x-content-type-options',
  'x-frame-options',
];

/** The headers that answers have had, each as `operation status header` in lower case. */
const seen = new Set<string>();

function responseOf(id: string, status: number | string): DescribedAnswer | undefined {
  const response = operations.find(({ operationId }) => operationId === id)?.responses[String(status)];
  const name = response?.$ref?.split('/').at(-1);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a response has headers, unless it is a reference
  return name === undefined ? (response as DescribedAnswer | undefined) : document.components.responses[name];
}

const namesOf = ({ headers }: DescribedAnswer) => Object.keys(headers).map((name) => name.toLowerCase());

type Asked = { readonly by?: Serving; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };

/** Calls an operation, and expects that the document names each header of the answer. */
async function ask(id: string, path: string, o: Asked = {}): Promise<Response> {
  const { by = server, headers = {}, body } = o;
  const method = operations.find(({ operationId }) => operationId === id)?.method ?? 'GET';
  const answer = await by.fetch(path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const documented = responseOf(id, answer.status);
  expect([id, answer.status, documented]).toEqual([id, answer.status, expect.anything()]);
  const own = [...answer.headers.keys()].filter((name) => !ordinary.includes(name));
  for (const name of own) seen.add(`${id} ${answer.status} ${name}`);
  const listed = documented ? namesOf(documented) : [];
  expect([id, answer.status, own.filter((name) => !listed.includes(name))]).toEqual([id, answer.status, []]);
  return answer;
}

const read = async <T>(answer: Response): Promise<T> => JSON.parse(await answer.text());

async function finished(runId: string): Promise<void> {
  await allFramesOf(await server.fetch(`/runs/${runId}/events`));
}

async function start(jobId: string): Promise<string> {
  const { run_id: runId } = await read<{ run_id: string }>(
    await ask('createRun', '/runs', { body: { job_id: jobId } }),
  );
  return runId;
}

describe('the headers of an answer', () => {
  const usual = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'x-request-id'];

  test('are documented, whatever the request', async () => {
    for (const { operationId, path, method } of operations) {
      const to = path.replace('/api/v1', '').replaceAll(/\{\w+\}/g, 'nowhere');
      const from = path.startsWith('/api/v1') ? to : `/${to}`;
      const answer = await ask(operationId, from, method === 'GET' ? {} : { body: {} });
      await answer.body?.cancel();
    }
  });

  test('include each header that the document names', async () => {
    for (const isAsync of [true, true, false, false]) {
      const headers = { 'idempotency-key': String(isAsync) };
      const created = await ask('createRun', '/runs', { headers, body: { job_id: 'sleeper', async: isAsync } });
      expect(created.status).toBe(isAsync ? 201 : 202);
    }
    const twice = { headers: { 'idempotency-key': 'twice' }, body: { job_id: 'sleeper', async: false }, by: patient };
    const both = [ask('createRun', '/runs', twice), ask('createRun', '/runs', twice)];
    expect((await Promise.race(both)).status).toBe(409);
    // The second request is refused while the first one has not stored its run yet.
    const runs = async () => (await read<{ runs: { run_id: string }[] }>(await patient.fetch('/runs'))).runs;
    await expect.poll(runs).toHaveLength(1);
    await patient.post(`/runs/${(await runs())[0]?.run_id}/cancel`, {});
    await Promise.all(both);
    const made = await ask('createRun', '/runs', { body: { job_id: 'demo' } });
    const { run_id: runId } = await read<{ run_id: string }>(made);
    expect(made.headers.get('location')).toBe(`/api/v1/runs/${runId}`);
    await finished(runId);
    for (let times = 0; times < 2; times += 1)
      await ask('rerunRun', `/runs/${runId}/rerun`, { headers: { 'idempotency-key': 'again' }, body: {} });

    for (const [id, path] of [
      ['listJobs', '/jobs'],
      ['getJob', '/jobs/demo'],
      ['getRun', `/runs/${runId}`],
    ] as const) {
      const etag = (await ask(id, path)).headers.get('etag') ?? '';
      expect((await ask(id, path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }

    const listed = await read<{ artifacts: { id: string }[] }>(
      await ask('listArtifacts', `/artifacts?run_id=${runId}`),
    );
    const artifact = `/artifacts/${listed.artifacts[0]?.id}`;
    const etag = (await ask('getArtifact', artifact)).headers.get('etag') ?? '';
    expect((await ask('getArtifact', artifact, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await ask('getArtifact', artifact, { headers: { range: 'bytes=0-0' } })).status).toBe(206);
    expect((await ask('getArtifact', artifact, { headers: { range: 'bytes=9-' } })).status).toBe(416);

    const cron = { job_id: 'demo', cron: '0 3 * * *', timezone: 'UTC' };
    const { id: schedule } = await read<{ id: string }>(await ask('createSchedule', '/schedules', { body: cron }));
    for (let times = 0; times < 2; times += 1)
      await ask('runSchedule', `/schedules/${schedule}/run`, { headers: { 'idempotency-key': 'scheduled' }, body: {} });
    const span = { from: '2026-11-01T00:00:00Z', until: '2026-11-02T00:00:00Z' };
    await ask('createBackfill', `/schedules/${schedule}/backfills`, { body: span });

    const webhook = await ask('createWebhook', '/webhooks', { body: { job_id: 'demo' } });
    const { id: hookId, hook } = await read<{ id: string; hook: string }>(webhook);
    expect((await ask('deliverByToken', `/${hook}`, { body: {} })).status).toBe(202);
    const { deliveries } = await read<{ deliveries: { id: string }[] }>(
      await ask('listDeliveries', `/webhooks/${hookId}/deliveries`),
    );
    const replay = `/webhooks/${hookId}/deliveries/${deliveries[0]?.id}/replay`;
    for (let times = 0; times < 2; times += 1)
      await ask('replayDelivery', replay, { headers: { 'idempotency-key': 'delivered' } });
    expect((await ask('deliverToJob', '//hooks/hooked/push', { body: {} })).status).toBe(403);

    expect((await ask('listJobs', '/jobs', { headers: { authorization: 'Bearer x' } })).status).toBe(401);
    expect((await ask('listJobs', '/jobs', { by: loaded })).status).toBe(503);
    await ask('listJobs', '/jobs', { by: limited });
    expect((await ask('listJobs', '/jobs', { by: limited })).status).toBe(429);

    const documented = operations.flatMap(({ operationId: id, responses }) =>
      Object.keys(responses).flatMap((status) =>
        namesOf(responseOf(id, status) ?? { headers: {} })
          .filter((name) => !usual.includes(name))
          .map((name) => `${id} ${status} ${name}`),
      ),
    );
    expect(documented.filter((one) => / [23]\d\d /.test(one) && !seen.has(one))).toEqual([]);
    // All problems get their headers from the same place, so it suffices that one operation has each header.
    const ofProblems = (all: Iterable<string>) =>
      new Set([...all].filter((one) => / [45]\d\d /.test(one)).map((one) => one.replace(/^\w+ /, '')));
    const expected = ofProblems(documented);
    expect([...ofProblems(seen)].filter((one) => usual.every((name) => !one.endsWith(name))).toSorted()).toEqual(
      [...expected].toSorted(),
    );
    for (const name of usual) expect([...seen].some((one) => one.endsWith(` 200 ${name}`))).toBe(true);
  });

  test('of a single operation are not documented for other operations', () => {
    expect(namesOf(responseOf('getHealth', 200) ?? { headers: {} }).toSorted()).toEqual(usual);
    expect(Object.keys(document.components.headers).map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining(usual),
    );
  });
});

/** Creates a validator for a schema. It refuses members that the schema does not name. */
function validatorOf(name: string) {
  const closed = JSON.stringify({ ...document.components.schemas[name], components: document.components }).replaceAll(
    '"type":"object","required"',
    '"unevaluatedProperties":false,"type":"object","required"',
  );
  return new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(closed));
}

const dataNameOf = (event = '') =>
  `${event.replaceAll(/(?:^|[._])(\w)/g, (_, letter: string) => letter.toUpperCase())}Event`;

test('the data of every event matches its schema, in streams and as JSON lines', async () => {
  const waits = async (
    runId: string,
    is: (run: { status: string; waiting: unknown; waiting_approval: unknown[] }) => boolean,
  ) => vi.waitFor(async () => expect(is(await read(await server.fetch(`/runs/${runId}`)))).toBe(true), 30_000);
  const graph = await start('graph');
  await waits(graph, ({ waiting_approval: open }) => open.length > 0);
  await server.post(`/runs/${graph}/approvals`, { step_id: 'ask', decision: 'deny', comment: 'no' });
  const alone = await start('alone');
  await waits(alone, ({ status }) => status === 'running');
  const second = await start('alone');
  await waits(second, ({ waiting }) => waiting !== null);
  for (const runId of [second, alone]) await server.post(`/runs/${runId}/cancel`, {});

  const types = new Set<string | undefined>();
  const isLine = new Ajv2020({ strict: false, validateFormats: false }).compile({
    $ref: '#/components/schemas/RunEventLine',
    components: document.components,
  });
  for (const runId of [graph, alone, second]) {
    for (const { event, data } of await allFramesOf(await server.fetch(`/runs/${runId}/events`))) {
      types.add(event);
      const validate = validatorOf(dataNameOf(event));
      validate(data);
      expect([event, data, validate.errors]).toEqual([event, data, null]);
    }
    const lines = (await (await server.fetch(`/runs/${runId}/events.ndjson`)).text()).trimEnd().split('\n');
    for (const line of lines) expect([isLine(JSON.parse(line)), line]).toEqual([true, line]);
    for (const { event, data } of await allFramesOf(await server.fetch(`/runs/${runId}/logs?follow=true`))) {
      const validate = validatorOf(event === 'log' ? 'LogEvent' : 'LogEndEvent');
      validate(data);
      expect([event, data, validate.errors]).toEqual([event, data, null]);
    }
  }
  expect(types).toEqual(new Set(eventTypes));
  expect(isLine({ id: 1, event: 'run.created' })).toBe(false);
});
