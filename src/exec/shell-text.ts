// Converts a JSON value to the text that a shell gets.

import type { JsonValue } from '../domain/job.ts';

/** A string stays as it is, null becomes the empty string, an object or array becomes JSON. */
export function toShellText(value: JsonValue): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
