// Lines of a run's log as a command prints them, and where they come from.

import type { Client } from '../../client/client.ts';
import type { QueryOf } from '../../contract/operations.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { mayColour, type Output } from '../terminal/output.ts';
import { forTerminal } from '../terminal/terminal-text.ts';

type PrintedLine = {
  readonly timestamp: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly step_id: string;
  readonly stream: 'stdout' | 'stderr';
  /** Read when no server had been there: its time is that of the reading. */
  readonly recovered?: true;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
};

export type LinePrinter = (line: PrintedLine) => void;

/** @param o.to one stream for all lines, or `same`: each line goes to the stream that the script wrote it to */
export function createLinePrinter(
  output: Output,
  o: { readonly showsStep: boolean; readonly showsTime: boolean; readonly to: 'stdout' | 'stderr' | 'same' },
): LinePrinter {
  return ({ timestamp, level, message, step_id: step, stream, recovered, fields }) => {
    const to = process[o.to === 'same' ? stream : o.to];
    const isForPeople = to.isTTY;
    const time = o.showsTime ? `${output.paint('faint', recovered ? `~${timestamp}` : timestamp)} ` : '';
    const of = o.showsStep ? `${output.paint('faint', `${step} |`)} ` : '';
    const members = fields && Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
    const text = isForPeople ? forTerminal(message, mayColour()) : message;
    const rest = isForPeople ? output.paint('faint', forTerminal(members, false)) : members;
    const shown = logLevels.indexOf(level) >= logLevels.indexOf('error') ? output.paint('bad', text) : text;
    to.write(`${time}${of}${shown}${rest}\n`);
  };
}

/** What there is and what comes, until the run has ended, or until the signal. @throws ApiProblem, ServerUnreachable */
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
  for await (const { event, data } of frames) if (event === 'log') o.print(toLine(data));
}

/** What is said when a stream breaks off that is tried again for as long as it takes. */
export function breakWords(error: Error): string {
  return `${error.message} It is tried again until it answers.`;
}

function toLine(data: Readonly<Record<string, unknown>>): PrintedLine {
  const { fields } = data;
  return {
    timestamp: String(data.timestamp),
    level: logLevels.find((level) => level === data.level) ?? 'info',
    message: String(data.message),
    step_id: String(data.step_id),
    stream: data.stream === 'stderr' ? 'stderr' : 'stdout',
    ...(data.recovered === true && { recovered: true as const }),
    ...(typeof fields === 'object' && fields !== null && { fields: { ...fields } }),
  };
}
