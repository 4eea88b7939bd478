// What an earlier process left of a log: indexed segments, and behind them plain files whose last chunk may be half written.

import { readFile, rm, truncate } from 'node:fs/promises';
import { errorCode } from '../lib/error-code.ts';
import type { Logger } from '../lib/logger.ts';
import type { Database } from './database.ts';
import { isWholeChunk, readChunk } from './log-chunk.ts';
import { DamagedSegment, loadSegment, type Segment, segmentPath } from './log-segment.ts';
import { advance, advanceOver, emptyState, type LogState } from './log-state.ts';

export type Resumed = {
  readonly state: LogState;
  readonly indexed: readonly Segment[];
  /** In order; the last one may be written on. */
  readonly plain: readonly Segment[];
};

async function readIndex(db: Database, runId: string): Promise<Segment[]> {
  const rows = await db.read.selectFrom('log_segments').selectAll().where('run_id', '=', runId).orderBy('n').execute();
  return rows.map((row) => ({
    n: row.n,
    firstSeq: row.first_seq,
    lastSeq: row.last_seq,
    firstAtUs: row.first_at_us,
    lastAtUs: row.last_at_us,
    rawBytes: row.raw_bytes,
    encoding: row.encoding === 'raw' ? 'raw' : 'zstd',
  }));
}

/**
 * What can be read of a log that nobody writes: what is indexed, and behind it the plain files that a server which has just
 * started has not taken up yet. Nothing is changed.
 */
export async function readSegments(dir: string, db: Database, runId: string): Promise<Segment[]> {
  const segments = await readIndex(db, runId);
  const last = segments.at(-1);
  const state = { ...emptyState(), lastSeq: last?.lastSeq ?? 0, lastAtUs: last?.lastAtUs ?? 0 };
  for (let n = (last?.n ?? 0) + 1; ; n++) {
    const file = await readFile(segmentPath(dir, runId, n, 'raw')).catch(ignoreMissing);
    if (!file) return segments;
    const segment = takeUp(n, file, state);
    if (segment.lastSeq < segment.firstSeq) return segments;
    segments.push(segment);
    if (segment.rawBytes < file.length) return segments;
  }
}

/** Drops what is half written: the spool still has it. */
export async function resumeLog(o: { dir: string; db: Database; runId: string; log: Logger }): Promise<Resumed> {
  const { dir, runId, log } = o;
  const indexed = await readIndex(o.db, runId);
  const last = indexed.at(-1);
  if (last?.encoding === 'zstd') await rm(segmentPath(dir, runId, last.n, 'raw'), { force: true });
  const state = await stateBehind(indexed, o);
  const plain: Segment[] = [];
  for (let n = (last?.n ?? 0) + 1; ; n++) {
    const path = segmentPath(dir, runId, n, 'raw');
    const file = await readFile(path).catch(ignoreMissing);
    if (!file) break;
    const segment = takeUp(n, file, state);
    const isBroken = segment.rawBytes < file.length;
    if (isBroken) {
      const droppedBytes = file.length - segment.rawBytes;
      log.warn({ run_id: runId, file: segmentPath('logs', runId, n, 'raw'), dropped_bytes: droppedBytes }, halfWritten);
      await truncate(path, segment.rawBytes);
      await removeFrom(dir, runId, n + 1);
    }
    if (segment.lastSeq < segment.firstSeq) {
      await removeFrom(dir, runId, n);
      break;
    }
    plain.push(segment);
    if (isBroken) break;
  }
  return { state, indexed, plain };
}

const halfWritten = 'the end of a log file is no whole chunk and was dropped, with the files behind it';

/**
 * What the last segment that can be read says. The lines of those behind it keep their numbers; what the spool still has of
 * them is read again.
 */
async function stateBehind(indexed: readonly Segment[], o: { dir: string; runId: string; log: Logger }) {
  const state = emptyState();
  for (const segment of indexed.toReversed()) {
    try {
      advanceOver(state, (await loadSegment(o.dir, o.runId, segment)).file);
      break;
    } catch (error) {
      if (!(error instanceof DamagedSegment) && errorCode(error) !== 'ENOENT') throw error;
      const file = segmentPath('logs', o.runId, segment.n, segment.encoding);
      o.log.error({ err: error, run_id: o.runId, file }, 'a log goes on behind a file that cannot be read');
    }
  }
  const last = indexed.at(-1);
  return last ? { ...state, lastSeq: last.lastSeq, lastAtUs: last.lastAtUs } : state;
}

function takeUp(n: number, file: Buffer, state: LogState): Segment {
  let rawBytes = 0;
  let first: { seq: number; atUs: number } | undefined;
  while (isWholeChunk(file, rawBytes)) {
    const chunk = readChunk(file, rawBytes);
    advance(state, chunk);
    if (chunk.lineCount > 0) first ??= { seq: chunk.firstSeq, atUs: chunk.firstAtUs };
    rawBytes = chunk.end;
  }
  return {
    n,
    firstSeq: first?.seq ?? state.lastSeq + 1,
    lastSeq: state.lastSeq,
    firstAtUs: first?.atUs ?? state.lastAtUs,
    lastAtUs: state.lastAtUs,
    rawBytes,
    encoding: 'raw',
  };
}

/** Plain files behind a broken one: their lines would leave a gap. */
async function removeFrom(dir: string, runId: string, firstN: number): Promise<void> {
  for (let n = firstN; ; n++) {
    const path = segmentPath(dir, runId, n, 'raw');
    if (!(await rm(path).then(() => true, ignoreMissing))) return;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
