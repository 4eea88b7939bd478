// Makes the OpenAPI 3.1 document from the table of operations, with the same schemas that validate requests.

import { type AnswerHeader, answerHeaders, usualHeaders } from '../contract/answer-headers.ts';
import { hookOperations } from '../contract/hook-operations.ts';
import { type Answer, type Operation, operations } from '../contract/operations.ts';
import { problemDocument } from '../contract/problem-document.ts';
import { apiBase } from '../contract/routes.ts';
import { tags } from '../contract/tags.ts';
import { type ProblemSlug, problems } from '../domain/problem.ts';
import { problemMediaType } from './answers/problem-answers.ts';
import { isShed } from './limits/shedding.ts';

type Json = Readonly<Record<string, unknown>>;

/** The problems with which any operation may answer. */
const everywhere: readonly ProblemSlug[] = [
  'malformed-request',
  'headers-too-large',
  'permission-denied',
  'rate-limited',
  'internal-error',
  'database-damaged',
  'not-ready',
];

/** The headers of a problem, besides those of every answer. */
const headersOfProblems: Readonly<Partial<Record<ProblemSlug, readonly AnswerHeader[]>>> = {
  unauthenticated: ['WWW-Authenticate'],
  'range-not-satisfiable': ['Content-Range', 'Accept-Ranges'],
  'idempotency-in-flight': ['Retry-After'],
  'rate-limited': ['Retry-After'],
  'queue-full': ['Retry-After'],
  overloaded: ['Retry-After'],
  'not-ready': ['Retry-After'],
};

const bearer: Json = {
  type: 'http',
  scheme: 'bearer',
  description: 'A token of this instance, or a JWT of its issuer. The server’s own user needs no token on loopback.',
};

export function createOpenApi(version: string): Json {
  const schemas = new Map<string, Json>();
  const refer = (schema: object): Json => hoist(schema, schemas);
  const { failureOf, all } = createFailures(refer(problemDocument));
  const paths: Record<string, Record<string, Json>> = {};
  const add = (path: string, method: string, described: Json): void => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: described };
  };
  for (const [id, operation] of Object.entries<Operation>(operations))
    add(apiBase + operation.path, operation.method, describe(id, operation, refer, failureOf));
  for (const [id, { proof, bodies, ...hook }] of Object.entries(hookOperations)) {
    const described = describe(id, { ...hook, scope: 'public' }, refer, failureOf);
    const description = `Needs ${proof}. The same address is also below \`${apiBase}\`.`;
    add(hook.path, hook.method, { ...described, description, requestBody: { content: contentOf(bodies, refer) } });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'flwd',
      version,
      description: 'Turns scripts into jobs: typed arguments, sandboxed runs, logs, results and artifacts.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries(schemas),
      responses: all(),
      headers: Object.fromEntries(
        Object.entries(answerHeaders).map(([name, { type, description }]) => [name, { description, schema: { type } }]),
      ),
      securitySchemes: { bearer },
    },
  };
}

function describe(
  id: string,
  operation: Operation,
  refer: (schema: object) => Json,
  failureOf: (slugs: readonly ProblemSlug[]) => Failure,
): Json {
  const { summary, tag, scope, body } = operation;
  return {
    operationId: id,
    summary,
    tags: [tag],
    // The scheme is not OAuth, so OpenAPI 3.1 reads these scopes as roles, which are allowed here.
    security: scope === 'public' ? [] : [{ bearer: [scope] }],
    description: demandOf(operation),
    parameters: [...pathParameters(operation), ...queryParameters(operation, refer), ...headerParameters(operation)],
    ...(body && { requestBody: { required: true, content: contentOf({ 'application/json': body }, refer) } }),
    responses: responsesOf(id, operation, refer, failureOf),
  };
}

function demandOf({ scope, isInstanceWide }: Operation): string {
  if (scope === 'public') return 'Needs no scope.';
  return `Needs the scope \`${scope}\`${isInstanceWide ? ' and the tenant `*`' : ''}.`;
}

function pathParameters({ path }: Operation): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...((name === 'job_id' || name === 'key') && {
      description: 'May contain slashes, sent as they are or as %2F.',
    }),
  }));
}

function queryParameters({ query }: Operation, refer: (schema: object) => Json): Json[] {
  const { properties = {} }: { properties?: Record<string, { description?: string }> } = query ?? {};
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = property;
    return { name, in: 'query', ...(description && { description }), schema: refer(schema) };
  });
}

function headerParameters({ headers = {} }: Operation): Json[] {
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
}

