// Sends wrong and hostile requests to every operation of the OpenAPI document. FLWD_FUZZ_SECONDS makes it run for
// longer than in CI, and FLWD_FUZZ_SEED repeats a run.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { heapBytes, withInspector } from '../support/heap.ts';
import { bash } from '../support/jobs.ts';
import { type RawAnswer, sendRaw } from '../support/raw-http.ts';
import { startServer } from '../support/server.ts';
import { type Asked, type OpenApi, requestsOf, responseOf } from './openapi-requests.ts';

const seconds = Number(process.env.FLWD_FUZZ_SECONDS ?? 10);
const seed = Number(process.env.FLWD_FUZZ_SEED ?? 20_260_101);
const secret = 'hunter2-must-not-be-seen';

const server = await startServer({
  env: withInspector,
  jobs: {
    demo: bash('echo out; echo "{\\"a\\": 1}" > "$FLWD_RESULT_FILE"; echo x > "$FLWD_ARTIFACTS_DIR/a.txt"', {
      tags: ['x'],
      argspec: {
        type: 'object',
        properties: {
          name: { type: 'string', pattern: '^[a-z]*$' },
          count: { type: 'integer', minimum: 0, maximum: 9 },
          ratio: { type: 'number' },
          on: { type: 'boolean' },
          list: { type: 'array', items: { type: 'string' } },
          map: { type: 'object', additionalProperties: true },
          token: { type: 'string', format: 'secret' },
        },
      },
      timeouts: { run: '5s' },
    }),
    'team/asks': {
      'config.yaml': 'composition: steps\nsteps:\n  - id: ask\n    approval: {text: go?}\n',
    },
    broken: { 'config.yaml': 'command: [' },
  },
  config: {
    sources: [{ name: 'local-fs', type: 'fs', path: './jobs' }],
    security: { profiles: { secure: { rate_limit: { limit: 1_000_000, window: '1s' } } } },
    scheduler: { queue: { max_depth: 20 } },
    logging: { level: 'warn' },
    server: { sync_wait: '1s' },
  },
});
afterAll(() => server.close());

const document = await server.json<OpenApi>('/openapi.json');
const finished = await server.run('demo', { name: 'abc', token: secret });
const waiting = await server.start('team/asks');
const [artifact] = await server.artifacts(finished.run_id);
const schedule = await server.json<{ id: string }>('/schedules', { body: { job_id: 'demo', cron: '0 3 1 1 *' } });
/** The scopes of the credentials: one credential for each scope, and an unknown one. */
const scopes = [
  'jobs:read',
  'code:read',
  'runs:read',
  'runs:write',
  'runs:approve',
  'artifacts:read',
  'schedules:write',
  'audit:read',
  'admin',
];
const credentials = await Promise.all(
  scopes.map(async (scope) => {
    const body = { name: scope.replace(':', '-'), scopes: [scope], tenant: scope === 'admin' ? '*' : 'default' };
    return (await server.json<{ token: string }>('/tokens', { body })).token;
  }),
);
const requests = requestsOf(document, {
  run_id: [finished.run_id, waiting],
  job_id: ['demo', 'team/asks', 'broken'],
  artifact_id: [artifact?.id ?? ''],
  schedule_id: [schedule.id],
  step_id: ['step_01', 'ask'],
  credential: [...credentials, 'flwd_01HX_0', 'x'],
  args: [{}, { name: 'abc', count: 3 }, { list: ['a'], map: { a: null }, token: secret }],
  tenant: ['default'],
  labels: [{}, { team: 'x' }],
  cron: ['0 3 1 1 *', '*/5 * * * *'],
  timezone: ['UTC', 'Europe/Berlin'],
  jitter: ['30s'],
  enabled: [false],
});

/** The problems that an answer may have at any path, even at one that is not an operation. */
const general = [
  'not-found',
  'method-not-allowed',
  'malformed-request',
  'headers-too-large',
  'permission-denied',
  'unauthenticated',
];
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const validators = new Map<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const made = validators.get(schema) ?? ajv.compile({ ...schema, components: document.components });
  validators.set(schema, made);
  return made;
}

const isProblem = validatorOf({ $ref: '#/components/schemas/Problem' });
const toldToOperators = `"path":"${server.root}/jobs"`;
const leaks = [server.root, secret, ...credentials, 'node_modules', '    at '];

