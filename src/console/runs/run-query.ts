// Turns the filter that a user types, such as `job:backup status:failed since:2d`, into the API's query.

import type { QueryOf } from '../../contract/operations.ts';
import { listedStatuses, triggerTypes } from '../../domain/run.ts';
import { nearest } from '../../lib/nearest.ts';
import { parseDuration } from '../../lib/units.ts';

type RunQuery = Omit<QueryOf<'listRuns'>, 'limit' | 'offset' | 'cursor'>;

export type ReadQuery = { readonly query: RunQuery; readonly errors: readonly string[] };

/** `-label` excludes runs with the label. */
export const filterNames = [
  'job',
  'status',
  'label',
  '-label',
  'by',
  'trigger',
  'since',
  'until',
  'source',
  'tenant',
] as const;
export type FilterName = (typeof filterNames)[number];
const minuteMs = 60_000;

export function readRunQuery(text: string, nowMs: number): ReadQuery {
  const query: { -readonly [Name in keyof RunQuery]: RunQuery[Name] } = {};
  const errors: string[] = [];
  const free: string[] = [];
  const asked = new Set<string>();
  for (const word of wordsOf(text)) {
    const [, name = '', value = ''] = /^(-?[a-z]+):(.+)$/s.exec(word) ?? [];
    if (filterNames.some((one) => one === name)) {
      if (asked.has(name)) errors.push(`Use '${name}:' only once.`);
      asked.add(name);
    }
    switch (name) {
      case '':
        free.push(word);
        break;
      case 'job':
        if (value.endsWith('/')) query.prefix = value.slice(0, -1);
        else query.job_id = value;
        break;
      case 'by':
        query.created_by = value;
        break;
      case '-label':
        query.not_label = value;
        break;
      case 'trigger': {
        const trigger = triggerTypes.find((one) => one === value);
        if (trigger) query.trigger = trigger;
        else errors.push(unknown('trigger', value, triggerTypes));
        break;
      }
      case 'status': {
        const status = listedStatuses.find((one) => one === value);
        if (status) query.status = status;
        else errors.push(unknown('status', value, listedStatuses));
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
        // Ids and other words may contain a colon, so only a word that looks like a filter is an error.
        if (/^-?\w{2,10}:\w/.test(word) && !/\d/.test(name)) errors.push(unknown('filter', name, filterNames, ':'));
        else free.push(word);
    }
  }
  if (free.length > 0) query.q = free.join(' ');
  return { query, errors };
}

/** @param end a text that is shown after each word, and is ignored when words are compared */
function unknown(kind: string, word: string, known: readonly string[], end = ''): string {
  const near = nearest(word, known);
  const all = known.map((one) => `${one}${end}`);
  const ways = near === undefined ? `Use one of ${all.join(', ')}.` : `Did you mean '${near}${end}'?`;
  return `There is no ${kind} '${word}${end}'. ${ways}`;
}

/** Sets filters in the text, or removes those whose value is null. */
export function withFilters(text: string, filters: Partial<Record<FilterName, string | null>>): string {
  const set = Object.entries(filters);
  const others = wordsOf(text).filter((word) => !set.some(([name]) => word.startsWith(`${name}:`)));
  const added = set.flatMap(([name, value]) => (value === null ? [] : [`${name}:${value}`]));
  return toText([...added, ...others]);
}

export function toText(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

/** Spaces separate the words, except inside `"…"`. */
export function wordsOf(text: string): string[] {
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
