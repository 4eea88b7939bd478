// Reads the result of a script, which is JSON in FLWD_RESULT_FILE.

import { join } from 'node:path';
import type { JsonValue } from '../../domain/job.ts';
import { readUntrustedFile } from './untrusted-file.ts';

export type ResultReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly value: JsonValue }
  | { readonly kind: 'invalid'; readonly message: string };

const maxSizeBytes = 1024 * 1024;
const maxDepth = 64;

/** Throws only if the host fails. A message never quotes the file, because the file may contain a secret. */
export function readResult(outDir: string): ResultReading {
  const file = readUntrustedFile(join(outDir, 'result.json'), maxSizeBytes);
  if (file.kind === 'none') return file;
  if (file.kind === 'refused') return invalid(file.why);
  if (file.bytes.length === 0) return invalid('is empty; write JSON, or do not create it');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
  } catch {
    return invalid('is not UTF-8');
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid('is not JSON; a text needs double quotes');
  }
  const error = errorIn(value, maxDepth);
  return error ? invalid(error) : { kind: 'value', value };
}

function invalid(why: string): ResultReading {
  return { kind: 'invalid', message: `FLWD_RESULT_FILE ${why}` };
}

function errorIn(value: JsonValue, depthLeft: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'contains a number that is out of range';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depthLeft === 0) return `is nested deeper than ${maxDepth} levels`;
  for (const member of Object.values(value)) {
    const error = errorIn(member, depthLeft - 1);
    if (error) return error;
  }
  return undefined;
}