function toText({ method, target, headers, contentType, body }: Asked): string {
  const framing = headers.some(([name]) => name === 'Transfer-Encoding');
  const length = body === undefined || framing ? [] : [['Content-Length', String(Buffer.byteLength(body))] as const];
  const type = body === undefined ? [] : [['Content-Type', contentType] as const];
  const all = [['Host', 'localhost'], ['Connection', 'close'], ...type, ...length, ...headers];
  const content = framing
    ? `${Buffer.byteLength(body ?? '').toString(16)}\r\n${body ?? ''}\r\n0\r\n\r\n`
    : (body ?? '');
  return `${method} ${target} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${content}`;
}

function headerOf({ head }: RawAnswer, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1] ?? '';
}

function errorOf(asked: Asked, answer: RawAnswer): string | undefined {
  const { status, head, body } = answer;
  const type = headerOf(answer, 'content-type');
  if (!(status >= 200 && status < 500)) return `answers ${status} ${body.slice(0, 300)}`;
  if (/^(?:x-injected|set-cookie)/im.test(head)) return `has a header of the caller's: ${head}`;
  const said = (head + body).replaceAll(toldToOperators, '');
  const leak = leaks.find((text) => said.includes(text));
  if (leak !== undefined) return `shows ${leak}: ${body.slice(0, 300)}`;
  if (asked.method === 'HEAD' || status === 304 || status === 204) return undefined;
  const isOwn = asked.method === asked.ownMethod;
  const described = isOwn ? responseOf(document, asked.operation, status) : undefined;
  if (status >= 400)
    return type === 'application/problem+json'
      ? errorOfProblem(status, body, isOwn ? (described?.description ?? '') : undefined)
      : `is ${type}`;
  const schema = described?.content['application/json']?.schema;
  if (!schema || !type.startsWith('application/json')) return undefined;
  const validate = validatorOf(schema);
  return validate(JSON.parse(body)) ? undefined : `breaks its schema: ${JSON.stringify(validate.errors).slice(0, 300)}`;
}

function errorOfProblem(status: number, body: string, listed: string | undefined): string | undefined {
  const problem: { type: string; status: number } = JSON.parse(body);
  if (!isProblem(problem) || problem.status !== status) return `is no problem document: ${body.slice(0, 300)}`;
  const slug = problem.type.replace('https://flowd.org/problems/', '');
  if (general.includes(slug) || listed === undefined || listed.includes(`\`${slug}\`: `)) return undefined;
  return `does not say that it answers ${slug}: ${body.slice(0, 300)}`;
}

const atOnce = 6;
const statuses = new Map<number, number>();
const errors: string[] = [];

async function fuzz(forMs: number, from: number): Promise<void> {
  const endsAt = performance.now() + forMs;
  for (let round = 0; performance.now() < endsAt; round++) {
    const all = fc.sample(requests, { seed: from + round, numRuns: 10 * atOnce });
    await Promise.all(Array.from({ length: atOnce }, (_, at) => sendAll(all.slice(10 * at, 10 * (at + 1)))));
  }
}

async function sendAll(all: readonly Asked[]): Promise<void> {
  for (const asked of all) {
    const text = toText(asked);
    const answer = await sendRaw(server.url, text).catch((error: unknown) => error);
    const error = isAnswer(answer) ? errorOf(asked, answer) : String(answer);
    if (isAnswer(answer)) statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    if (error) errors.push(`${asked.operation.operationId}: ${error}\n${text.slice(0, 600)}`);
  }
}

function isAnswer(answer: unknown): answer is RawAnswer {
  return typeof answer === 'object' && answer !== null && 'status' in answer;
}

test('no request makes the server fail, leak secrets, return undocumented errors, or grow', {
  timeout: 120_000 + seconds * 2_000,
}, async () => {
  // The first round fills caches and compiles code, so it is not measured.
  await fuzz(seconds * 500, seed);
  const before = await heapBytes(server.stderr);
  await fuzz(seconds * 500, seed + 1_000_000);
  const after = await heapBytes(server.stderr);
  console.info(`fuzz: ${JSON.stringify(Object.fromEntries(statuses))}, heap ${before} → ${after}`);

  expect(errors).toEqual([]);
  // Any hundred requests produce these statuses, even on a slow machine.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 403, 404, 405, 415]));
  expect(after - before).toBeLessThan(16 * 1024 * 1024);
  // A machine that was only busy for a moment recovers, so wait for it.
  const health = () => server.json('/health');
  await expect.poll(health).toMatchObject({ checks: { database: { status: 'ok' }, load: { status: 'ok' } } });
  expect((await server.run('demo')).status).toBe('success');
  expect(server.stderr).not.toContain(secret);
  expect(server.stderr).not.toMatch(/internal error/);
});
