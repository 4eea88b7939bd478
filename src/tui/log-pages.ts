// Pages of a run's log by the API: its end, what is around a line, what comes before and after. A cursor of the log is the
// `seq` after which a page begins.

import type { Client } from '../client/client.ts';
import type { LogLevel } from '../domain/log-line.ts';
import { emptyLog, type HeldLine, heldLine, type LogView } from './log-view.ts';

/** Which lines of the log are shown. */
export type LogFilter = { readonly level: LogLevel; readonly stepId: string | null };

/** Where to begin: at the end, at the first line, or around this `seq`. */
export type LogStart = 'end' | 'first' | number;

const pageLines = 1_000;
const linesAbove = 200;
/** Above the line that is jumped to. */
const linesInSight = 3;
const mostFound = 10_000;

type Source = {
  readonly client: Client;
  readonly runId: string;
  readonly filter: LogFilter;
  readonly signal: AbortSignal;
};

export function toQuery({ level, stepId }: LogFilter): { readonly level?: LogLevel; readonly step_id?: string } {
  return { ...(level !== 'trace' && { level }), ...(stepId !== null && { step_id: stepId }) };
}

type Page = { readonly lines: readonly HeldLine[]; readonly isLast: boolean; readonly isExpired: boolean };

async function pageAfter({ client, runId, filter, signal }: Source, query: object): Promise<Page> {
  const page = await client.call('getRunLogs', {
    path: { run_id: runId },
    query: { ...toQuery(filter), ...query },
    signal,
  });
  return { lines: page.logs.map(heldLine), isLast: page.next_cursor === null, isExpired: page.logs_expired === true };
}

export async function openedLog(source: Source, start: LogStart): Promise<LogView & { readonly isExpired: boolean }> {
  if (start === 'end') {
    const { lines, isExpired } = await pageAfter(source, { tail: pageLines });
    return {
      ...emptyLog,
      lines,
      isFromStart: lines.length < pageLines && lines[0]?.seq === 1,
      isToEnd: true,
      isExpired,
    };
  }
  const seq = start === 'first' ? 0 : start;
  const after = Math.max(0, seq - 1 - linesAbove);
  const { lines, isLast, isExpired } = await pageAfter(source, { cursor: String(after), limit: pageLines });
  const top = Math.max(0, lines.findIndex((line) => line.seq >= seq) - linesInSight);
  return { lines, isFromStart: after === 0, isToEnd: isLast, isFollowing: false, top, isExpired };
}

/** Some lines before this one, the nearest, without a gap. */
export async function linesBefore(
  source: Source,
  seq: number,
): Promise<{ readonly lines: readonly HeldLine[]; readonly isFromStart: boolean }> {
  let before = seq;
  for (let reach = pageLines; ; reach = Math.min(reach * 4, mostFound)) {
    const after = Math.max(0, before - 1 - reach);
    const lines = await linesBetween(source, after, before, reach);
    if (lines.length > 0 || after === 0) return { lines, isFromStart: after === 0 };
    before = after + 1;
  }
}

async function linesBetween(source: Source, after: number, before: number, limit: number): Promise<HeldLine[]> {
  const lines: HeldLine[] = [];
  for (let cursor = after; ; ) {
    const page = await pageAfter(source, { cursor: String(cursor), limit });
    lines.push(...page.lines);
    cursor = page.lines.at(-1)?.seq ?? before;
    if (page.isLast || cursor >= before - 1) return lines.filter(({ seq }) => seq < before);
  }
}

export async function linesAfter(source: Source, seq: number): Promise<Page> {
  return pageAfter(source, { cursor: String(seq), limit: pageLines });
}

/** Where the text is found, by the server's search: the first ten thousand lines. */
export async function findLines(source: Source, text: string): Promise<number[]> {
  const found: number[] = [];
  for (;;) {
    const page = await pageAfter(source, { q: text, cursor: String(found.at(-1) ?? 0), limit: pageLines });
    found.push(...page.lines.map(({ seq }) => seq));
    if (page.isLast || page.lines.length === 0 || found.length >= mostFound) return found;
  }
}
