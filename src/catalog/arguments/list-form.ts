// Translates the list form of an argspec, `args: [{name, type, required, …}]`, into the schema form, and traces errors
// in the translation back to the list.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { type MemberError, ruleError } from '../job/config-error.ts';
import { unknownMember } from './schema-errors.ts';
import { keywords } from './subschemas.ts';

const ownKeys = ['name', 'required'];
const itemKeys = [...ownKeys, ...[...keywords].filter((key) => !key.startsWith('$') && key !== 'required')];

export type Translation = {
  readonly argspec: JsonObject;
  readonly errors: readonly MemberError[];
  /** Maps a path in the argspec to the path in the list. */
  readonly originOf: (path: readonly string[]) => readonly string[];
};

export function translateListForm(list: readonly JsonObject[]): Translation {
  const errors: MemberError[] = [];
  const properties = new Map<string, JsonValue>();
  const required: string[] = [];
  const positions = new Map<string, string>();

  for (const [at, item] of list.entries()) {
    const { name, required: isRequired, ...schema } = item;
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
    originOf: ([head, name = '', ...rest]) => {
      const position = head === 'properties' ? positions.get(name) : undefined;
      if (position === undefined) return [];
      return rest.length === 0 ? [position, 'name'] : [position, ...rest];
    },
  };
}
