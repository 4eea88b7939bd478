// Reads pages of a run's log: the lines before and after a line, and the lines that contain a text. The cursor of a
// page is the `seq` before its first line.

import type { LogLevel, LogLine } from '../domain/log-line.ts';
import type { Client } from './client.ts';
import type { Frame } from './resuming-stream.ts';

/** Selects lines of the log. */
export type LogFilter = { readonly level: LogLevel; readonly stepId: string | null; readonly attempt?: number | null };

/** Where to open a log: at its end, at its first line, or around the line with this `seq`. */
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

/** The nearest lines before this one, without gaps. @param count how many at most */
export async function linesBefore(
  source: LogSource,
  seq: number,
  count = pageLines,
): Promise<{ readonly lines: readonly LogLine[]; readonly isFromStart: boolean }> {
  if (seq <= 1) return { lines: [], isFromStart: true };
  const { lines } = await readPage(source, { tail: count, before: seq });
  // A page with long lines may have fewer than `count` lines, so a short page need not be the start of the log.
  return { lines, isFromStart: startsLog(lines) };
}

/** Whether these lines, read backwards, reach the start of the log. */
export function startsLog(lines: readonly LogLine[]): boolean {
  return (lines[0]?.seq ?? 1) === 1;
}

export async function linesAfter(source: LogSource, seq: number, count = pageLines): Promise<Page> {
  return readPage(source, { cursor: String(seq), limit: count });
}

export type FoundLines = {
  /** In ascending order. */
  readonly seqs: readonly number[];
  /** There are more results before these. */
  readonly isCut: boolean;
};

/** Lets the server search for the text. Returns the last ten thousand lines that contain it. */
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

/** Consecutive lines of level error, such as a stack trace. */
export type ErrorBlock = { readonly first: number; readonly last: number };

export type FoundErrors = {
  /** In ascending order. */
  readonly blocks: readonly ErrorBlock[];
  /** There are more errors after these. */
  readonly isCut: boolean;
};

/** Returns the first errors of the log: as many as one page has. */
export async function findErrors({ filter, ...source }: LogSource): Promise<FoundErrors> {
  const page = await readPage({ ...source, filter: { ...filter, level: 'error' } }, { limit: pageLines });
  const blocks: { first: number; last: number }[] = [];
  for (const { seq } of page.lines) {
    const block = blocks.at(-1);
    if (block && block.last === seq - 1) block.last = seq;
    else blocks.push({ first: seq, last: seq });
  }
  return { blocks, isCut: !page.isLast };
}

/** Converts a frame of a log stream to a line. */
export function toLine({ id, data }: Frame): LogLine {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a frame is a line without its seq, by the contract
  return { ...data, seq: Number(id) } as LogLine;
}
