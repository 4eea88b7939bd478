// A line that is JSON with a level and a message: what most logging libraries print.

import type { LogLevel } from '../../domain/log-line.ts';
import { isTooDeep } from '../../lib/json-nesting.ts';

export type Structured = {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** The words and numbers (pino's, bunyan's) by which libraries call the levels. */
const levels: ReadonlyMap<unknown, LogLevel> = new Map<unknown, LogLevel>([
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['notice', 'info'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['err', 'error'],
  ['critical', 'fatal'],
  ['fatal', 'fatal'],
  ['panic', 'fatal'],
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
]);

/** Undefined when the line is not of this kind: it is then a plain line. */
export function parseStructured(line: string): Structured | undefined {
  const members = parseMembers(line);
  const level = members && levelIn(members);
  if (!level) return undefined;
  const { level: _word, ...others } = members;
  const key = typeof members.message === 'string' ? 'message' : 'msg';
  const { [key]: message, ...fields } = others;
  return { level, message: String(message), fields };
}

/** The level alone, for what is being written and shown later. */
export function structuredLevel(line: string): LogLevel | undefined {
  const members = parseMembers(line);
  return members && levelIn(members);
}

type Members = { readonly level?: unknown; readonly message?: unknown; readonly msg?: unknown };

/** `line` is in braces. One that is nested too deep to be shown as JSON is text. */
function parseMembers(line: string): Members | undefined {
  if (!line.includes('"level"') || isTooDeep(line)) return undefined;
  try {
    const members: Members = JSON.parse(line);
    return members;
  } catch {
    return undefined;
  }
}

function levelIn({ level, message, msg }: Members): LogLevel | undefined {
  if (typeof message !== 'string' && typeof msg !== 'string') return undefined;
  return levels.get(typeof level === 'string' ? level.toLowerCase() : level);
}