function contentOf(content: Answer['content'], refer: (schema: object) => Json): Json {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema: refer(schema) }]));
}

function headersOf(names: readonly AnswerHeader[]): Json {
  return Object.fromEntries(
    [...usualHeaders, ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}

function byKind(id: string, operation: Operation): ProblemSlug[] {
  const isOpen = operation.scope === 'public';
  return [
    ...(isOpen ? [] : (['unauthenticated'] as const)),
    ...(operation.query || operation.method !== 'GET' ? (['validation-error'] as const) : []),
    ...(operation.method === 'GET' ? [] : (['body-too-large', 'unsupported-media-type'] as const)),
    ...(isShed(id, operation) || operation.method !== 'GET' ? (['overloaded'] as const) : []),
  ];
}

type Response = { readonly description: string; readonly headers: Json; readonly content: Json };
type Failure = { readonly response: Response; readonly refer: () => Json };

function responsesOf(
  id: string,
  operation: Operation,
  refer: (schema: object) => Json,
  failureOf: (slugs: readonly ProblemSlug[]) => Failure,
): Json {
  const all: Record<string, Json> = {};
  const answers = new Map(
    operation.answers.map(({ status, description, content, headers = [] }) => [
      status,
      { description, headers: headersOf(headers), content: contentOf(content, refer) },
    ]),
  );
  for (const [status, answer] of answers) all[status] = answer;
  const slugs = new Set([...operation.problems, ...everywhere, ...byKind(id, operation)]);
  for (const [status, same] of Map.groupBy(slugs, (slug) => problems[slug].status)) {
    const { response, refer: referToIt } = failureOf(same);
    const answer = answers.get(status);
    all[status] = answer ? joined(answer, response) : referToIt();
  }
  return all;
}

/** Joins an answer of the operation and a problem that have the same status. */
function joined(answer: Response, failure: Response): Response {
  return {
    description: `${answer.description}. ${failure.description}`,
    headers: { ...answer.headers, ...failure.headers },
    content: { ...answer.content, ...failure.content },
  };
}

/** Most operations answer with the same problems, so each group of problems with one status is described once. */
function createFailures(problem: Json) {
  const inOrder = Object.keys(problems);
  const all = new Map<string, Response>();

  const failureOf = (slugs: readonly ProblemSlug[]): Failure => {
    const same = slugs.toSorted((a, b) => inOrder.indexOf(a) - inOrder.indexOf(b));
    const name = same.map(toName).join('Or');
    const response = {
      description: same.map((slug) => `\`${slug}\`: ${problems[slug].cause}`).join(' '),
      headers: headersOf(same.flatMap((slug) => headersOfProblems[slug] ?? [])),
      content: { [problemMediaType]: { schema: problem } },
    };
    const referToIt = (): Json => {
      all.set(name, response);
      return { $ref: `#/components/responses/${name}` };
    };
    return { response, refer: referToIt };
  };
  return { failureOf, all: () => Object.fromEntries(all) };
}

/** `run-not-found` → `RunNotFound`. */
function toName(slug: ProblemSlug): string {
  return slug.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Moves every schema with an `$id` to the components, and puts a reference in its place. */
function hoist(schema: object, components: Map<string, Json>): Json {
  const { $id, ...rest }: { $id?: unknown } = schema;
  const copy = withOpenMembers(
    Object.fromEntries(Object.entries(rest).map(([key, member]) => [key, hoistWithin(member, components)])),
  );
  if (typeof $id !== 'string') return copy;
  components.set($id, copy);
  return { $ref: `#/components/schemas/${$id}` };
}

/**
 * Rewrites a schema for generators of clients. They treat an object without `properties` and `additionalProperties` as
 * an empty object, and many do not know `patternProperties`. The schema still allows the same values.
 */
function withOpenMembers(schema: Json): Json {
  const { patternProperties, ...rest } = schema;
  const [[pattern, member] = [], ...others] = Object.entries(patternProperties ?? {});
  const isAnyName = pattern === '^.*$';
  if (pattern !== undefined && others.length === 0 && (isAnyName || schema.additionalProperties === false))
    return { ...rest, additionalProperties: member, ...(!isAnyName && { propertyNames: { pattern } }) };
  const isOpen = schema.type === 'object' && !schema.properties && !patternProperties;
  return isOpen ? { additionalProperties: true, ...schema } : schema;
}

function hoistWithin(value: unknown, components: Map<string, Json>): unknown {
  if (Array.isArray(value)) return value.map((item) => hoistWithin(item, components));
  return typeof value === 'object' && value !== null ? hoist(value, components) : value;
}
