// The server's own log, written with pino: JSON lines, or text for people.

import { openSync, writeSync } from 'node:fs';
import { type Logger as PinoLogger, pino } from 'pino';
import { errorCode } from './error-code.ts';
import { StartError } from './start-error.ts';

export type Logger = PinoLogger;
/** The part of a logger for code that only writes to the log. */
export type LogLines = Pick<Logger, 'info' | 'warn' | 'error'>;
export type LogFormat = 'text' | 'json';

/** @throws StartError if the file cannot be opened */
export function createLogger(options: {
  readonly level: string;
  readonly format: LogFormat;
  /** `stderr` (the default), `stdout`, or a file. */
  readonly output?: string;
  /** Members that are added to every line. */
  readonly fields?: Readonly<Record<string, string>>;
  /** In the text format, an error for which this is true is logged without its stack. */
  readonly isBrief?: (error: unknown) => boolean;
}): Logger {
  const { level, format, output = 'stderr', fields = {}, isBrief = () => false } = options;
  const base = Object.keys(fields).length > 0 ? fields : null;
  const out = output === 'stderr' ? process.stderr : output === 'stdout' ? process.stdout : openLogFile(output);
  const err = (error: Error): unknown =>
    format === 'text' && isBrief(error) ? error.message : pino.stdSerializers.err(error);
  return pino(
    { level, base, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err } },
    format === 'json' ? out : textStream(out),
  );
}

type Out = { write(line: string): unknown };

function openLogFile(path: string): Out {
  let file: number;
  try {
    file = openSync(path, 'a', 0o600);
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    throw new StartError(`the log file ${path} cannot be opened (${code}): its folder must exist and be writable`);
  }
  return {
    write(line) {
      try {
        writeSync(file, line);
      } catch {
        // A full disk must not stop the server, and there is no other place to report it.
      }
    },
  };
}

const levelNames: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Writes one readable line per record: time, level, message, then the other members as key=value. */
function textStream(out: Out): Out {
  return {
    write(line) {
      const { level, time, msg = '', ...rest }: { level: number; time: string; msg?: string } = JSON.parse(line);
      const fields = Object.entries(rest)
        // The message may already end with the words of a brief error. Then `err` is left out.
        .filter(([key, value]) => key !== 'err' || typeof value !== 'string' || !msg.endsWith(value))
        .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
      out.write(`${time} ${(levelNames[level] ?? String(level)).padEnd(5)} ${onOneLine(`${msg}${fields.join('')}`)}\n`);
    },
  };
}

/** Names and messages come from jobs and callers. They must not start a new line or control a terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
