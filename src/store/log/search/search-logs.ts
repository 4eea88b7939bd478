// Searches the logs of all runs. The run that ended last is searched first (ADR 0070).

import { setImmediate as yieldNow } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { LogLevel } from '../../../domain/log-line.ts';
import type { Clock } from '../../../lib/clock.ts';
import { cursorError } from '../../cursor.ts';
import type { Database } from '../../database.ts';
import { readIndexes } from '../log-index.ts';
import type { LogFilter } from '../log-search.ts';
import type { Segment } from '../log-segment.ts';
import type { FoundLine, SearchedSegment } from './search-task.ts';
import type { SearchThread } from './search-thread.ts';
import {
  type RunSelection,
  type SearchedRun,
  type SearchPosition,
  searchedRun,
  searchedRuns,
} from './searched-runs.ts';

export type LogSearchQuery = RunSelection & {
  /**
   * Only lines that contain this text. The search compares lines as they were printed, and ignores the case of ASCII
   * letters.
   */
  readonly text?: string;
  /** Only lines of this level or a more severe one. */
  readonly level?: LogLevel;
  /** Only lines before this time. */
  readonly untilMs?: number;
  readonly limit: number;
  readonly cursor?: string;
};

type LogHit = Omit<FoundLine, 'at'> & { readonly runId: string; readonly jobId: string };

export type LogSearchPage = {
  /** The lines that were found, run by run in the order of the search. Within a run, the last line comes first. */
  readonly hits: readonly LogHit[];
  /** The cursor for the rest of the search; null if all logs were searched. */
  readonly nextCursor: string | null;
  /** The logs of all runs that ended at this time or later were searched; null if all logs were searched. */
  readonly fromMs: number | null;
  readonly segments: number;
  /** The size of the searched segments when decompressed. */
  readonly bytes: number;
  readonly unreadable: number;
};

type Parts = {
  readonly dir: string;
  readonly db: Database;
  readonly clock: Clock;
  /** Returns the segments of one log. If the log is being written, the growing segment is among them. */
  readonly segmentsOf: (runId: string) => Promise<readonly Segment[]>;
  readonly thread: Pick<SearchThread, 'search'>;
};

/** How long a search may take, including the time that it waits for other searches. */
const mostMs = 2_000;
/** How many searches run at a time. */
const searchesAtATime = 2;
/**
 * How long a cursor is valid if it points to a run that had not ended when the search began. With such a cursor, each
 * page reads all runs that have ended since then, and there may be thousands.
 */
const openForMs = 5 * 60_000;
/**
 * How much the thread reads before it answers. Answering after each segment would be too often: 48 answers took 5 % of
 * the CPU time.
 */
const taskBytes = 16 * 2 ** 20;
const taskSegments = 64;

/** @returns a function that searches. It throws the Problem validation-error for a malformed cursor */
export function createLogSearch(o: Parts): (query: LogSearchQuery) => Promise<LogSearchPage> {
  const withLimit = pLimit(searchesAtATime);
  return (query) => {
    const endAt = performance.now() + mostMs;
    const nowMs = o.clock.now();
    const begin = query.cursor === undefined ? { asOfMs: nowMs, endedMs: null } : parseCursor(query.cursor, nowMs);
    return withLimit(() => searchFrom(o, begin, query, endAt));
  };
}

async function searchFrom(
  o: Parts,
  begin: SearchPosition,
  query: LogSearchQuery,
  endAt: number,
): Promise<LogSearchPage> {
  const page = { hits: [] as LogHit[], segments: 0, bytes: 0, unreadable: 0 };
  const stoppedAt = (position: SearchPosition): LogSearchPage => ({
    ...page,
    nextCursor: toCursor(position),
    fromMs: position.endedMs ?? position.asOfMs,
  });
  if (performance.now() >= endAt) return stoppedAt(begin);
  for await (const { pieces, end } of tasks(o, begin, query)) {
    const task = { dir: o.dir, filter: filterOf(query), segments: pieces, most: query.limit - page.hits.length };
    const { lines, ...read } = pieces.length > 0 ? await o.thread.search(task) : nothing;
    page.segments += read.segments;
    page.bytes += read.bytes;
    page.unreadable += read.unreadable;
    for (const { at, ...line } of lines) {
      const piece = pieces[at];
      if (piece) page.hits.push({ runId: piece.run.id, jobId: piece.run.jobId, ...line });
    }
    const last = lines.at(-1);
    const run = last && pieces[last.at]?.run;
    if (last && run && page.hits.length >= query.limit) return stoppedAt(before(begin, run, last.seq));
    if (performance.now() >= endAt) return stoppedAt(end);
    await yieldNow();
  }
  return { ...page, nextCursor: null, fromMs: query.sinceMs ?? null };
}

