// A job as a tool: its name, its description, and the schema of its arguments.

import type { Tool } from '@modelcontextprotocol/server';
import type { JsonObject } from '../domain/job.ts';
import { oneLine, plainText } from '../lib/plain-text.ts';
import { createSha256 } from '../lib/sha256.ts';
import { harmlessValue, marked } from './harmless.ts';
import type { Job, ToolJob } from './instance.ts';
import { runSchema } from './run-answer.ts';

/**
 * How long the name of a tool may be. Some clients put the server's name before it, and refuse all tools if the result
 * is longer than 60 characters.
 */
const mostNameChars = 40;
const mostDescriptionChars = 600;
const mostTitleChars = 100;
const hashChars = 8;

/**
 * Keywords that are removed from the root of a schema. Several clients refuse a tool that has one of them there, or
 * even refuse all tools.
 */
const combinators = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas', '$ref'];

type Schema = Readonly<Record<string, unknown>>;

/**
 * Makes the name of a tool: `job_` and the job's id. A hash follows if the id cannot be written in such a name, or if
 * another id could have the same name.
 */
export function toolName(jobId: string): string {
  const plain = `job_${jobId.replaceAll(/[^A-Za-z0-9-]/g, '_')}`;
  const isPlain = /^[A-Za-z0-9/-]+$/.test(jobId) && !/\/[0-9a-f]{8}$/.test(jobId);
  if (isPlain && plain.length <= mostNameChars) return plain;
  const hash = createSha256().update(jobId).digest('hex').slice(0, hashChars);
  return `${plain.slice(0, mostNameChars - hashChars - 1)}_${hash}`;
}

/**
 * Returns the job's id if the name contains it without a hash; otherwise undefined, and the job must be searched for.
 */
export function plainIdOf(name: string): string | undefined {
  const id = name.replace(/^job_/, '').replaceAll('_', '/');
  return toolName(id) === name ? id : undefined;
}

export function toTool(job: ToolJob): Tool {
  const { schema, hasMoreRules } = inputSchema(job.args);
  const about = [
    `Runs the job ${job.id} of flwd and waits for its end.`,
    ...(job.description ? ['Its author describes it as follows:', marked(job.description, mostDescriptionChars)] : []),
    ...(job.agents.approval ? ['A person must approve each run before it starts.'] : []),
    ...(hasMoreRules ? ['More rules apply to its arguments: jobs_plan checks them and starts nothing.'] : []),
  ];
  const title = oneLine(job.title ?? job.id, mostTitleChars);
  return {
    name: toolName(job.id),
    title,
    description: about.join('\n'),
    inputSchema: schema,
    outputSchema: runSchema,
    annotations: {
      title,
      readOnlyHint: job.agents.read_only,
      destructiveHint: !job.agents.read_only,
      idempotentHint: job.agents.idempotent,
      openWorldHint: true,
    },
    _meta: { 'flwd/job_id': job.id },
  };
}

function inputSchema(argspec: Schema): { readonly schema: Tool['inputSchema']; readonly hasMoreRules: boolean } {
  const { properties, required, ...others } = argspec;
  const kept = Object.entries(others).filter(([name]) => name !== 'type' && !combinators.includes(name));
  const entries = Object.entries(isObject(properties) ? properties : {}).flatMap(([name, schema]) =>
    // A secret with a default is left out: an agent cannot set it, and the run uses the stored secret that the author
    // chose.
    isObject(schema) && !(isSecret(schema) && 'default' in schema) ? [[name, agentSchema(schema)] as const] : [],
  );
  const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
  return {
    schema: {
      type: 'object',
      ...isObjectOr(harmlessValue(Object.fromEntries(kept))),
      properties: isObjectOr(Object.fromEntries(entries)),
      ...(names.length > 0 && { required: names }),
    },
    hasMoreRules: combinators.some((name) => name in argspec),
  };
}

/** A secret argument takes the name of a stored secret: an agent never has the secret itself. */
function agentSchema(schema: Schema): Schema {
  if (!isSecret(schema)) return isObjectOr(shortened(schema));
  const about = typeof schema.description === 'string' ? ` ${marked(schema.description, mostDescriptionChars)}` : '';
  return { type: 'string', description: `The name of a stored secret, never the secret itself.${about}` };
}

/**
 * Removes the keywords that only a form for people needs, and shortens all descriptions, also those of nested members.
 */
function shortened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shortened);
  if (!isObject(value)) return typeof value === 'string' ? plainText(value) : value;
  const members = Object.entries(value).map(([name, member]) => {
    const isText = name === 'description' || name === 'title';
    return [name, isText && typeof member === 'string' ? oneLine(member, mostDescriptionChars) : shortened(member)];
  });
  return Object.fromEntries(members);
}

/**
 * Builds the request. It names the source, so that the job that was checked cannot be replaced by one of another
 * source.
 */
export function toRunRequest(job: Job, given: Schema) {
  return { job_id: job.id, args: toArguments(job, given), source: { name: job.source } };
}

/** Returns the arguments as the API expects them, with `{secret: NAME}` for a secret. */
function toArguments({ args: { properties } }: Pick<Job, 'args'>, given: Schema): JsonObject {
  const schemas = isObject(properties) ? properties : {};
  const entries = Object.entries(given).map(([name, value]) => {
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    const isName = typeof value === 'string' && isObject(schema) && isSecret(schema);
    return [name, isName ? { secret: value } : value] as const;
  });
  const args: JsonObject = JSON.parse(JSON.stringify(Object.fromEntries(entries)));
  return args;
}

function isSecret({ format }: Schema): boolean {
  return format === 'secret';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isObjectOr(value: unknown): Record<string, never> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON Schema is any object of JSON
  return (isObject(value) ? value : {}) as Record<string, never>;
}
