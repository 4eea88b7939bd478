// Writes a job's arguments as bash declarations, which the prelude reads. Values are in single quotes, where no
// character has a meaning to bash. Names come from the argspec, which was checked when the job was read.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { toShellText } from '../shell-text.ts';

/**
 * Returns one declaration for each property of the schema, except secrets. Arguments that the schema does not name are
 * only in the file with all arguments. A missing argument is declared empty, because `set -u` would end the script
 * otherwise.
 */
export function bashDeclarations(args: JsonObject, argspec: JsonObject, secretArgs: readonly string[]): string {
  return Object.entries(asObject(argspec.properties))
    .filter(([name]) => !secretArgs.includes(name))
    .map(([name, schema]) => `${declare(name, args[name] ?? null, typesOf(schema))}\n`)
    .join('');
}

function declare(name: string, value: JsonValue, types: readonly unknown[]): string {
  const isOnly = (type: string): boolean => types.length === 1 && types[0] === type;
  if (Array.isArray(value) || (value === null && isOnly('array'))) {
    return `declare -a ${name}=(${(value ?? []).map((item) => quote(toShellText(item))).join(' ')})`;
  }
  if (typeof value === 'object' && (value !== null || isOnly('object'))) {
    const entries = Object.entries(value ?? {}).filter(([key]) => key !== '');
    return `declare -A ${name}=(${entries.map(([key, item]) => `[${quote(key)}]=${quote(toShellText(item))}`).join(' ')})`;
  }
  if (typeof value === 'number' && isBashInteger(value) && !types.includes('number'))
    return `declare -i ${name}=${value}`;
  return `${name}=${quote(toShellText(value))}`;
}

/** Bash integers have 64 bits. */
function isBashInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function typesOf(schema: JsonValue): readonly unknown[] {
  const { type } = asObject(schema);
  return [type].flat().filter((one) => typeof one === 'string' && one !== 'null');
}

function asObject(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