const nothing = { lines: [], segments: 0, bytes: 0, unreadable: 0 };

function filterOf({ text, level, sinceMs, untilMs }: LogSearchQuery): LogFilter {
  return {
    ...(text !== undefined && { text }),
    ...(level !== undefined && { level }),
    // The filter selects lines after `sinceUs`, and a line at `sinceMs` is wanted, too.
    ...(sinceMs !== undefined && { sinceUs: sinceMs * 1000 - 1 }),
    ...(untilMs !== undefined && { untilUs: untilMs * 1000 }),
  };
}

type Piece = SearchedSegment & { readonly run: SearchedRun };
type Task = { readonly pieces: readonly Piece[]; readonly end: SearchPosition };

/** Yields the segments after a position, divided into tasks. Each task says where the search continues after it. */
async function* tasks(o: Parts, begin: SearchPosition, query: LogSearchQuery): AsyncGenerator<Task> {
  if (begin.beforeSeq !== undefined) {
    const run = await searchedRun(o.db.read, begin, query);
    if (run) yield* inTasks(begin, await piecesOf(o, [run], query, begin.beforeSeq));
  }
  for await (const { runs, end } of searchedRuns(o.db.read, begin, query)) {
    yield* inTasks(begin, await piecesOf(o, runs, query));
    yield { pieces: [], end };
  }
}

function* inTasks(begin: SearchPosition, pieces: readonly Piece[]): Generator<Task> {
  let task: Piece[] = [];
  let bytes = 0;
  for (const [index, piece] of pieces.entries()) {
    task.push(piece);
    bytes += piece.segment.rawBytes;
    const next = pieces[index + 1];
    if (next && task.length < taskSegments && bytes + next.segment.rawBytes <= taskBytes) continue;
    yield { pieces: task, end: before(begin, piece.run, piece.segment.firstSeq) };
    task = [];
    bytes = 0;
  }
}

function before({ asOfMs }: SearchPosition, { id, endedMs }: SearchedRun, seq: number): SearchPosition {
  return { asOfMs, endedMs, runId: id, beforeSeq: seq };
}

async function piecesOf(
  o: Parts,
  runs: readonly SearchedRun[],
  { sinceMs = 0, untilMs = Number.POSITIVE_INFINITY }: LogSearchQuery,
  beforeSeq = Number.POSITIVE_INFINITY,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  const ended = runs.filter(({ endedMs }) => endedMs !== null);
  const stored = await readIndexes(
    o.db,
    ended.map(({ id }) => id),
  );
  for (const run of runs) {
    const segments = run.endedMs === null ? await o.segmentsOf(run.id) : (stored.get(run.id) ?? []);
    for (const segment of segments.toReversed()) {
      if (segment.lastAtUs < sinceMs * 1000 || segment.firstAtUs >= untilMs * 1000) continue;
      if (segment.firstSeq >= beforeSeq) continue;
      pieces.push({ run, runId: run.id, segment: { ...segment }, ...(Number.isFinite(beforeSeq) && { beforeSeq }) });
    }
  }
  return pieces;
}

/** Returns the position as text in base64url. */
function toCursor({ asOfMs, endedMs, runId = '', beforeSeq }: SearchPosition): string {
  return Buffer.from(`${asOfMs} ${endedMs ?? '-'} ${runId} ${beforeSeq ?? '-'}`).toString('base64url');
}

/** @throws Problem validation-error */
function parseCursor(cursor: string, nowMs: number): SearchPosition {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, asOf, ended, runId, seq] = /^(\d{1,15}) (\d{1,15}|-) ([\w-]{0,64}) (\d{1,15}|-)$/.exec(text) ?? [];
  if (asOf === undefined || ended === undefined || runId === undefined || seq === undefined) throw cursorError();
  if (ended === '-' && Number(asOf) < nowMs - openForMs) throw cursorError('has expired: begin the search again');
  return {
    asOfMs: Number(asOf),
    endedMs: ended === '-' ? null : Number(ended),
    ...(runId !== '' && { runId }),
    ...(seq !== '-' && { beforeSeq: Number(seq) }),
  };
}
