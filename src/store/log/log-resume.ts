// What an earlier process left of a log: indexed segments, and behind them plain files whose last chunk may be half written.

import { existsSync } from 'node:fs';
import { link, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import { fix, type Mended, type PlainFile, readPlain } from './log-mend.ts';
import { DamagedSegment, loadSegment, plainNames, type Segment, segmentPath } from './log-segment.ts';
import { advance, advanceOver, eachChunk, emptyState, type LogState } from './log-state.ts';

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
 * started has not resumed yet. Nothing is changed.
 */
export async function readSegments(dir: string, db: Database, runId: string): Promise<Segment[]> {
  const segments = await readIndex(db, runId);
  const last = segments.at(-1);
  const state = { ...emptyState(), lastSeq: last?.lastSeq ?? 0, lastAtUs: last?.lastAtUs ?? 0 };
  for await (const plain of plainFiles(dir, runId, (last?.n ?? 0) + 1)) {
    const { segment, fixed } = resumeSegment(runId, plain, state);
    if (segment.lastSeq >= segment.firstSeq) segments.push({ ...segment, rawBytes: fixed.wholeBytes });
  }
  return segments;
}

/**
 * Drops the half-written end of a file: the spool still has it. A file that is damaged elsewhere is written again, with a
 * line that says which lines are missing; what it was is kept beside it.
 */
export async function resumeLog(o: {
  readonly dir: string;
  readonly db: Database;
  readonly runId: string;
  readonly log: Logger;
  /** How long a disk that cannot read a file is asked again before the file is taken for damaged. */
  readonly patienceMs: number;
}): Promise<Resumed> {
  const { dir, runId, log } = o;
  const indexed = await readIndex(o.db, runId);
  const last = indexed.at(-1);
  if (last?.encoding === 'zstd') await rm(segmentPath(dir, runId, last.n, 'raw'), { force: true });
  const state = await stateBehind(indexed, o);
  const plain: Segment[] = [];
  for await (const left of plainFiles(dir, runId, (last?.n ?? 0) + 1, o.patienceMs)) {
    const { n, bytes } = left;
    const { segment, fixed } = resumeSegment(runId, left, state);
    const path = segmentPath(dir, runId, n, 'raw');
    const about = { run_id: runId, file: plainNames(runId, n).name };
    const hasLines = segment.lastSeq >= segment.firstSeq;
    const isCut = fixed.wholeBytes < bytes.length;
    if (fixed.isDamaged || left.isUnreadable || (isCut && !left.isLast)) {
      const kept = await keepDamaged(path, hasLines ? fixed.file : undefined);
      log.error({ ...about, kept_as: basename(kept) }, 'a file of a log is damaged; what can be read of it is used');
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

const halfWritten = 'a log file ended in a half-written chunk, which was dropped';

type LeftFile = PlainFile & { readonly n: number; readonly isLast: boolean };

/** One that is missing, with another behind it, is passed over. */
async function* plainFiles(dir: string, runId: string, firstN: number, patienceMs = 0): AsyncGenerator<LeftFile> {
  for (let n = firstN; ; n++) {
    const plain = await readPlain(segmentPath(dir, runId, n, 'raw'), patienceMs).catch(ignoreMissing);
    const isLast = !existsSync(segmentPath(dir, runId, n + 1, 'raw'));
    if (plain) yield { ...plain, n, isLast };
    else if (isLast) return;
  }
}

/**
 * Keeps a file under another name, which it returns: more of it may be read by other means, or once the disk is sound. Its
 * own name is never without a file if there is `content` to put in its place.
 */
async function keepDamaged(path: string, content: Buffer | undefined): Promise<string> {
  const written = `${path}.mended`;
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

/** Takes what can be read of a plain file into the state. */
function resumeSegment(runId: string, left: LeftFile, state: LogState): { segment: Segment; fixed: Mended } {
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

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
