// Generates requests from the OpenAPI document: valid, almost valid, and completely wrong ones for each operation.

import fc, { type Arbitrary } from 'fast-check';
import { jsonTexts, numberTexts, pathTexts, shellTexts } from './hostile-values.ts';

type Schema = { readonly [keyword: string]: unknown };
/** Valid values, including ids of existing objects. */
type Samples = Readonly<Record<string, readonly unknown[]>>;
type Parameter = { readonly name: string; readonly in: string; readonly schema: Schema };
type DescribedOperation = {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, DescribedResponse | { readonly $ref: string }>>;
};
type DescribedResponse = {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
};
export type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, DescribedResponse>>;
  };
};

export type Asked = {
  readonly operation: DescribedOperation;
  readonly method: string;
  /** The method of the operation. With another method the path may belong to another operation. */
  readonly ownMethod: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly contentType: string;
  readonly body: string | undefined;
};

const texts = fc.oneof(
  fc.constantFrom(...shellTexts, ...pathTexts, ...numberTexts),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** Removes characters that would end a request line or a header. */
const headerTexts = texts.map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 2_000));

const oddMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY'];
const oddHeaders: readonly (readonly [string, Arbitrary<string>])[] = [
  [
    'Accept',
    fc.oneof(headerTexts, fc.constantFrom('text/event-stream', '*/*;q=0', ','.repeat(500), 'a/b;q=x,'.repeat(200))),
  ],
  ['Accept-Encoding', fc.constantFrom('gzip', 'br;q=1', 'identity;q=0', '*')],
  ['Content-Encoding', fc.constantFrom('gzip', 'deflate', 'br', 'x')],
  ['Expect', fc.constantFrom('100-continue', '200-ok', '')],
  ['Upgrade', fc.constantFrom('websocket', 'h2c', 'TLS/1.0')],
  ['If-None-Match', fc.oneof(headerTexts, fc.constantFrom('*', '"x",'.repeat(500)))],
  ['If-Range', headerTexts],
  [
    'Range',
    fc.oneof(headerTexts, fc.constantFrom('bytes=0-', 'bytes=-1', 'bytes=9-1', `bytes=${'0-0,'.repeat(400)}0-0`)),
  ],
  [
    'Last-Event-ID',
    fc.oneof(headerTexts, fc.constantFrom(...numberTexts.filter((text) => /^[\x20-\x7e]*$/.test(text)))),
  ],
  ['Idempotency-Key', headerTexts],
  ['X-Request-Id', headerTexts],
  ['X-Flwd-Client', headerTexts],
  ['X-Flwd-Agent', fc.oneof(headerTexts, fc.constantFrom('admin', 'jobs:read runs:write'))],
  ['X-HTTP-Method-Override', fc.constantFrom('DELETE', 'POST')],
  ['Cookie', headerTexts],
  ['Authorization', headerTexts],
  ['X-Forwarded-For', headerTexts],
  ['X-Forwarded-Host', fc.constantFrom('evil.example')],
  ['Origin', fc.constantFrom('null', 'http://localhost:1', 'https://evil.example', '')],
  ['Transfer-Encoding', fc.constantFrom('chunked', 'gzip', 'identity', 'chunked, chunked')],
];
const contentTypes = fc.oneof(
  { arbitrary: fc.constant('application/json'), weight: 8 },
  fc.constantFrom(
    'application/json; charset=utf-16',
    'APPLICATION/JSON',
    'text/plain',
    'application/x-www-form-urlencoded',
  ),
  fc.constantFrom(
    'multipart/form-data; boundary=x',
    'application/json,text/plain',
    '',
    'application/problem+json',
    '/',
  ),
);

/**
 * Returns what the document says about an answer with this status, or undefined if the operation has no such answer.
 */
export function responseOf(
  { components }: OpenApi,
  { responses }: DescribedOperation,
  status: number,
): DescribedResponse | undefined {
  const response = responses[String(status)];
  return response && '$ref' in response ? components.responses[response.$ref.split('/').at(-1) ?? ''] : response;
}

/** @param samples valid values by name, for parameters of a path and members of a body */
export function requestsOf(document: OpenApi, samples: Samples): Arbitrary<Asked> {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  return fc.constantFrom(...all).chain(({ path, method, operation }) => {
    const ofSchema = (schema: Schema): Arbitrary<unknown> => valuesOf(schema, document, samples);
    return fc.record({
      operation: fc.constant(operation),
      ownMethod: fc.constant(method),
      method: fc.oneof({ arbitrary: fc.constant(method), weight: 20 }, fc.constantFrom(...oddMethods)),
      target: fc.tuple(pathsOf(path, samples), queriesOf(operation, ofSchema)).map(([to, query]) => to + query),
      headers: headersOf(operation, samples.credential ?? []),
      contentType: contentTypes,
      body: bodiesOf(operation, ofSchema),
    });
  });
}

function pathsOf(path: string, samples: Samples): Arbitrary<string> {
  const parts = path.split(/\{(\w+)\}/).map((part, at): Arbitrary<string> => {
    if (at % 2 === 0) return fc.constant(part);
    const known = fc.constantFrom(...(samples[part] ?? ['x'])).map(String);
    return fc.oneof(
      { arbitrary: known, weight: 6 },
      { arbitrary: known.map((id) => id.slice(0, -1)), weight: 1 },
      { arbitrary: fc.constantFrom(...pathTexts), weight: 3 },
      { arbitrary: texts.map((text) => encodeURIComponent(text.toWellFormed())), weight: 2 },
    );
  });
  return fc.tuple(...parts).map((all) => all.join(''));
}

