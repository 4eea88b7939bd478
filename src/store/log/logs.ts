// The log store: what runs print, in segments beside the database, which has an index of them (ADR 0005).

import pLimit from 'p-limit';
import type { LogLine } from '../../domain/log-line.ts';
import { invariant } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import type { LogBatch } from './log-batch.ts';
import { createChunkEncoder } from './log-encode.ts';
import { openLogFile } from './log-file.ts';
import { charsOf, createLogReader, type LogForm, mostPageChars } from './log-reader.ts';
import { resumeLog } from './log-resume.ts';
import type { LogFilter } from './log-search.ts';
import { removeSegment, type Segment } from './log-segment.ts';
import { createLogWriter, type LogWriter } from './log-writer.ts';

export type { LogBatch } from './log-batch.ts';
export type { LogForm } from './log-reader.ts';
export type { LogFilter } from './log-search.ts';
export type { LogWriter } from './log-writer.ts';

type LogPage = {
  readonly lines: readonly LogLine[];
  /** The `afterSeq` of the next page; null when there is none. */
  readonly nextSeq: number | null;
  /** The run had a log, which retention has removed. */
  readonly isExpired?: true;
};

export type LogStore = {
  /**
   * Goes on behind what an earlier process has left. One writer a run at a time; what it writes once the run has
   * another epoch is not indexed.
   */
  readonly openWriter: (o: {
    readonly runId: string;
    readonly epoch: number;
    readonly maxSizeBytes: number;
  }) => Promise<LogWriter>;
  /** The first `limit` lines that match, or with `tail` the last so many, some MiB at most; oldest first. */
  readonly page: (
    runId: string,
    query: LogFilter & { readonly tail?: number; readonly limit: number },
  ) => Promise<LogPage>;
  /** All lines that match, as text or as JSON lines, oldest first; a piece is good until the next is asked for. */
  readonly pieces: (runId: string, form: LogForm, filter: LogFilter) => AsyncGenerator<Buffer>;
  /** The lines stored next after `afterSeq`, some hundred KiB at most; undefined when there are none yet. */
  readonly next: (runId: string, afterSeq: number) => Promise<LogBatch | undefined>;
  readonly lines: (runId: string, firstSeq: number, count: number) => Promise<LogLine[]>;
  /** Called each time that lines of the run have become readable; must not throw. Returns how to stop it. */
  readonly onAppend: (runId: string, listener: () => void) => () => void;
  /**
   * Removes the files of logs that nobody writes; their rows are retention's.
   * @returns their bytes, and the runs whose files the disk did not let go
   */
  readonly removeFiles: (runIds: readonly string[]) => Promise<{ bytes: number; stuck: readonly string[] }>;
  /** Lets go of every log that is still being written; the next store goes on with them. */
  readonly close: () => Promise<void>;
};

/** Each may take some 10 MiB while it is read, and a caller may ask for hundreds. */
const pagesAtATime = 4;
/** Longer than most resets of a controller take. */
const usualPatienceMs = 5_000;

type LogStoreParts = {
  readonly dir: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly patienceMs?: number;
};

