// The files of one log, for its writer. One plain file grows. Files that are full are sealed (log-seal.ts).

import { closeSync, fdatasync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { errorCode } from '../../lib/error-code.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Database } from '../database.ts';
import { createLogSeal, leastCompressedBytes } from './log-seal.ts';
import { makeShard, type Segment, segmentPath } from './log-segment.ts';

/**
 * The numbers and times of the lines in some chunks. If the chunks contain no lines, `lastSeq` is smaller than
 * `firstSeq`.
 */
type LineRange = Pick<Segment, 'firstSeq' | 'lastSeq' | 'firstAtUs' | 'lastAtUs'>;

export type LogFile = ReturnType<typeof openLogFile>;

const fullBytes = 4 * 2 ** 20;
const sync = promisify(fdatasync);

export function openLogFile(o: {
  readonly dir: string;
  readonly runId: string;
  /** This process drives the run in this epoch. */
  readonly epoch: number;
  readonly db: Database;
  readonly log: Logger;
  readonly indexed: readonly Segment[];
  readonly plain: readonly Segment[];
}) {
  const { dir, runId } = o;
  const segments = [...o.indexed, ...o.plain];
  const sealing = createLogSeal({ ...o, left: o.plain.slice(0, -1) });
  const last = o.plain.at(-1);
  let current = last && { segment: last, fd: openPlain(dir, runId, last.n) };
  if (o.plain.length > 1) sealing.start();

  function begin({ firstSeq, firstAtUs }: LineRange): { segment: Segment; fd: number } {
    const n = (segments.at(-1)?.n ?? 0) + 1;
    const fd = openPlain(dir, runId, n);
    const range = { firstSeq, lastSeq: firstSeq - 1, firstAtUs, lastAtUs: firstAtUs };
    const segment: Segment = { n, ...range, rawBytes: 0, encoding: 'raw' };
    segments.push(segment);
    return { segment, fd };
  }

  return {
    segments,
    /** Writes all of the chunks. If it throws, it has written nothing. A new file starts with `head()`. */
    write(chunks: Buffer, lines: LineRange, head: () => Buffer): void {
      current ??= begin(lines);
      const { segment, fd } = current;
      if (segment.rawBytes === 0) segment.rawBytes += writeWhole(fd, head(), 0);
      segment.rawBytes += writeWhole(fd, chunks, segment.rawBytes);
      segment.lastSeq = lines.lastSeq;
      segment.lastAtUs = lines.lastAtUs;
      if (segment.rawBytes < fullBytes) return;
      current = undefined;
      closeSync(fd);
      sealing.add(segment);
      sealing.start();
    },
    /** Returns a promise while too many files wait to be compressed. Await it before the next write. */
    ready: sealing.ready,
    /** Closes the file and waits until every file is in the index. If this fails, it may be called again. */
    async close(): Promise<void> {
      if (current) {
        const { segment, fd } = current;
        current = undefined;
        const hasLines = segment.lastSeq >= segment.firstSeq;
        if (hasLines) sealing.add(segment);
        else rmSync(segmentPath(dir, runId, segment.n, 'raw'), { force: true });
        try {
          if (hasLines && segment.rawBytes < leastCompressedBytes) await sync(fd);
        } finally {
          closeSync(fd);
        }
      }
      await sealing.all();
    },
    /** Closes the file without sealing it, so that the next process can continue it. */
    async release(): Promise<void> {
      if (current) closeSync(current.fd);
      current = undefined;
      await sealing.settled();
    },
  };
}

function openPlain(dir: string, runId: string, n: number): number {
  const path = segmentPath(dir, runId, n, 'raw');
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    makeShard(dir, runId);
    return openSync(path, 'a', 0o600);
  }
}

/** Writes all bytes and returns how many. If a full disk takes only a part of them, removes that part again. */
function writeWhole(fd: number, bytes: Buffer, sizeBefore: number): number {
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  } catch (error) {
    ftruncateSync(fd, sizeBefore);
    throw error;
  }
  return bytes.length;
}
