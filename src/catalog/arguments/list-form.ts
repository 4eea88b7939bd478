// Translates the list form of an argspec, `args: [{name, type, required, …}]`, into the schema form, and traces errors
// in the translation back to the list.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { type MemberError, ruleError } from '../job/config-error.ts';
import { unknownMember } from './schema-errors.ts';
import { keywords } from './subschemas.ts';

const ownKeys = ['name', 'required'];
const shortTypes: ReadonlyMap<JsonValue, string> = new Map([
  ['bool', 'boolean'],
  ['int', 'integer'],
]);
const itemKeys = [...ownKeys, ...[...keywords].filter((key) => !key.startsWith('$') && key !== 'required')];

/**
 * Replaces the short keys with keywords of JSON Schema. A short key of the wrong type stays as it is, and is then
 * refused as an unknown key.
 */
function inFull(item: JsonObject): JsonObject {
  const { secret, choices, items_type, items_enum, value_type, ...schema } = item;
  const left: JsonObject = {};
  if (schema.type !== undefined) schema.type = typeInFull(schema.type);
  if (secret === true) schema.format = 'secret';
  else if (secret !== undefined && secret !== false) left.secret = secret;
  if (Array.isArray(choices)) schema.enum = choices;
  else if (choices !== undefined) left.choices = choices;
  if (items_type !== undefined || items_enum !== undefined)
    schema.items = {
      ...(items_type !== undefined && { type: typeInFull(items_type) }),
      ...(items_enum !== undefined && { enum: items_enum }),
    };
  if (value_type !== undefined) schema.additionalProperties = { type: typeInFull(value_type) };
  return { ...schema, ...left };
}

function typeInFull(type: JsonValue): JsonValue {
  return shortTypes.get(type) ?? type;
}

export function translateListForm(list: readonly JsonObject[]) {
  const errors: MemberError[] = [];
  const properties = new Map<string, JsonValue>();
  const required: string[] = [];
  const positions = new Map<string, string>();

  for (const [at, item] of list.entries()) {
    const { name, required: isRequired, ...rest } = item;
    const schema = inFull(rest);
    const position = String(at);
    if (typeof name !== 'string' || name === '') {
      errors.push(ruleError([position, 'name'], 'each argument needs a `name`', 'name' in item ? 'value' : 'missing'));
      continue;
    }
    if (positions.has(name)) errors.push(ruleError([position, 'name'], `\`${name}\` is listed twice`));
    if (isRequired !== undefined && typeof isRequired !== 'boolean') {
      errors.push(ruleError([position, 'required'], 'must be true or false'));
    }
    for (const key of Object.keys(schema).filter((key) => !itemKeys.includes(key))) {
      errors.push(ruleError([position, key], unknownMember('key', key, itemKeys), 'key'));
    }
    const isTyped = ['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf'].some((key) => Object.hasOwn(schema, key));
    properties.set(name, isTyped ? schema : { type: 'string', ...schema });
    positions.set(name, position);
    if (isRequired === true) required.push(name);
  }

  const argspec: JsonObject = { type: 'object', properties: Object.fromEntries(properties) };
  if (required.length > 0) argspec.required = required;
  return {
    argspec,
    errors,
    /** Maps a path in the argspec to the path in the list. */
    originOf: ([head, name = '', ...rest]: readonly string[]): readonly string[] => {
      const position = head === 'properties' ? positions.get(name) : undefined;
      if (position === undefined) return [];
      return rest.length === 0 ? [position, 'name'] : [position, ...rest];
    },
  };
}
