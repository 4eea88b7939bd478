// Pages of a run's log by the API: what comes before and after a line, and where a text is. A cursor of the log is the `seq`
// after which a page begins.

import type { LogLevel, LogLine } from '../domain/log-line.ts';
import type { Client } from './client.ts';
import type { Frame } from './resuming-stream.ts';

/** Which lines of the log are meant. */
export type LogFilter = { readonly level: LogLevel; readonly stepId: string | null; readonly attempt?: number | null };

/** Where a log is opened: at its end, at its first line, or around the line of this `seq`. */
export type LogStart = 'end' | 'first' | number;

export const pageLines = 1_000;
const mostFound = 10_000;

export type LogSource = {
  readonly client: Client;
  readonly runId: string;
  readonly filter: LogFilter;
  readonly signal: AbortSignal;
};

export function toQuery({ level, stepId, attempt }: LogFilter): {
  readonly level?: LogLevel;
  readonly step_id?: string;
  readonly attempt?: number;
} {
  return {
    ...(level !== 'trace' && { level }),
    ...(stepId !== null && { step_id: stepId }),
    ...(typeof attempt === 'number' && { attempt }),
  };
}

type Page = { readonly lines: readonly LogLine[]; readonly isLast: boolean; readonly isExpired: boolean };

export async function readPage({ client, runId, filter, signal }: LogSource, query: object): Promise<Page> {
  const page = await client.call('getRunLogs', {
    path: { run_id: runId },
    query: { ...toQuery(filter), ...query },
    signal,
  });
  return { lines: page.logs, isLast: page.next_cursor === null, isExpired: page.logs_expired === true };
}

/** The lines before this one, the nearest, without a gap; at most so many. */
export async function linesBefore(
  source: LogSource,
  seq: number,
  count = pageLines,
): Promise<{ readonly lines: readonly LogLine[]; readonly isFromStart: boolean }> {
  if (seq <= 1) return { lines: [], isFromStart: true };
  const { lines } = await readPage(source, { tail: count, before: seq });
  // Of long lines a page has fewer than are asked for.
  return { lines, isFromStart: startsLog(lines) };
}

/** Whether nothing comes before these lines, the last of those that were asked for. */
export function startsLog(lines: readonly LogLine[]): boolean {
  return (lines[0]?.seq ?? 1) === 1;
}

export async function linesAfter(source: LogSource, seq: number, count = pageLines): Promise<Page> {
  return readPage(source, { cursor: String(seq), limit: count });
}

export type FoundLines = {
  /** In order. */
  readonly seqs: readonly number[];
  /** There are more before them. */
  readonly isCut: boolean;
};

/** Where the text is found, by the server's search: the last ten thousand lines. */
export async function findLines(source: LogSource, text: string): Promise<FoundLines> {
  let seqs: number[] = [];
  for (;;) {
    const before = seqs.length > 0 ? { before: seqs[0] } : {};
    const page = await readPage(source, { q: text, tail: pageLines, ...before });
    seqs = [...page.lines.map(({ seq }) => seq), ...seqs];
    if (page.lines.length === 0 || seqs[0] === 1) return { seqs, isCut: false };
    if (seqs.length >= mostFound) return { seqs, isCut: true };
  }
}

/** A line as it comes in a stream. */
export function toLine({ id, data }: Frame): LogLine {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a frame is a line without its seq, by the contract
  return { ...data, seq: Number(id) } as LogLine;
}
