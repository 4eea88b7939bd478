// Turns the filter that a user types, such as `job:backup status:failed since:2d`, into the API's query.

import type { QueryOf } from '../../contract/operations.ts';
import { listedStatuses } from '../../domain/run.ts';
import { parseDuration } from '../../lib/units.ts';

type RunQuery = Omit<QueryOf<'listRuns'>, 'limit' | 'offset' | 'cursor'>;

export type ReadQuery = { readonly query: RunQuery; readonly errors: readonly string[] };

const names = ['job', 'status', 'tenant', 'label', 'source', 'since', 'until'] as const;
const minuteMs = 60_000;

export function readRunQuery(text: string, nowMs: number): ReadQuery {
  const query: { -readonly [Name in keyof RunQuery]: RunQuery[Name] } = {};
  const errors: string[] = [];
  const free: string[] = [];
  const asked = new Set<string>();
  for (const word of wordsOf(text)) {
    const [, name = '', value = ''] = /^([a-z]+):(.+)$/s.exec(word) ?? [];
    if (names.some((one) => one === name)) {
      if (asked.has(name)) errors.push(`Use '${name}:' only once.`);
      asked.add(name);
    }
    switch (name) {
      case '':
        free.push(word);
        break;
      case 'job':
        query.job_id = value;
        break;
      case 'status': {
        const status = listedStatuses.find((one) => one === value);
        if (status) query.status = status;
        else errors.push(`There is no status '${value}'. Use one of ${listedStatuses.join(', ')}.`);
        break;
      }
      case 'tenant':
      case 'label':
      case 'source':
        query[name] = value;
        break;
      case 'since':
      case 'until': {
        const instant = toInstant(value, nowMs);
        if (instant === undefined)
          errors.push(`'${value}' is not a time. Write 2d, 90m, 2026-11-26 or 2026-11-26T10:00.`);
        else query[name] = instant;
        break;
      }
      default:
        // Ids and other words may contain a colon.
        if (/^\w{2,10}:\w/.test(word) && !/\d/.test(name))
          errors.push(`There is no filter '${name}:'. Use one of ${names.join(', ')}.`);
        else free.push(word);
    }
  }
  if (free.length > 0) query.q = free.join(' ');
  return { query, errors };
}

/** Sets a filter in the text, or removes it if the value is null. */
export function withFilter(text: string, name: (typeof names)[number], value: string | null): string {
  const others = wordsOf(text).filter((word) => !word.startsWith(`${name}:`));
  return [...(value === null ? [] : [`${name}:${value}`]), ...others].map(quoted).join(' ');
}

/** Spaces separate the words, except inside `"…"`. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"]+|"[^"]*"?)+/g)]
    .map(([word]) => word.replaceAll('"', ''))
    .filter((word) => word !== '');
}

function quoted(word: string): string {
  return /\s/.test(word) ? `"${word}"` : word;
}

function toInstant(value: string, nowMs: number): string | undefined {
  const ago = parseDuration(value);
  // Rounded to the minute, so that the query stays the same while the list grows.
  if (ago !== undefined) return new Date(Math.floor((nowMs - ago) / minuteMs) * minuteMs).toISOString();
  if (!/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00` : value);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
