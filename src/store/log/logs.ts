// The log store: the output of runs, in segment files. The database has an index of the segments (ADR 0005).

import type { LogLine } from '../../domain/log-line.ts';
import { invariant } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import type { LogBatch } from './log-batch.ts';
import { createChunkEncoder } from './log-encode.ts';
import { openLogFile } from './log-file.ts';
import { createLogReader, type LogForm, type LogPage, type LogPageQuery, type LogReader } from './log-reader.ts';
import { resumeLog } from './log-resume.ts';
import type { LogFilter } from './log-search.ts';
import { removeSegment, type Segment } from './log-segment.ts';
import { createLogWriter, type LogWriter } from './log-writer.ts';
import { createLogSearch } from './search/search-logs.ts';
import { createSearchThread } from './search/search-thread.ts';

export type { LogBatch } from './log-batch.ts';
export type { LogForm } from './log-reader.ts';
export type { LogFilter } from './log-search.ts';
export type { LogWriter } from './log-writer.ts';

export type LogStore = ReturnType<typeof createLogStore>;

/** How long to retry after a read error. Most disk controllers take less time to reset. */
const usualRetryForMs = 5_000;

type LogStoreParts = {
  readonly dir: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retryForMs?: number;
};

export function createLogStore(o: LogStoreParts) {
  const { dir, db, clock, log } = o;
  const encode = createChunkEncoder();
  const open = new Map<string, { readonly segments: readonly Segment[]; readonly writer: LogWriter }>();
  const { announce, onAppend } = createListeners();
  const thread = createSearchThread();
  const reader = createLogReader({ dir, db, log, openSegments: (runId) => open.get(runId)?.segments });

  return {
    ...createReading(reader, db, open),
    onAppend,
    /**
     * Opens the log of a run to append to what an earlier process has written. A run has one writer at a time. If
     * another process takes the run over, lines that this writer adds afterwards are not indexed.
     */
    openWriter: async (of: {
      readonly runId: string;
      readonly epoch: number;
      readonly maxSizeBytes: number;
    }): Promise<LogWriter> => {
      const { runId, epoch, maxSizeBytes } = of;
      invariant(!open.has(runId), 'a log has one writer at a time');
      const { state, indexed, plain } = await resumeLog({ retryForMs: usualRetryForMs, ...o, runId });
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
    /** Searches the logs of all runs. @throws Problem validation-error for a malformed cursor */
    search: createLogSearch({ dir, db, clock, segmentsOf: reader.segmentsOf, thread }),
    /**
     * Removes the files of logs that nobody writes. Retention removes their rows.
     * @returns how many bytes were removed, and the runs whose files could not be removed
     */
    async removeFiles(runIds: readonly string[]): Promise<{ bytes: number; stuck: readonly string[] }> {
      invariant(!runIds.some((runId) => open.has(runId)), 'a log that is written is kept');
      return removeLogs(runIds, o);
    },
    /** Releases every log that is still being written. The next process continues them. */
    async close(): Promise<void> {
      await Promise.all([thread.close(), ...[...open.values()].map(({ writer }) => writer.release())]);
    },
  };
}

/** Reads logs. Retention may remove a log while it is read. */
function createReading(reader: LogReader, db: Database, open: ReadonlyMap<string, unknown>) {
  /**
   * Ignores that a file is missing, because retention removes the files of a log before its rows (ADR 0013).
   * @throws any other error unchanged
   */
  function assertGone(error: unknown, runId: string): undefined {
    if (errorCode(error) !== 'ENOENT' || open.has(runId)) throw error;
    return undefined;
  }

  function next(runId: string, afterSeq: number): Promise<LogBatch | undefined> {
    return reader.next(runId, afterSeq).catch((error: unknown) => assertGone(error, runId));
  }

  return {
    next,
    page: async (runId: string, query: LogPageQuery): Promise<LogPage> => {
      try {
        const page = await reader.page(runId, query);
        return page.lines.length === 0 && (await hasExpired(db, runId)) ? { ...page, isExpired: true } : page;
      } catch (error) {
        assertGone(error, runId);
        return { lines: [], nextSeq: null, isExpired: true };
      }
    },
    async *pieces(runId: string, form: LogForm, filter: LogFilter): AsyncGenerator<Buffer> {
      try {
        yield* reader.pieces(runId, form, filter);
      } catch (error) {
        assertGone(error, runId);
      }
    },
    async lines(runId: string, firstSeq: number, count: number): Promise<LogLine[]> {
      const lines: LogLine[] = [];
      while (lines.length < count) {
        const batch = await next(runId, firstSeq - 1 + lines.length);
        if (!batch) break;
        lines.push(...batch.lines());
      }
      return lines.slice(0, count);
    },
  };
}

/** The listeners that are called when the log of a run gets new lines. */
function createListeners() {
  const listeners = new Map<string, Set<() => void>>();
  return {
    announce: (runId: string): void => {
      for (const listener of Array.from(listeners.get(runId) ?? [])) listener();
    },
    /**
     * Calls `listener` whenever new lines of the run can be read. The listener must not throw. Returns a function that
     * stops the calls.
     */
    onAppend: (runId: string, listener: () => void): (() => void) => {
      const others = listeners.get(runId) ?? new Set<() => void>();
      listeners.set(runId, others.add(listener));
      return () => {
        others.delete(listener);
        if (others.size === 0) listeners.delete(runId);
      };
    },
  };
}

async function hasExpired({ read }: Database, runId: string): Promise<boolean> {
  const row = await read.selectFrom('expired_logs').select('at').where('run_id', '=', runId).executeTakeFirst();
  return row !== undefined;
}

async function removeLogs(
  runIds: readonly string[],
  { dir, db, log }: LogStoreParts,
): Promise<{ bytes: number; stuck: readonly string[] }> {
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
}
