// Pages of a run's log by the API: what comes before and after a line, and where a text is. A cursor of the log is the `seq`
// after which a page begins.

import type { LogLevel, LogLine } from '../domain/log-line.ts';
import type { Client } from './client.ts';

/** Which lines of the log are meant. */
export type LogFilter = { readonly level: LogLevel; readonly stepId: string | null; readonly attempt?: number | null };

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

export async function pageAfter({ client, runId, filter, signal }: LogSource, query: object): Promise<Page> {
  const page = await client.call('getRunLogs', {
    path: { run_id: runId },
    query: { ...toQuery(filter), ...query },
    signal,
  });
  return { lines: page.logs, isLast: page.next_cursor === null, isExpired: page.logs_expired === true };
}

/** Some lines before this one, the nearest, without a gap; about so many. */
export async function linesBefore(
  source: LogSource,
  seq: number,
  count = pageLines,
): Promise<{ readonly lines: readonly LogLine[]; readonly isFromStart: boolean }> {
  let before = seq;
  for (let reach = count; ; reach = Math.min(reach * 4, mostFound)) {
    const after = Math.max(0, before - 1 - reach);
    const lines = await linesBetween(source, after, before, reach);
    if (lines.length > 0 || after === 0) return { lines, isFromStart: after === 0 };
    before = after + 1;
  }
}

async function linesBetween(source: LogSource, after: number, before: number, limit: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let cursor = after; ; ) {
    const page = await pageAfter(source, { cursor: String(cursor), limit });
    lines.push(...page.lines);
    cursor = page.lines.at(-1)?.seq ?? before;
    if (page.isLast || cursor >= before - 1) return lines.filter(({ seq }) => seq < before);
  }
}

export async function linesAfter(source: LogSource, seq: number, count = pageLines): Promise<Page> {
  return pageAfter(source, { cursor: String(seq), limit: count });
}

/** Where the text is found, by the server's search: the first ten thousand lines. */
export async function findLines(source: LogSource, text: string): Promise<number[]> {
  const found: number[] = [];
  for (;;) {
    const page = await pageAfter(source, { q: text, cursor: String(found.at(-1) ?? 0), limit: pageLines });
    found.push(...page.lines.map(({ seq }) => seq));
    if (page.isLast || page.lines.length === 0 || found.length >= mostFound) return found;
  }
}
