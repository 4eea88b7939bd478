// The server's own log, written with pino: JSON lines, or text for people.

import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;
/** For code that only writes to the log. */
export type LogLines = Pick<Logger, 'info' | 'warn' | 'error'>;
export type LogFormat = 'text' | 'json';

export function createLogger(options: { level: string; format: LogFormat }): Logger {
  const base = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return options.format === 'json' ? pino(base, process.stderr) : pino(base, textStream(process.stderr));
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
function textStream(out: NodeJS.WritableStream): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, msg, ...rest }: { level: number; time: string; msg?: string } = JSON.parse(line);
      const fields = Object.entries(rest).map(
        ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      out.write(
        `${time} ${(levelNames[level] ?? String(level)).padEnd(5)} ${onOneLine(`${msg ?? ''}${fields.join('')}`)}\n`,
      );
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
