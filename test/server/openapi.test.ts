import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { hookOperations } from '../../src/contract/hook-operations.ts';
import { operations as table } from '../../src/contract/operations.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

type Schema = Readonly<Record<string, unknown>>;
type Response = { description: string; content: Record<string, { schema: Schema }> };
type Operation = {
  operationId: string;
  security: Record<string, string[]>[];
  parameters: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, Response | { $ref: string }>;
};
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, Response> };
};

const server = await startServing({
  jobs: { demo: bash('true', { schedules: [{ cron: '0 3 * * *' }] }), broken: { 'config.yaml': '[' } },
});
afterAll(() => server.close());
const document: Document = JSON.parse(await (await server.fetch('/openapi.json')).text());
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

function responsesOf({ responses }: Operation): [status: string, response: Response][] {
  return Object.entries(responses).map(([status, response]) => {
    if (!('$ref' in response)) return [status, response];
    const shared = document.components.responses[response.$ref.replace('#/components/responses/', '')];
    return [status, shared ?? { description: '', content: {} }];
  });
}

const responseOf = (path: string, status: number): Response | undefined => {
  const operation = document.paths[`/api/v1${path}`]?.get;
  return operation && Object.fromEntries(responsesOf(operation))[String(status)];
};

test('the document is OpenAPI 3.1, and describes each operation once', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(operations.map(({ operation }) => operation.operationId).toSorted()).toEqual(
    [...Object.keys(table), ...Object.keys(hookOperations)].toSorted(),
  );
  for (const { path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = operation.parameters.filter((one) => one.in === 'path');
    expect(described.map(({ name }) => name)).toEqual(inPath);
    expect(described.every(({ required }) => required === true)).toBe(true);
    expect(Object.keys(operation.responses).at(0)).toMatch(/^20[014]$/);
    for (const [status, { description }] of responsesOf(operation)) {
      expect([status, description]).toEqual([expect.stringMatching(/^[2-5]\d\d$/), expect.stringMatching(/./)]);
    }
  }
});

test('an object whose members may have any name says so, or generators of clients would take it for empty', () => {
  const closed: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const { type, properties, additionalProperties, patternProperties }: Schema = { ...value };
    if (patternProperties !== undefined || (type === 'object' && !properties && additionalProperties === undefined))
      closed.push(path);
    for (const [key, member] of Object.entries(value)) visit(member, `${path}/${key}`);
  };
  visit(document, '');
  expect(closed).toEqual([]);
  const { args, labels } = { ...Object(document.components.schemas.RunRequest?.properties) };
  expect(args).toEqual({ type: 'object', additionalProperties: true });
  expect(labels).toMatchObject({
    additionalProperties: { type: 'string' },
    propertyNames: { pattern: expect.any(String) },
  });
});

test('redocly lint finds no errors and gives no warnings', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flwd-openapi-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'openapi.json'), JSON.stringify(document, null, 2));
  const cli = fileURLToPath(import.meta.resolve('@redocly/cli/bin/cli.js'));
  const linted = spawnSync(
    process.execPath,
    [cli, 'lint', 'openapi.json', '--extends=recommended-strict', '--format=json'],
    {
      cwd: folder,
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
      encoding: 'utf8',
    },
  );
  const { totals, problems }: { totals: object; problems: object[] } = JSON.parse(linted.stdout);
  expect(problems).toEqual([]);
  expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
  expect(linted.status).toBe(0);
});

test('each operation names the scope that it needs, unless it is public', () => {
  const securityOf = (id: string) =>
    operations.find(({ operation }) => operation.operationId === id)?.operation.security;
  expect(document).toMatchObject({ components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } } });
  expect(securityOf('createRun')).toEqual([{ bearer: ['runs:write'] }]);
  expect(securityOf('getHealth')).toEqual([]);
});

test('every reference can be resolved, and every schema is valid', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const [, name] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(Object.keys(document.components.schemas)).toContain(name);
  }
  for (const schema of Object.values(document.components.schemas)) expect(ajv.validateSchema(schema)).toBe(true);
  expect(JSON.stringify(document)).not.toContain('"$id"');
});

/** Compiles a schema of the document so that an undocumented member in an answer is an error. */
function validatorOf(schema: Schema) {
  const closed = JSON.stringify({ ...schema, components: document.components }).replaceAll(
    '"type":"object","required"',
    '"unevaluatedProperties":false,"type":"object","required"',
  );
  return new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(closed));
}

test('answers match their documented schemas', async () => {
  const run = await server.addRun();
  await run.move('claim');
  await run.print('{"level":"warn","message":"x","more":1}');
  await run.finish('fail');
  await server.addArtifact(run, { name: 'a', content: 'x' });
  const answers = [
    ['/jobs', '/jobs'],
    ['/jobs/{job_id}', '/jobs/demo'],
    ['/runs', '/runs'],
    ['/runs/{run_id}', `/runs/${run.id}`],
    ['/runs/{run_id}/logs', `/runs/${run.id}/logs`],
    ['/schedules', '/schedules'],
    ['/artifacts', '/artifacts'],
    ['/health', '/health'],
    ['/system/info', '/system/info'],
  ] as const;
  for (const [path, asked] of answers) {
    const response = await server.fetch(asked);
    const described = responseOf(path, response.status);
    const validate = validatorOf(described?.content['application/json']?.schema ?? {});
    validate(await response.json());
    expect([asked, validate.errors]).toEqual([asked, null]);
  }
});

test('problems that occur in answers are documented', async () => {
  for (const [path, asked, status] of [
    ['/jobs/{job_id}', '/jobs/nowhere', 404],
    ['/jobs/{job_id}', '/jobs/broken', 422],
    ['/runs', '/runs?limit=0', 400],
    ['/artifacts/{artifact_id}', '/artifacts/artifact_x', 404],
    ['/events/runs', '/events/runs?last_event_id=99999', 410],
  ] as const) {
    const response = await server.fetch(asked);
    expect(response.status).toBe(status);
    const schema = responseOf(path, status)?.content['application/problem+json']?.schema;
    expect(schema).toEqual({ $ref: '#/components/schemas/Problem' });
  }
});
