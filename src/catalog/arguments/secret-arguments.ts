// Finds the arguments that are secrets, and reads what callers pass in their place.

import { isSecretName } from '../../domain/access/secret-name.ts';
import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { isObject } from './subschemas.ts';

/** The top-level arguments with `format: secret`. The argspec must have been checked. */
export function findSecretArgs(argspec: JsonObject): string[] {
  return Object.entries(isObject(argspec.properties) ? argspec.properties : {})
    .filter(([, schema]) => isObject(schema) && schema.format === 'secret')
    .map(([name]) => name);
}

export function isStoredSecret(value: JsonValue): boolean {
  return storedSecretIn(value) !== undefined;
}

/** `{secret: name}` means that the server keeps the value under that name. */
export function storedSecretIn(value: JsonValue): string | undefined {
  if (!isObject(value)) return undefined;
  const { secret, ...rest } = value;
  const isName = typeof secret === 'string' && isSecretName(secret) && Object.keys(rest).length === 0;
  return isName ? secret : undefined;
}
