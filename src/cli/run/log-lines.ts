// Reads the log of a run and prints its lines.

import type { Client } from '../../client/client.ts';
import type { QueryOf } from '../../contract/operations.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { mayColour, type Output, outputTaken } from '../terminal/output.ts';
import { forTerminal } from '../terminal/terminal-text.ts';

export type PrintedLine = {
  readonly timestamp: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly step_id: string;
  readonly stream: 'stdout' | 'stderr';
  readonly attempt: number;
  /** The script printed the line while no server was running, so the line has the time at which a server read it. */
  readonly recovered?: true;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
};

export type LinePrinter = (line: PrintedLine) => void | Promise<void>;

/**
 * Prints the lines that it is given with as few writes as possible, because writing takes longer than everything else.
 * @param o.labelOf returns the text to show before a line, such as its step; null shows nothing
 * @param o.to one stream for all lines, or `same` for the stream that the script wrote each line to
 */
export function createLinePrinter<Line extends PrintedLine>(
  output: Output,
  o: {
    readonly labelOf: ((line: Line) => string) | null;
    readonly showsTime: boolean;
    readonly to: 'stdout' | 'stderr' | 'same';
    /**
     * Prints a separator where the lines of a second or later attempt begin. Set only if all lines are from one run.
     */
    readonly separatesAttempts?: boolean;
  },
): (lines: readonly Line[]) => void {
  const attempts = new Map<string, number>();

  /**
   * Returns the separator, which goes to standard error, so that a pipe gets only the lines. Returns undefined if the
   * lines go to a pipe and standard error to a terminal, or the other way round.
   */
  function separatorOf(line: Line, to: NodeJS.WriteStream): string | undefined {
    const { step_id: stepId, attempt } = line;
    if (attempt === (attempts.get(stepId) ?? 1)) return undefined;
    attempts.set(stepId, attempt);
    if (to.isTTY !== process.stderr.isTTY) return undefined;
    return output.paint('faint', `── ${o.labelOf ? `${o.labelOf(line)}: ` : ''}attempt ${attempt} ──`);
  }

  function textOf(line: Line, isForPeople: boolean): string {
    const { timestamp, level, message, recovered, fields } = line;
    const time = o.showsTime ? `${output.paint('faint', recovered ? `~${timestamp}` : timestamp)} ` : '';
    const of = o.labelOf ? `${output.paint('faint', `${o.labelOf(line)} |`)} ` : '';
    const members = fields && Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
    const text = isForPeople ? forTerminal(message, mayColour()) : message;
    const rest = isForPeople ? output.paint('faint', forTerminal(members, false)) : members;
    const shown = logLevels.indexOf(level) >= logLevels.indexOf('error') ? output.paint('bad', text) : text;
    return `${time}${of}${shown}${rest}\n`;
  }

  return (lines) => {
    let waiting = '';
    let to: NodeJS.WriteStream = process.stdout;
    const write = (): void => {
      if (waiting !== '') to.write(waiting);
      waiting = '';
    };
    for (const line of lines) {
      const next = process[o.to === 'same' ? line.stream : o.to];
      const separator = o.separatesAttempts ? separatorOf(line, next) : undefined;
      if (separator !== undefined || next !== to) write();
      if (separator !== undefined) output.say(separator);
      to = next;
      waiting += textOf(line, to.isTTY);
    }
    write();
  };
}

/**
 * Prints the lines so far and those to come, until the run ends or the signal is aborted. @throws ApiProblem,
 * ServerUnreachable
 */
export async function followLog(
  client: Client,
  runId: string,
  o: {
    readonly query?: QueryOf<'getRunLogs'>;
    readonly signal?: AbortSignal;
    readonly print: LinePrinter;
    readonly onBreak?: (error: Error) => void;
  },
): Promise<void> {
  const frames = client.stream('getRunLogs', {
    path: { run_id: runId },
    query: o.query ?? {},
    ...(o.signal && { signal: o.signal }),
    ...(o.onBreak && { onBreak: o.onBreak }),
  });
  for await (const { event, data } of frames) {
    if (event === 'log') await o.print(toLine(data));
    await outputTaken(o.signal);
  }
}

/** Printed when a stream breaks; the client then reconnects until it succeeds. */
export function breakWords(error: Error): string {
  return `${error.message} Trying again until it answers.`;
}

/** Converts the data of a `log` or `run.output` event into a line. */
export function toLine(data: Readonly<Record<string, unknown>>): PrintedLine {
  const { fields } = data;
  return {
    timestamp: String(data.timestamp),
    level: logLevels.find((level) => level === data.level) ?? 'info',
    message: String(data.message),
    step_id: String(data.step_id),
    stream: data.stream === 'stderr' ? 'stderr' : 'stdout',
    attempt: Number(data.attempt ?? 1),
    ...(data.recovered === true && { recovered: true as const }),
    ...(typeof fields === 'object' && fields !== null && { fields: { ...fields } }),
  };
}
