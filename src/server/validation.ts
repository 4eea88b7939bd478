// Checks the query and the body of a request against the schemas of the operation, and reports all errors at once.
// Query parameters are strings, so they are first converted to the number or boolean that the schema expects.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { kindOf, messages } from '../catalog/arguments/schema-errors.ts';
import type { Operation } from '../contract/operations.ts';
import { createErrorList, type ErrorList } from '../domain/error-list.ts';
import type { Reach } from '../domain/principal.ts';
import { Problem, validationError } from '../domain/problem.ts';
import { boundErrors, errorCountOf } from '../lib/bounded-errors.ts';
import { parseTimestampUs } from '../lib/clock.ts';
import { nearest } from '../lib/nearest.ts';
import type { Incoming } from './exchange.ts';

/** The longest name of a member that an error repeats. */
const longestName = 1024;

type Input = { readonly query: unknown; readonly body: unknown };

// These schemas are part of flwd, so they are not validated. Validating them would take longer than compiling the
// schemas that a request needs.
const ajv = new Ajv2020({
  allErrors: true,
  verbose: true,
  strictTypes: false,
  meta: false,
  validateSchema: false,
  code: { process: boundErrors },
});
ajv.addFormat('date-time', (text) => parseTimestampUs(text) !== undefined);

/** Adds errors that a schema cannot express. Called only for a body that is already known to be invalid. */
export type AddBodyErrors = (body: unknown, errors: ErrorList, reach: Reach) => void;

/**
 * `addBodyErrors` adds errors that a schema cannot express, for a body that is already known to be invalid.
 * @returns a function that reads the input of a request, or throws the Problem validation-error or malformed-request
 */
export function createInputReader(operation: Operation, addBodyErrors?: AddBodyErrors): (request: Incoming) => Input {
  const { query: querySchema, body: bodySchema, method } = operation;
  if (!querySchema && !bodySchema && method === 'GET') return () => ({ query: undefined, body: undefined });
  let checkQuery: ValidateFunction | undefined;
  let checkBody: ValidateFunction | undefined;

  return (request) => {
    // The list is created only with the first error. Creating it takes 4 µs, which is as much as all other work here
    // for a query without errors.
    let errors: ErrorList | undefined;
    const list = (): ErrorList => (errors ??= createErrorList());
    let query: unknown;
    if (querySchema) {
      assertDecodes(request.raw.url ?? '');
      checkQuery ??= ajv.compile(querySchema);
      query = readQuery(request.query, propertiesOf(querySchema), list);
      if (!checkQuery(query)) addErrors(list(), checkQuery, (path) => `?${path.slice(1)}`);
    }
    if (bodySchema) {
      if (request.body === undefined)
        throw new Problem('malformed-request', 'The request has no body; send a JSON body.');
      checkBody ??= ajv.compile(bodySchema);
      if (!checkBody(request.body)) addErrors(list(), checkBody, (path) => path);
    } else if (request.body !== undefined) {
      addUnexpectedBody(request.body, list());
    }
    if (errors && errors.size > 0) {
      addBodyErrors?.(request.body, errors, request.principal);
      throw validationError(errors.errors(), errors.size);
    }
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
  errors: () => ErrorList,
): Record<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, text] of Object.entries(given)) {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
    if (typeof text === 'string') values.set(name, readValue(text, type));
    else errors().add({ pointer: `?${name}`, message: 'is given more than once', keyword: 'repeated' });
  }
  return Object.fromEntries(values);
}

function readValue(text: string, type: string | undefined): string | number | boolean {
  if (type === 'integer' && /^-?\d{1,16}(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** An operation without a body also accepts `{}`, which some clients always send. */
function addUnexpectedBody(body: unknown, errors: ErrorList): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    errors.add({ pointer: '', message: 'must be an object', keyword: 'type' });
    return;
  }
  const names = Object.keys(body);
  for (const [at, name] of names.entries()) {
    if (errors.isFull) {
      errors.addUnnamed(names.length - at);
      return;
    }
    errors.add({ pointer: `/${toToken(name)}`, message: 'is not a known member', keyword: 'additionalProperties' });
  }
}

function addErrors(found: ErrorList, check: ValidateFunction, toPointer: (path: string) => string): void {
  const errors = check.errors ?? [];
  for (const [at, error] of errors.entries()) {
    if (found.isFull) {
      found.addUnnamed(errorCountOf(check) - at);
      return;
    }
    const member: unknown = error.params.missingProperty ?? error.params.additionalProperty;
    const isNamed = typeof member === 'string' && member.length <= longestName;
    const path = isNamed ? `${error.instancePath}/${toToken(member)}` : error.instancePath;
    const who = typeof member === 'string' && !isNamed ? `has a member whose name of ${member.length} characters ` : '';
    found.add({ pointer: toPointer(path), message: `${who}${messageOf(error)}`, keyword: error.keyword });
  }
  found.addUnnamed(errorCountOf(check) - errors.length);
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
  if (keyword === 'format') return 'must be a time with an offset such as `2026-12-01T09:00:00+01:00`';
  if (keyword === 'type') return `must be ${[params.type].flat().map(kindOf).join(' or ')}${boundsOf(parentSchema)}`;
  if (keyword === 'minimum' || keyword === 'maximum')
    return `must be ${kindOf(parentSchema.type)}${boundsOf(parentSchema)}`;
  return messages[keyword]?.(params) ?? error.message ?? `breaks ${keyword}`;
}

/** " from 1 to 500"; empty for a schema without bounds. */
function boundsOf({ minimum, maximum }: Readonly<Record<string, unknown>>): string {
  if (typeof minimum !== 'number') return typeof maximum === 'number' ? ` of at most ${maximum}` : '';
  return typeof maximum === 'number' ? ` from ${minimum} to ${maximum}` : ` of at least ${minimum}`;
}

/** RFC 6901. */
function toToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
