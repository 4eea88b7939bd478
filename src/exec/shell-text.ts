// A JSON value as a shell sees it.

import type { JsonValue } from '../domain/job.ts';

/** A string as it is, null as the empty string, an object or array as JSON. */
export function toShellText(value: JsonValue): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
