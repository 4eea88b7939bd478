// Reads logs that have ended or still grow. It opens only segments that may contain matching lines. Other work can run
// between the parts that it reads.

import { setImmediate as yieldNow } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { LogLine } from '../../domain/log-line.ts';
import type { Logger } from '../../lib/logger.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { Database } from '../database.ts';
import { createSegments, type OpenSegments, type Segments } from './loaded-segments.ts';
import { createBatch, type LogBatch } from './log-batch.ts';
import { chunkEnd, firstSeqAt, lineCountAt, readChunk } from './log-chunk.ts';
import { createFrameEncoder, createJsonEncoder, createTextEncoder, type LineEncoder, toLines } from './log-render.ts';
import { createSelection, type LogFilter, type Selection } from './log-search.ts';
import { chunkIndexOf, type LoadedSegment } from './log-segment.ts';

/** `text` contains only the messages. */
export type LogForm = 'text' | 'json';

export type LogPageQuery = LogFilter & { readonly tail?: number; readonly limit: number };

export type LogPage = {
  readonly lines: readonly LogLine[];
  /** The `afterSeq` for the next page; null on the last page. */
  readonly nextSeq: number | null;
  /** True if retention has removed the log of the run. */
  readonly isExpired?: true;
};

export type LogReader = ReturnType<typeof createLogReader>;

/**
 * How many pages are read at the same time. Reading a page may take about 10 MiB of memory, and a caller may ask for
 * hundreds of pages at once.
 */
const pagesAtATime = 4;
const batchesBytes = 8 * 2 ** 20;
/** The memory that a batch takes besides its bytes. A batch of one short line takes hardly more than this. */
const batchObjectBytes = 1024;
const maxBatchBytes = 256 * 2 ** 10;
const maxBatchLines = 4096;
const pieceBytes = 64 * 2 ** 10;
/**
 * The most text in a page. Lines may be 64 KiB long, and 10,000 such lines in one answer would exhaust the server's
 * memory.
 */
const mostPageChars = 4 * 2 ** 20;
/** How many bytes are read before other work can run. Reading them takes a few milliseconds. */
const yieldAfterBytes = 256 * 2 ** 10;

export function createLogReader(o: {
  readonly dir: string;
  readonly db: Database;
  readonly log: Logger;
  readonly openSegments: OpenSegments;
}) {
  const segments = createSegments(o);
  const withLimit = pLimit(pagesAtATime);
  return {
    /**
     * Returns the first `limit` matching lines or, with `tail`, the last `tail` of them, oldest first. A page has a few
     * MiB at most.
     */
    page: (runId: string, query: LogPageQuery): Promise<LogPage> => withLimit(() => readPage(segments, runId, query)),
    /**
     * Yields all matching lines, oldest first, as text or as JSON lines. Each piece is valid until the next one is
     * requested.
     */
    pieces: (runId: string, form: LogForm, filter: LogFilter): AsyncGenerator<Buffer> =>
      pieces(segments, runId, form, filter),
    /** Returns the segments of a log. If the log is being written, the growing segment is among them. */
    segmentsOf: segments.of,
    ...createFollowing(segments, o.openSegments),
  };
}

async function readPage(segments: Segments, runId: string, { tail, limit, ...filter }: LogPageQuery): Promise<LogPage> {
  if (tail !== undefined) return { lines: await last(segments, runId, filter, tail), nextSeq: null };
  const lines: LogLine[] = [];
  let chars = 0;
  for await (const found of forward(segments, runId, filter)) {
    lines.push(...found);
    chars += charsOf(found);
    if (lines.length > limit || chars > mostPageChars) {
      return { lines: lines.slice(0, limit), nextSeq: lines[Math.min(limit, lines.length) - 1]?.seq ?? null };
    }
  }
  return { lines, nextSeq: null };
}

/** Yields all matching lines, oldest first, chunk by chunk. */
async function* forward(segments: Segments, runId: string, filter: LogFilter): AsyncGenerator<readonly LogLine[]> {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0 } = filter;
  const select = createSelection(filter);
  let readBytes = 0;
  for (const segment of (await segments.of(runId)).slice()) {
    if (segment.firstSeq >= beforeSeq) return;
    if (segment.lastSeq <= afterSeq || segment.lastAtUs <= sinceUs) continue;
    const content = await segments.load(runId, segment, segment.lastSeq);
    for (const start of content.chunkStarts.slice(chunkIndexOf(content, afterSeq + 1))) {
      const chunk = readChunk(content.file, start);
      if (chunk.firstSeq >= beforeSeq) return;
      const part = select(chunk);
      const lines = part ? toLines(part) : [];
      if (lines.length > 0) yield lines;
      readBytes += chunk.end - start;
      if (readBytes < yieldAfterBytes) continue;
      readBytes = 0;
      await yieldNow();
    }
  }
}

async function* pieces(segments: Segments, runId: string, form: LogForm, filter: LogFilter): AsyncGenerator<Buffer> {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0 } = filter;
  const select = createSelection(filter);
  const encoder = form === 'text' ? createTextEncoder() : createJsonEncoder();
  const maybeYield = createYielder();
  for (const segment of (await segments.of(runId)).slice()) {
    if (segment.firstSeq >= beforeSeq) break;
    if (segment.lastSeq <= afterSeq || segment.lastAtUs <= sinceUs) continue;
    const lastSeq = Math.min(segment.lastSeq, beforeSeq - 1);
    const own = await segments.loadOwn(runId, segment);
    try {
      for (let seq = Math.max(afterSeq + 1, segment.firstSeq); seq <= lastSeq; ) {
        seq = addPiece(own?.content ?? (await segments.load(runId, segment, seq)), seq, select, encoder);
        if (encoder.size >= pieceBytes) yield encoder.take();
        await maybeYield();
      }
    } finally {
      own?.free();
    }
  }
  if (encoder.size > 0) yield encoder.take();
}

