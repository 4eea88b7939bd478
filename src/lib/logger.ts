// The server's own log: pino, as JSON lines or as text for people.

import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;
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

/** One readable line a record: time, level, message, then the other members as key=value. */
function textStream(out: NodeJS.WritableStream): { write(line: string): void } {
  return {
    write(line) {
      const { level, time, msg, ...rest }: { level: number; time: string; msg?: string } = JSON.parse(line);
      const fields = Object.entries(rest).map(
        ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      out.write(`${time} ${(levelNames[level] ?? String(level)).padEnd(5)} ${msg ?? ''}${fields.join('')}\n`);
    },
  };
}
