// Which arguments are secrets, and what may be written in their place.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { isObject } from './subschemas.ts';

/** Names of the top-level arguments with `format: secret`, of an argspec that has passed. */
export function findSecretArgs(argspec: JsonObject): string[] {
  return Object.entries(isObject(argspec.properties) ? argspec.properties : {})
    .filter(([, schema]) => isObject(schema) && schema.format === 'secret')
    .map(([name]) => name);
}

/** `{secret: name}`: the value is kept by the server under that name. */
export function isStoredSecret(value: JsonValue): boolean {
  if (!isObject(value)) return false;
  const { secret, ...rest } = value;
  return (
    typeof secret === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(secret) && Object.keys(rest).length === 0
  );
}