async function last(segments: Segments, runId: string, filter: LogFilter, count: number): Promise<LogLine[]> {
  const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY, sinceUs = 0 } = filter;
  const select = createSelection(filter);
  const found: LogLine[][] = [];
  let missing = count;
  let chars = 0;
  let readBytes = 0;
  for (const segment of (await segments.of(runId)).toReversed()) {
    if (segment.lastSeq <= afterSeq || segment.lastAtUs <= sinceUs) break;
    if (segment.firstSeq >= beforeSeq) continue;
    const content = await segments.load(runId, segment, segment.lastSeq);
    for (const start of content.chunkStarts.slice(0, chunkIndexOf(content, beforeSeq - 1) + 1).toReversed()) {
      if (missing <= 0 || chars > mostPageChars) return found.toReversed().flat();
      const chunk = readChunk(content.file, start);
      const part = select(chunk);
      const lines = part ? toLines(part).slice(-missing) : [];
      found.push(lines);
      missing -= lines.length;
      chars += charsOf(lines);
      readBytes += chunk.end - start;
      if (readBytes < yieldAfterBytes) continue;
      readBytes = 0;
      await yieldNow();
    }
  }
  return found.toReversed().flat();
}

/** Reads logs as they grow. All followers of a run share its batches. */
function createFollowing(segments: Segments, openSegments: OpenSegments) {
  const frameEncoder = createFrameEncoder();
  const batches = new LRUCache<string, LogBatch>({ maxSize: batchesBytes });
  /** The runs whose logs are being written and have followers. */
  const followed = new Set<string>();

  async function next(runId: string, afterSeq: number): Promise<LogBatch | undefined> {
    if (openSegments(runId)) followed.add(runId);
    const key = `${runId}/${afterSeq}`;
    const known = batches.get(key);
    if (known) return known;
    const segment = (await segments.of(runId)).find(({ lastSeq }) => lastSeq > afterSeq);
    if (!segment) return undefined;
    const content = await segments.load(runId, segment, afterSeq + 1);
    // Lets other work run. Otherwise a reader that catches up would go from batch to batch without a pause.
    await yieldNow();
    // Another reader may have added the batch in the meantime. The chunks are copied, because a batch of a few lines
    // would otherwise keep the whole segment in memory.
    return batches.get(key) ?? cacheBatch(key, Buffer.from(sliceFrom(content, afterSeq + 1)), afterSeq);
  }

  function cacheBatch(key: string, chunks: Buffer, afterSeq: number): LogBatch {
    let size = chunks.length + batchObjectBytes;
    const batch = createBatch(chunks, afterSeq, frameEncoder, (addedBytes) => {
      size += addedBytes;
      if (batches.peek(key) !== batch) return;
      // Without the delete, the cache would keep the old size for the same batch.
      batches.delete(key);
      batches.set(key, batch, { size });
    });
    batches.set(key, batch, { size });
    return batch;
  }

  return {
    /**
     * Returns the lines that were stored next after `afterSeq`, a few hundred KiB at most. Returns undefined if no such
     * lines exist yet.
     */
    next,
    /** Caches newly written chunks if the run has followers. */
    remember(runId: string, chunks: Buffer): void {
      if (!followed.has(runId)) return;
      const afterSeq = firstSeqAt(chunks, 0) - 1;
      cacheBatch(`${runId}/${afterSeq}`, Buffer.from(chunks), afterSeq);
    },
    /** Must be called when the writer of a log has closed. */
    forget: (runId: string) => followed.delete(runId),
  };
}

/**
 * Adds about one piece of matching lines to the encoder, beginning with line `seq`. Returns the number of the line to
 * continue with.
 */
function addPiece(content: LoadedSegment, seq: number, select: Selection, encoder: LineEncoder): number {
  const { file, chunkStarts } = content;
  const firstIndex = chunkIndexOf(content, seq);
  let readBytes = 0;
  for (const start of chunkStarts.slice(firstIndex)) {
    const chunk = readChunk(file, start);
    const part = select(chunk);
    if (part) encoder.add(part);
    readBytes += chunk.end - chunk.start;
    if (encoder.size >= pieceBytes || readBytes >= yieldAfterBytes) return chunk.firstSeq + chunk.lineCount;
  }
  return Number.POSITIVE_INFINITY;
}

/** Returns the chunk with the line `seq` and the chunks after it, up to the size of a batch. */
function sliceFrom(content: LoadedSegment, seq: number): Buffer {
  const { file, chunkStarts } = content;
  const firstIndex = chunkIndexOf(content, seq);
  const start = chunkStarts[firstIndex] ?? file.length;
  let end = start;
  let lineCount = 0;
  for (const chunkStart of chunkStarts.slice(firstIndex)) {
    const nextEnd = chunkEnd(file, chunkStart);
    lineCount += lineCountAt(file, chunkStart);
    if (end > start && (nextEnd - start > maxBatchBytes || lineCount > maxBatchLines)) break;
    end = nextEnd;
  }
  return file.subarray(start, end);
}

function charsOf(lines: readonly LogLine[]): number {
  return lines.reduce(
    (chars, { message, fields }) => chars + message.length + (fields ? JSON.stringify(fields).length : 0),
    0,
  );
}
