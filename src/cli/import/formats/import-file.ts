// Reads files that another scheduler wrote. Limits their size, their depth and the expansion of their aliases, because
// nobody knows where they come from.

import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { errorCode } from '../../../lib/error-code.ts';
import { formatDuration } from '../../../lib/units.ts';
import { findTooDeep, nestingLimit, tooDeep } from '../../../lib/yaml/yaml-nesting.ts';
import { documentWords } from '../../../lib/yaml/yaml-words.ts';
import { Refusal } from '../../exit-code.ts';
import { fileTrouble } from '../../file-trouble.ts';

/** The values that JSON has: no dates, no symbols, no cycles. */
export type Data = null | boolean | number | string | readonly Data[] | { readonly [key: string]: Data };
export type Members = { readonly [key: string]: Data };

const mostBytes = 16 * 2 ** 20;

/** @throws Refusal */
export function readText(path: string): string {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Refusal(`${path} is not a file`);
    if (stat.size > mostBytes) throw new Refusal(`${path} is larger than ${mostBytes / 2 ** 20} MiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const code = errorCode(error);
    if (error instanceof Refusal) throw error;
    if (code === 'ENOENT') throw new Refusal(`there is no file ${path}`);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw new Refusal(`${path} is not UTF-8 text`);
    throw new Refusal(`cannot read ${path}: ${fileTrouble(error)}`);
  }
}

/** The documents of a YAML file, which may also be JSON. `problem` names the file, the line and the column. */
export function readYaml(text: string, path: string): readonly Data[] | { readonly problem: string } {
  const name = basename(path);
  if (findTooDeep(text) !== undefined) return { problem: `${name} ${tooDeep}` };
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false, uniqueKeys: true, merge: true });
  if (!Array.isArray(documents)) return [];
  const data: Data[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error) {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      return { problem: `${name}:${line}:${col} is not valid YAML: ${documentWords(error, document, lineCounter)}` };
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      data.push(toData(value, 0));
    } catch {
      return { problem: `${name} has too many aliases, or an alias without an anchor` };
    }
  }
  return data;
}

/** undefined when it is not valid JSON, or nested too deep. */
export function readJson(text: string): Data | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return toData(value, 0);
  } catch {
    return undefined;
  }
}

function toData(value: unknown, depth: number): Data {
  if (depth > nestingLimit) throw new RangeError(tooDeep);
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((item) => toData(item, depth + 1));
  // YAML also has big integers.
  if (typeof value !== 'object') return typeof value === 'bigint' ? `${value}` : null;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toData(member, depth + 1)]));
}

export function membersOf(data: Data | undefined): Members {
  return isMembers(data) ? data : {};
}

export function isMembers(data: Data | undefined): data is Members {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

export function listOf(data: Data | undefined): readonly Data[] {
  return Array.isArray(data) ? data : [];
}

/** A number counts as a text too; everything else is undefined. */
export function textOf(data: Data | undefined): string | undefined {
  if (typeof data === 'number' || typeof data === 'boolean') return String(data);
  return typeof data === 'string' ? data : undefined;
}

/** Reads a count, also from a text with digits. undefined unless it is a whole number above zero. */
export function countOf(data: Data | undefined): number | undefined {
  const text = textOf(data)?.trim() ?? '';
  return /^\d{1,12}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

/** Writes a number of seconds as a duration for config.yaml. */
export function inSeconds(count: number): string {
  return formatDuration(count * 1_000);
}

/** Whether the value means yes, such as `true`, `"true"` or 1. */
export function isYes(data: Data | undefined): boolean {
  return ['true', '1', 'yes'].includes(textOf(data)?.toLowerCase() ?? '');
}
