// Structured lines. Such a line is JSON with a level and a message, as most logging libraries print it.

import type { LogLevel } from '../../domain/log-line.ts';
import { isTooDeep } from '../../lib/json-nesting.ts';

export type Structured = {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** The names of levels in common logging libraries, and the numbers that pino and bunyan use. */
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

/** Parses a structured line. Returns undefined if the line is plain text. */
export function parseStructured(line: string): Structured | undefined {
  const members = parseMembers(line);
  const level = members && levelIn(members);
  if (!level) return undefined;
  const { level: _word, ...others } = members;
  const key = typeof members.message === 'string' ? 'message' : 'msg';
  const { [key]: message, ...fields } = others;
  return { level, message: String(message), fields };
}

/** Reads only the level, which is all that the writer of a log needs. */
export function structuredLevel(line: string): LogLevel | undefined {
  const members = parseMembers(line);
  return members && levelIn(members);
}

type Members = { readonly level?: unknown; readonly message?: unknown; readonly msg?: unknown };

/** Parses a line that begins and ends with a brace. JSON that is nested too deeply to be shown counts as text. */
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
