// Walks through all schemas inside a JSON Schema 2020-12.

import type { JsonObject, JsonValue } from '../../domain/job.ts';

type Holder = 'schema' | 'list' | 'map';

/** The keywords whose schemas apply to the same value as the schema that contains them. */
const inPlaceHolders: readonly (readonly [Holder, readonly string[]])[] = [
  ['list', ['allOf', 'anyOf', 'oneOf']],
  ['schema', ['not', 'if', 'then', 'else']],
  ['map', ['dependentSchemas']],
];
const deeperHolders: readonly (readonly [Holder, readonly string[]])[] = [
  ['list', ['prefixItems']],
  ['map', ['properties', 'patternProperties', '$defs', 'definitions']],
  ['schema', ['items', 'contains', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems']],
  ['schema', ['propertyNames', 'contentSchema']],
];
const holders: ReadonlyMap<string, { readonly holds: Holder; readonly isInPlace: boolean }> = new Map(
  [inPlaceHolders, deeperHolders].flatMap((table) =>
    table.flatMap(([holds, keys]) => keys.map((key) => [key, { holds, isInPlace: table === inPlaceHolders }] as const)),
  ),
);

const annotations = ['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'deprecated'];
const assertions = [
  ['$ref', '$dynamicRef', '$anchor', '$dynamicAnchor', 'type', 'enum', 'const', 'format', 'pattern', 'required'],
  ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength'],
  ['minItems', 'maxItems', 'uniqueItems', 'minContains', 'maxContains', 'minProperties', 'maxProperties'],
  ['dependentRequired', 'contentEncoding', 'contentMediaType', 'readOnly', 'writeOnly'],
];
/** Every keyword that has a meaning in an argspec. */
export const keywords: ReadonlySet<string> = new Set([...holders.keys(), ...annotations, ...assertions.flat()]);

export type Subschema = {
  readonly schema: JsonObject;
  readonly path: readonly string[];
  /** Paths of schemas inside this one that apply to the same value. */
  readonly inPlace: readonly (readonly string[])[];
};

/** Whether a value is an object, and neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the schema takes properties also from other schemas. */
export function isComposed(schema: JsonObject): boolean {
  return ['$ref', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas'].some((key) => Object.hasOwn(schema, key));
}

/** Yields the schema itself and every schema inside it, except `true` and `false`. */
export function* subschemas(schema: JsonObject, path: readonly string[] = []): Generator<Subschema> {
  const children = [...childrenOf(schema)].map((child) => ({ ...child, path: [...path, ...child.step] }));
  yield { schema, path, inPlace: children.filter((child) => child.isInPlace).map((child) => child.path) };
  for (const child of children) yield* subschemas(child.schema, child.path);
}

type Child = { readonly schema: JsonObject; readonly step: readonly string[]; readonly isInPlace: boolean };

function* childrenOf(schema: JsonObject): Generator<Child> {
  for (const [key, { holds, isInPlace }] of holders) {
    if (!Object.hasOwn(schema, key)) continue;
    const held = schema[key];
    if (holds === 'schema') {
      if (isObject(held)) yield { schema: held, step: [key], isInPlace };
    } else if (typeof held === 'object' && held !== null) {
      for (const [name, inner] of Object.entries(held)) {
        if (isObject(inner)) yield { schema: inner, step: [key, name], isInPlace };
      }
    }
  }
}

/** Copies the schema with known keywords only. `change` gets each schema after the schemas inside it were changed. */
export function mapSubschemas(
  schema: JsonObject,
  path: readonly string[],
  change: (schema: JsonObject, path: readonly string[]) => JsonObject,
): JsonObject {
  const copy: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (!keywords.has(key)) continue;
    const inner = (held: JsonValue, ...step: readonly string[]): JsonValue =>
      isObject(held) ? mapSubschemas(held, [...path, key, ...step], change) : held;
    const holds = holders.get(key)?.holds;
    if (holds === 'schema') copy[key] = inner(value);
    else if (holds === 'list' && Array.isArray(value)) copy[key] = value.map((held, at) => inner(held, String(at)));
    else if (holds === 'map' && isObject(value)) {
      copy[key] = Object.fromEntries(Object.entries(value).map(([name, held]) => [name, inner(held, name)]));
    } else copy[key] = value;
  }
  return change(copy, path);
}

const addMembers = [
  'patternProperties',
  'additionalProperties',
  'unevaluatedProperties',
  '$ref',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
];

/** Whether the argspec allows no other arguments than its `properties`. */
export function namesAllArguments(argspec: JsonObject): boolean {
  return !addMembers.some((key) => Object.hasOwn(argspec, key));
}
