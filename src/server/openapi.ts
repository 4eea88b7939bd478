// Makes the OpenAPI 3.1 document from the table of operations, with the same schemas that validate requests.

import { type Answer, type Operation, operations } from '../contract/operations.ts';
import { problemDocument } from '../contract/problem-document.ts';
import { apiBase } from '../contract/routes.ts';
import { tags } from '../contract/tags.ts';
import { type ProblemSlug, problems } from '../domain/problem.ts';
import { problemMediaType } from './answers/problem-answers.ts';
import { isShed } from './limits/shedding.ts';

type Json = Readonly<Record<string, unknown>>;

/** The problems that every operation may answer. */
const everywhere: readonly ProblemSlug[] = [
  'malformed-request',
  'headers-too-large',
  'permission-denied',
  'rate-limited',
  'internal-error',
  'database-damaged',
  'not-ready',
];

const bearer: Json = {
  type: 'http',
  scheme: 'bearer',
  description: 'A token of this instance, or a JWT of its issuer. The server’s own user needs no token on loopback.',
};

export function createOpenApi(version: string): Json {
  const components = new Map<string, Json>();
  const refer = (schema: object): Json => hoist(schema, components);
  const problem = refer(problemDocument);
  const paths: Record<string, Record<string, Json>> = {};
  for (const [id, operation] of Object.entries<Operation>(operations)) {
    const path = apiBase + operation.path;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(id, operation, refer, problem) };
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
    components: { schemas: Object.fromEntries(components), securitySchemes: { bearer } },
  };
}

function describe(id: string, operation: Operation, refer: (schema: object) => Json, problem: Json): Json {
  const { summary, tag, scope, body } = operation;
  return {
    operationId: id,
    summary,
    tags: [tag],
    // The scheme is not OAuth, so these count as roles, which OpenAPI 3.1 allows here.
    security: scope === 'public' ? [] : [{ bearer: [scope] }],
    description: demandOf(operation),
    parameters: [...pathParameters(operation), ...queryParameters(operation, refer), ...headerParameters(operation)],
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: refer(body) } } } }),
    responses: merge(responses(operation.answers, refer), problemResponses(id, operation, problem)),
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
      description: 'Matches the rest of the path. A slash may be sent as it is or as %2F.',
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

function responses(answers: readonly Answer[], refer: (schema: object) => Json): Responses {
  return Object.fromEntries(
    answers.map(({ status, description, content }) => [
      String(status),
      {
        description,
        content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema: refer(schema) }])),
      },
    ]),
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

type Responses = Record<string, { readonly description: string; readonly content: Json }>;

/** The same status may belong to an answer of the operation and to a problem. */
function merge(answers: Responses, failures: Responses): Responses {
  const both = { ...answers, ...failures };
  for (const [status, failure] of Object.entries(failures)) {
    const answer = answers[status];
    if (!answer) continue;
    const description = `${answer.description}. ${failure.description}`;
    both[status] = { description, content: { ...answer.content, ...failure.content } };
  }
  return both;
}

function problemResponses(id: string, operation: Operation, problem: Json): Responses {
  const { problems: slugs } = operation;
  const byStatus = new Map<number, ProblemSlug[]>();
  for (const slug of new Set([...slugs, ...everywhere, ...byKind(id, operation)])) {
    const { status } = problems[slug];
    byStatus.set(status, [...(byStatus.get(status) ?? []), slug]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      String(status),
      {
        description: same.map((slug) => `\`${slug}\`: ${problems[slug].cause}`).join(' '),
        content: { [problemMediaType]: { schema: problem } },
      },
    ]),
  );
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
 * Generators of clients take an object without `properties` and `additionalProperties` for an empty one, and many do
 * not know `patternProperties`. What the schema allows stays the same.
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
