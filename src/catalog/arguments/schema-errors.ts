// Turns the errors of a JSON Schema check into readable errors: at the member itself, in words, with the nearest known
// name.

import type { ErrorObject } from 'ajv/dist/2020.js';
import { nearest } from '../../lib/nearest.ts';
import { notTimezone } from '../../lib/timezone.ts';
import { nearestSize } from '../../lib/units.ts';
import { errorLimit, type MemberError } from '../job/config-error.ts';
import type { Spot } from '../job/config-text.ts';

export function toMemberErrors(
  errors: readonly ErrorObject[],
  noun: (path: readonly string[]) => string,
): MemberError[] {
  const found = new Map<string, MemberError>();
  for (const error of errors) {
    const failure = toMemberError(error, noun, true);
    if (failure) found.set(`${failure.path.join('\0')}\n${failure.message}`, failure);
    if (found.size === errorLimit) break;
  }
  return [...found.values()];
}

/**
 * Turns an error of Ajv into the error of a member. Returns undefined for errors that only repeat a better error: those
 * of the keyword `if`, and those inside `propertyNames`. The schema may improve the message: `says` describes the value
 * it wants, and `hints` explains unknown members. `noun` names the kind of member. `isYaml` is for values that an
 * author wrote.
 */
export function toMemberError(
  error: ErrorObject,
  noun: (path: readonly string[]) => string,
  isYaml = false,
): MemberError | undefined {
  if (error.keyword === 'if' || (error.propertyName !== undefined && error.keyword !== 'propertyNames'))
    return undefined;
  const { member, spot } = whereIs(error);
  const path = [...splitPointer(error.instancePath), ...(member === undefined ? [] : [member])];
  return { path, spot, keyword: error.keyword, message: messageOf(error, path, noun(path), isYaml) };
}

export function splitPointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function toPointer(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function whereIs({ keyword, params }: ErrorObject): { member?: string; spot: Spot } {
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return { member: params.missingProperty, spot: 'missing' };
    case 'additionalProperties':
      return { member: params.additionalProperty, spot: 'key' };
    case 'unevaluatedProperties':
      return { member: params.unevaluatedProperty, spot: 'key' };
    case 'propertyNames':
      return { member: params.propertyName, spot: 'key' };
    default:
      return { spot: 'value' };
  }
}

function messageOf(
  { keyword, params, parentSchema, data, message }: ErrorObject,
  path: readonly string[],
  noun: string,
  isYaml: boolean,
) {
  const said = parentSchema?.says;
  const member = path.at(-1) ?? '';
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return `\`${member}\` is missing`;
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return unknownMember(noun, member, Object.keys(parentSchema?.properties ?? {}), parentSchema?.hints?.[member]);
    case 'propertyNames':
      return `\`${shorten(member)}\` is not an allowed name here`;
    case 'type': {
      const wanted =
        typeof said === 'string'
          ? said
          : [params.type]
              .flat()
              .map((type) => (isYaml && type === 'object' ? 'a map of keys' : kindOf(type)))
              .join(' or ');
      return `must be ${wanted}${hint(wanted, data, isYaml)}`;
    }
    case 'format':
    case 'pattern':
      if (typeof said === 'string') return `must be ${said}${formatHint(params.format, data)}`;
      return keyword === 'format'
        ? `must be a valid ${params.format}`
        : `must match the pattern ${JSON.stringify(params.pattern)}`;
    default:
      return messages[keyword]?.(params) ?? message ?? `breaks the rule ${keyword}`;
  }
}

/** The messages, by keyword, for errors that their parameters fully describe. */
export const messages: Readonly<Record<string, (params: ErrorObject['params']) => string>> = {
  enum: ({ allowedValues }) => `must be one of ${listOf(allowedValues)}`,
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
  minimum: ({ limit }) => `must be at least ${limit}`,
  maximum: ({ limit }) => `must be at most ${limit}`,
  exclusiveMinimum: ({ limit }) => `must be more than ${limit}`,
  exclusiveMaximum: ({ limit }) => `must be less than ${limit}`,
  multipleOf: ({ multipleOf }) => `must be a multiple of ${multipleOf}`,
  minLength: ({ limit }) => `must have at least ${count(limit, 'character')}`,
  maxLength: ({ limit }) => `must have at most ${count(limit, 'character')}`,
  minItems: ({ limit }) => `must have at least ${count(limit, 'item')}`,
  maxItems: ({ limit }) => `must have at most ${count(limit, 'item')}`,
  minProperties: ({ limit }) => `must have at least ${count(limit, 'member')}`,
  maxProperties: ({ limit }) => `must have at most ${count(limit, 'member')}`,
  uniqueItems: () => 'must not contain the same item twice',
  anyOf: () => 'must have one of the forms allowed here',
  oneOf: () => 'must have exactly one of the forms allowed here',
  not: () => 'must not have this form',
  'false schema': () => 'is not allowed here',
};

/** The most names that a message lists. A longer list does not help. */
const mostNamed = 12;

/**
 * Builds a message such as "unknown key `timeut`: did you mean `timeout`?". If no known name is similar, the message
 * lists all known names, unless there are too many. `hint` explains a name that other tools use and that resembles no
 * name here.
 */
export function unknownMember(noun: string, name: string, known: readonly string[], hint?: unknown): string {
  if (typeof hint === 'string') return `unknown ${noun} \`${shorten(name)}\`: ${hint}`;
  const near = nearest(name, known);
  return `unknown ${noun} \`${shorten(name)}\`${near === undefined ? namesOf(known) : `: did you mean \`${near}\`?`}`;
}

function namesOf(known: readonly string[]): string {
  if (known.length === 0 || known.length > mostNamed) return '';
  const names = known.map((name) => `\`${shorten(name)}\``);
  return names.length === 1 ? `: only ${names[0]} is known here` : `: known here are ${names.join(', ')}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

export function kindOf(type: string): string {
  return kinds[type] ?? type;
}

/** YAML reads `1.10` as a number and `no` as a string, so the hint says how to write the intended value. */
function hint(wanted: string, data: unknown, isYaml: boolean): string {
  const isTextWanted = wanted.includes('a string');
  if (isTextWanted && (typeof data === 'number' || typeof data === 'boolean'))
    return isYaml ? ': put it in quotes' : `, not a ${typeof data}`;
  if (!isTextWanted && typeof data === 'string') return ', not a string';
  return '';
}

function formatHint(format: unknown, data: unknown): string {
  if (format === 'timezone') return notTimezone(String(data));
  if (format !== 'size') return '';
  const near = nearestSize(String(data));
  return near === undefined ? '' : `: did you mean \`${near}\`?`;
}

function listOf(values: readonly unknown[]): string {
  const shown = values.slice(0, 20).map((value) => JSON.stringify(value));
  return shown.join(', ') + (values.length > shown.length ? ` and ${values.length - shown.length} more` : '');
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

function shorten(name: string): string {
  return name.length > 64 ? `${name.slice(0, 63)}…` : name;
}
