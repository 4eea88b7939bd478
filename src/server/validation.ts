// Checks a request's query and body against the operation's schemas, and names every fault at once. Bodies are taken as
// they are; a query parameter, which is a text, is first read as the number or boolean that its schema asks for.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Operation } from '../contract/operations.ts';
import { type Fault, Problem, validationError } from '../domain/problem.ts';
import { parseTimestampUs } from '../lib/clock.ts';
import { nearest } from '../lib/nearest.ts';
import type { Incoming } from './exchange.ts';

type Input = { readonly query: unknown; readonly body: unknown };

/** A hostile body could have a hundred thousand. */
const mostFaults = 200;

const ajv = new Ajv2020({ allErrors: true, verbose: true, strictTypes: false });
ajv.addFormat('date-time', (text) => parseTimestampUs(text) !== undefined);

/** @returns reads the input of a request to the operation; throws the Problem validation-error or malformed-request */
export function createInputReader(operation: Operation): (request: Incoming) => Input {
  const { query: querySchema, body: bodySchema, method } = operation;
  if (!querySchema && !bodySchema && method === 'GET') return () => ({ query: undefined, body: undefined });
  let checkQuery: ValidateFunction | undefined;
  let checkBody: ValidateFunction | undefined;

  return (request) => {
    const faults: Fault[] = [];
    let query: unknown;
    if (querySchema) {
      assertDecodes(request.raw.url ?? '');
      checkQuery ??= ajv.compile(querySchema);
      const { values, repeated } = readQuery(request.query, propertiesOf(querySchema));
      query = values;
      faults.push(...repeated);
      if (!checkQuery(values)) faults.push(...toFaults(checkQuery, (path) => `?${path.slice(1)}`));
    }
    if (bodySchema) {
      if (request.body === undefined)
        throw new Problem('malformed-request', 'The request has no body; it must be JSON.');
      checkBody ??= ajv.compile(bodySchema);
      if (!checkBody(request.body)) faults.push(...toFaults(checkBody, (path) => path));
    } else {
      faults.push(...unexpectedBody(request.body));
    }
    if (faults.length > 0) throw validationError(faults.slice(0, mostFaults).toSorted(byPointer));
    return { query, body: request.body };
  };
}

type Property = { readonly type?: string };

function propertiesOf(schema: {
  readonly properties?: Readonly<Record<string, Property>>;
}): Readonly<Record<string, Property>> {
  return schema.properties ?? {};
}

function assertDecodes(url: string): void {
  const at = url.indexOf('?');
  if (at < 0 || !url.includes('%', at)) return;
  try {
    decodeURIComponent(url.slice(at));
  } catch {
    throw new Problem('malformed-request', 'The query is not well-formed percent-encoded UTF-8.');
  }
}

function readQuery(
  given: Readonly<Record<string, string | readonly string[]>>,
  properties: Readonly<Record<string, Property>>,
): { values: Record<string, unknown>; repeated: Fault[] } {
  const values = new Map<string, unknown>();
  const repeated: Fault[] = [];
  for (const [name, text] of Object.entries(given)) {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
    if (typeof text === 'string') values.set(name, readValue(text, type));
    else repeated.push({ pointer: `?${name}`, message: 'is given more than once', keyword: 'repeated' });
  }
  return { values: Object.fromEntries(values), repeated };
}

function readValue(text: string, type: string | undefined): string | number | boolean {
  if (type === 'integer' && /^-?\d{1,16}(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** An operation without a body takes none, or `{}`, which some clients send for politeness. */
function unexpectedBody(body: unknown): Fault[] {
  if (body === undefined) return [];
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return [{ pointer: '', message: 'must be an object', keyword: 'type' }];
  }
  return Object.keys(body).map((name) => ({
    pointer: `/${toToken(name)}`,
    message: 'is not a known member',
    keyword: 'additionalProperties',
  }));
}

function toFaults(check: ValidateFunction, toPointer: (path: string) => string): Fault[] {
  return (check.errors ?? []).map((error) => {
    const member: unknown = error.params.missingProperty ?? error.params.additionalProperty;
    const path = typeof member === 'string' ? `${error.instancePath}/${toToken(member)}` : error.instancePath;
    return { pointer: toPointer(path), message: messageOf(error), keyword: error.keyword };
  });
}

function messageOf(error: ErrorObject): string {
  const { keyword, params, parentSchema = {} } = error;
  if (keyword === 'required') return 'is required';
  if (keyword === 'enum') {
    const allowed: readonly unknown[] = params.allowedValues;
    return `must be one of ${allowed.join(', ')}`;
  }
  if (keyword === 'additionalProperties') {
    const patterns = Object.keys(parentSchema.patternProperties ?? {});
    if (patterns.length > 0) return `has a name that does not match ${patterns.join(' or ')}`;
    const meant = nearest(String(params.additionalProperty), Object.keys(parentSchema.properties ?? {}));
    return `is not known${meant ? `; did you mean \`${meant}\`?` : ''}`;
  }
  return error.message ?? `breaks ${keyword}`;
}

function byPointer(a: Fault, b: Fault): number {
  return a.pointer < b.pointer ? -1 : a.pointer > b.pointer ? 1 : 0;
}

/** RFC 6901. */
function toToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
