// Finds what an earlier process has left of a log: segments in the index, and then plain files. The last chunk of the
// last file may be half written.

import { existsSync } from 'node:fs';
import { link, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import { type FixedFile, fix, type PlainFile, readPlain } from './log-fix.ts';
import { readIndex } from './log-index.ts';
import { DamagedSegment, loadSegment, plainNames, type Segment, segmentPath } from './log-segment.ts';
import { advance, advanceOver, eachChunk, emptyState, type LogState } from './log-state.ts';

export type Resumed = {
  readonly state: LogState;
  readonly indexed: readonly Segment[];
  /** The plain segments, in order. The writer can continue the last one. */
  readonly plain: readonly Segment[];
};

/**
 * Returns the readable segments of a log that nobody writes: those in the index, and the plain files of a run that a
 * new server has not resumed yet. Changes nothing.
 */
export async function readSegments(dir: string, db: Database, runId: string): Promise<Segment[]> {
  const segments = await readIndex(db, runId);
  const last = segments.at(-1);
  const state = { ...emptyState(), lastSeq: last?.lastSeq ?? 0, lastAtUs: last?.lastAtUs ?? 0 };
  // ENOTDIR means that somebody has replaced the folder with a file. A reader continues without the folder, but a
  // writer must not.
  for await (const plain of plainFiles(dir, runId, (last?.n ?? 0) + 1, { missing: ['ENOENT', 'ENOTDIR'] })) {
    const { segment, fixed } = resumeSegment(runId, plain, state);
    if (segment.lastSeq >= segment.firstSeq) segments.push({ ...segment, rawBytes: fixed.wholeBytes });
  }
  return segments;
}

/**
 * Prepares a log for its next writer. If the last chunk is half written, removes it, because the spool still has its
 * lines. If a file is damaged elsewhere, rewrites it with a line that says which lines are missing, and keeps the
 * damaged file beside it.
 */
export async function resumeLog(o: {
  readonly dir: string;
  readonly db: Database;
  readonly runId: string;
  readonly log: Logger;
  /** How long to retry after a read error before a file counts as damaged. */
  readonly retryForMs: number;
}): Promise<Resumed> {
  const { dir, runId, log } = o;
  const indexed = await readIndex(o.db, runId);
  const last = indexed.at(-1);
  if (last?.encoding === 'zstd') await rm(segmentPath(dir, runId, last.n, 'raw'), { force: true });
  const state = await stateAfter(indexed, o);
  const plain: Segment[] = [];
  for await (const left of plainFiles(dir, runId, (last?.n ?? 0) + 1, o)) {
    const { n, bytes } = left;
    const { segment, fixed } = resumeSegment(runId, left, state);
    const path = segmentPath(dir, runId, n, 'raw');
    const about = { run_id: runId, file: plainNames(runId, n).name };
    const hasLines = segment.lastSeq >= segment.firstSeq;
    const isCut = fixed.wholeBytes < bytes.length;
    if (fixed.isDamaged || left.isUnreadable || (isCut && !left.isLast)) {
      const kept = await keepDamaged(path, hasLines ? fixed.file : undefined);
      log.error({ ...about, kept_as: basename(kept) }, 'a log file is damaged; flwd keeps the lines that can be read');
    } else {
      if (isCut) log.warn({ ...about, dropped_bytes: bytes.length - fixed.wholeBytes }, halfWritten);
      if (!hasLines) await rm(path);
      else if (isCut) await truncate(path, fixed.wholeBytes);
    }
    if (!hasLines) continue;
    plain.push(segment);
  }
  return { state, indexed, plain };
}

const halfWritten =
  'a log file ended in a half-written chunk; flwd dropped it and reads the lines from the spool again';

type LeftFile = PlainFile & { readonly n: number; readonly isLast: boolean };

/** Yields the plain files, in order. If a file is missing but another one follows, skips the missing one. */
async function* plainFiles(
  dir: string,
  runId: string,
  firstN: number,
  { retryForMs = 0, missing = ['ENOENT'] }: { readonly retryForMs?: number; readonly missing?: readonly string[] },
): AsyncGenerator<LeftFile> {
  for (let n = firstN; ; n++) {
    const plain = await readPlain(segmentPath(dir, runId, n, 'raw'), retryForMs).catch((error: unknown) => {
      if (!missing.includes(errorCode(error) ?? '')) throw error;
    });
    const isLast = !existsSync(segmentPath(dir, runId, n + 1, 'raw'));
    if (plain) yield { ...plain, n, isLast };
    else if (isLast) return;
  }
}

/**
 * Renames a damaged file, because other tools may be able to read more of it, and returns the new name. If there is
 * `content`, it replaces the file in one step, so a file with the original name always exists.
 */
async function keepDamaged(path: string, content: Buffer | undefined): Promise<string> {
  const written = `${path}.fixed`;
  if (content) await writeFile(written, content, { mode: 0o600, flush: true });
  const kept = await linkBeside(path);
  if (content) await rename(written, path);
  else await rm(path);
  return kept;
}

async function linkBeside(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const kept = `${path}.damaged${n > 1 ? n : ''}`;
    try {
      await link(path, kept);
      return kept;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/**
 * Returns the state at the end of the last segment that can be read. If segments after it cannot be read, the numbers
 * of their lines are not used again. If the spool still has these lines, they are stored again with new numbers.
 */
async function stateAfter(indexed: readonly Segment[], o: { dir: string; runId: string; log: Logger }) {
  const state = emptyState();
  for (const segment of indexed.toReversed()) {
    try {
      advanceOver(state, (await loadSegment(o.dir, o.runId, segment)).file);
      break;
    } catch (error) {
      if (!(error instanceof DamagedSegment) && errorCode(error) !== 'ENOENT') throw error;
      const file = segmentPath('logs', o.runId, segment.n, segment.encoding);
      o.log.error({ err: error, run_id: o.runId, file }, 'a log file cannot be read; the log continues after it');
    }
  }
  const last = indexed.at(-1);
  return last ? { ...state, lastSeq: last.lastSeq, lastAtUs: last.lastAtUs } : state;
}

/** Updates the state with the readable chunks of a plain file, and describes the file as a segment. */
function resumeSegment(runId: string, left: LeftFile, state: LogState): { segment: Segment; fixed: FixedFile } {
  const { lastSeq: afterSeq, lastAtUs: afterAtUs } = state;
  const { isLast } = left;
  const fixed = fix(left, { afterSeq, afterAtUs, isLast, ...plainNames(runId, left.n) });
  let firstAtUs: number | undefined;
  eachChunk(fixed.file, (chunk) => {
    advance(state, chunk);
    if (chunk.lineCount > 0) firstAtUs ??= chunk.firstAtUs;
  });
  const segment: Segment = {
    n: left.n,
    firstSeq: afterSeq + 1,
    lastSeq: state.lastSeq,
    firstAtUs: firstAtUs ?? afterAtUs,
    lastAtUs: state.lastAtUs,
    rawBytes: fixed.file.length,
    encoding: 'raw',
  };
  return { segment, fixed };
}