export function createLogStore(o: LogStoreParts): LogStore {
  const { dir, db, clock, log } = o;
  const encode = createChunkEncoder();
  const withLimit = pLimit(pagesAtATime);
  const open = new Map<string, { readonly segments: readonly Segment[]; readonly writer: LogWriter }>();
  const listeners = new Map<string, Set<() => void>>();
  const reader = createLogReader({ dir, db, log, openSegments: (runId) => open.get(runId)?.segments });

  function announce(runId: string): void {
    for (const listener of Array.from(listeners.get(runId) ?? [])) listener();
  }

  async function readPage(runId: string, query: LogFilter & { tail?: number; limit: number }) {
    const { tail, limit, ...filter } = query;
    if (tail !== undefined) return { lines: await reader.last(runId, filter, tail), nextSeq: null };
    const lines: LogLine[] = [];
    let chars = 0;
    for await (const found of reader.forward(runId, filter)) {
      lines.push(...found);
      chars += charsOf(found);
      if (lines.length > limit || chars > mostPageChars) break;
    }
    const isCut = lines.length > limit || chars > mostPageChars;
    const last = lines[Math.min(limit, lines.length) - 1];
    return { lines: lines.slice(0, limit), nextSeq: last && isCut ? last.seq : null };
  }

  async function hasExpired(runId: string): Promise<boolean> {
    const row = await db.read.selectFrom('expired_logs').select('at').where('run_id', '=', runId).executeTakeFirst();
    return row !== undefined;
  }

  /** Files go before their rows (ADR 0013). */
  function isGone(error: unknown, runId: string): boolean {
    return errorCode(error) === 'ENOENT' && !open.has(runId);
  }

  const store: LogStore = {
    async openWriter({ runId, epoch, maxSizeBytes }) {
      invariant(!open.has(runId), 'a log has one writer at a time');
      const { state, indexed, plain } = await resumeLog({ patienceMs: usualPatienceMs, ...o, runId });
      const file = openLogFile({ dir, runId, epoch, db, log, indexed, plain });
      const writer = createLogWriter({
        file,
        state,
        maxSizeBytes,
        clock,
        encode,
        onStored(chunks) {
          for (const chunk of chunks) reader.remember(runId, chunk);
          announce(runId);
        },
        onClosed() {
          open.delete(runId);
          reader.forget(runId);
        },
      });
      open.set(runId, { segments: file.segments, writer });
      if (plain.length > 0) announce(runId);
      return writer;
    },
    async page(runId, query) {
      try {
        const page = await withLimit(() => readPage(runId, query));
        return page.lines.length === 0 && (await hasExpired(runId)) ? { ...page, isExpired: true } : page;
      } catch (error) {
        if (!isGone(error, runId)) throw error;
        return { lines: [], nextSeq: null, isExpired: true };
      }
    },
    async *pieces(runId, form, filter) {
      try {
        yield* reader.pieces(runId, form, filter);
      } catch (error) {
        if (!isGone(error, runId)) throw error;
      }
    },
    async next(runId, afterSeq) {
      try {
        return await reader.next(runId, afterSeq);
      } catch (error) {
        if (!isGone(error, runId)) throw error;
        return undefined;
      }
    },
    async lines(runId, firstSeq, count) {
      const lines: LogLine[] = [];
      while (lines.length < count) {
        const batch = await store.next(runId, firstSeq - 1 + lines.length);
        if (!batch) break;
        lines.push(...batch.lines());
      }
      return lines.slice(0, count);
    },
    onAppend(runId, listener) {
      const others = listeners.get(runId) ?? new Set();
      listeners.set(runId, others.add(listener));
      return () => {
        others.delete(listener);
        if (others.size === 0) listeners.delete(runId);
      };
    },
    async removeFiles(runIds) {
      invariant(!runIds.some((runId) => open.has(runId)), 'a log that is written is kept');
      if (runIds.length === 0) return { bytes: 0, stuck: [] };
      const segments = await db.read
        .selectFrom('log_segments')
        .select(['run_id', 'n', 'encoding', 'stored_bytes'])
        .where('run_id', 'in', runIds)
        .execute();
      const stuck = new Set<string>();
      let bytes = 0;
      await Promise.all(
        segments.map(async ({ run_id: runId, n, encoding, stored_bytes: storedBytes }) => {
          try {
            if (await removeSegment(dir, runId, n, encoding === 'raw' ? 'raw' : 'zstd')) bytes += storedBytes;
          } catch (error) {
            log.warn({ err: error, run_id: runId }, 'an old log could not be removed');
            stuck.add(runId);
          }
        }),
      );
      return { bytes, stuck: [...stuck] };
    },
    async close() {
      await Promise.all([...open.values()].map(({ writer }) => writer.release()));
    },
  };
  return store;
}