function queriesOf(
  { parameters }: DescribedOperation,
  ofSchema: (schema: Schema) => Arbitrary<unknown>,
): Arbitrary<string> {
  const known = parameters.filter((one) => one.in === 'query');
  const encode = (value: unknown): string => encodeURIComponent(String(value).toWellFormed());
  const pairs: Arbitrary<string>[] = known.map(({ name, schema }) =>
    fc
      .oneof(
        { arbitrary: ofSchema(schema).map(encode), weight: 3 },
        { arbitrary: fc.constantFrom(...numberTexts).map(encode), weight: 1 },
        { arbitrary: texts.map(encode), weight: 1 },
        { arbitrary: fc.constantFrom(...pathTexts.map((text) => text.replaceAll(/[#&]/g, ''))), weight: 1 },
      )
      .map((value) => `${name}=${value}`),
  );
  const odd = fc.constantFrom(
    'x=1',
    '__proto__=1',
    'constructor=1',
    'limit=1&limit=2',
    'limit[]=1',
    '&&&',
    '=',
    'a%00=1',
    '?',
    '%',
  );
  return fc
    .array(fc.oneof(...pairs.map((arbitrary) => ({ arbitrary, weight: 4 })), { arbitrary: odd, weight: 1 }), {
      maxLength: 4,
    })
    .map((all) => (all.length > 0 ? `?${all.join('&')}` : ''));
}

function headersOf(
  { parameters }: DescribedOperation,
  credentials: readonly unknown[],
): Arbitrary<(readonly [string, string])[]> {
  const own = parameters.filter((one) => one.in === 'header').map(({ name }) => name);
  const picked = oddHeaders.map(([name, values]) => ({
    arbitrary: values.map((value): [string, string] => [name, value]),
    weight: own.includes(name) ? 6 : 1,
  }));
  const odd = fc.oneof(
    { arbitrary: fc.constant<[string, string][]>([]), weight: 3 },
    { arbitrary: fc.array(fc.oneof(...picked), { maxLength: 3 }), weight: 2 },
  );
  const by = fc
    .constantFrom(...credentials)
    .map((credential) => ['Authorization', `Bearer ${String(credential)}`] as const);
  return fc
    .tuple(odd, fc.option(by, { freq: 1 }))
    .map(([headers, header]) => (header ? [...headers, header] : headers));
}

function bodiesOf(
  operation: DescribedOperation,
  ofSchema: (schema: Schema) => Arbitrary<unknown>,
): Arbitrary<string | undefined> {
  const schema = operation.requestBody?.content['application/json']?.schema;
  const hostile = fc.constantFrom(...jsonTexts);
  if (!schema) return fc.oneof({ arbitrary: fc.constant(undefined), weight: 6 }, { arbitrary: hostile, weight: 1 });
  const valid = ofSchema(schema);
  // Adds or replaces a member in the JSON text, which allows duplicates.
  const nearly = fc
    .tuple(valid, hostile, fc.constantFrom(...namesOf(schema), '__proto__', 'constructor', 'x'))
    .map(([value, member, name]) => {
      const text = JSON.stringify(value) ?? '{}';
      return `${text.slice(0, -1)}${text === '{}' ? '' : ','}${JSON.stringify(name)}:${member}}`;
    });
  return fc.oneof(
    { arbitrary: valid.map((value) => JSON.stringify(value)), weight: 5 },
    { arbitrary: nearly, weight: 4 },
    { arbitrary: hostile, weight: 1 },
    { arbitrary: fc.constant(undefined), weight: 1 },
  );
}

function namesOf({ properties }: Schema): string[] {
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

/** Generates values that roughly match a schema. */
function valuesOf(schema: Schema, document: OpenApi, samples: Samples, name = ''): Arbitrary<unknown> {
  const known = samples[name];
  if (known) return fc.oneof({ arbitrary: fc.constantFrom(...known), weight: 4 }, texts);
  const { $ref, anyOf, enum: choices, const: only, type, properties, required, items } = schema;
  if (typeof $ref === 'string') {
    const named = document.components.schemas[$ref.split('/').at(-1) ?? ''];
    return named ? valuesOf(named, document, samples) : fc.jsonValue();
  }
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((one: Schema) => valuesOf(one, document, samples)));
  if (Array.isArray(choices)) return fc.oneof({ arbitrary: fc.constantFrom<unknown>(...choices), weight: 6 }, texts);
  if (only !== undefined) return fc.constant(only);
  if (type === 'integer' || type === 'number') return numbersOf(schema);
  if (type === 'boolean') return fc.boolean();
  if (type === 'array')
    return fc.array(isSchema(items) ? valuesOf(items, document, samples) : fc.jsonValue(), { maxLength: 3 });
  if (type === 'object' && isSchema(properties)) {
    const members = Object.entries(properties).map(([member, one]) => [
      member,
      isSchema(one) ? valuesOf(one, document, samples, member) : fc.jsonValue(),
    ]);
    const model: Record<string, Arbitrary<unknown>> = Object.fromEntries(members);
    const requiredKeys = Array.isArray(required) ? required.map(String) : [];
    return fc.record(model, { requiredKeys });
  }
  if (type === 'object') return fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue(), { maxKeys: 3 });
  if (type === 'string')
    return fc.oneof(texts, fc.constantFrom('default', '0 3 * * *', 'UTC', '2026-01-02T03:04:05Z', '30s'));
  return fc.jsonValue();
}

function numbersOf({ minimum, maximum }: Schema): Arbitrary<unknown> {
  const min = typeof minimum === 'number' ? minimum : -1_000;
  const max = typeof maximum === 'number' ? maximum : 1_000;
  return fc.oneof(
    { arbitrary: fc.integer({ min, max }), weight: 4 },
    fc.constantFrom(min - 1, max + 1, 1.5, -0, 1e300),
  );
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null;
}
