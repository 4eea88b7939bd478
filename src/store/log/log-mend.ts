// Finds the chunks that can be read in a plain log file, and puts a line that says so where lines are missing between them.

import { open } from 'node:fs/promises';
import { isUnreadable } from '../../lib/shortage.ts';
import { type Chunk, isWholeChunk, isWithin, magic, readChunk } from './log-chunk.ts';
import { isBehindGap, standInFor, standInFrom } from './log-stand-in.ts';

/** Bytes of a place that the disk cannot read are zeros. */
export type PlainFile = {
  readonly bytes: Buffer;
  readonly isUnreadable: boolean;
};

export type Mended = {
  /** Whole chunks only. */
  readonly file: Buffer;
  /** The end of the last chunk that was found. Behind it there may be one that was being written. */
  readonly wholeBytes: number;
  /** Whether `file` is not the first `wholeBytes` of what was read. */
  readonly isDamaged: boolean;
};

const blockBytes = 4096;
/** Larger than any chunk that has lines. */
const mostChunkBytes = 512 * 2 ** 10;
/** A line takes a newline and two bytes of the table. */
const leastLineBytes = 3;
/** Places that look like a chunk cost a sum each. */
const mostTries = 1_000;

/**
 * Node's readFile takes a read that ends before a bad place for the end of the file. What cannot be read twice is skipped.
 * @throws the system's error unless it says that a part of the file cannot be read
 */
export async function readPlain(path: string): Promise<PlainFile> {
  await using file = await open(path);
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.max(1, size));
  let isBad = false;
  let failedAt = -1;
  for (let at = 0; at < bytes.length; ) {
    try {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      if (failedAt === at) {
        isBad = true;
        at += blockBytes - (at % blockBytes);
      } else failedAt = at;
    }
  }
  return { bytes: bytes.subarray(0, size), isUnreadable: isBad };
}

/** `afterSeq` and `afterAtUs` are the last line before the file. */
export function fix(
  { bytes, isUnreadable: isBad }: PlainFile,
  o: {
    readonly afterSeq: number;
    readonly afterAtUs: number;
    /** The last line of the file, where that is known. */
    readonly through?: { readonly lastSeq: number; readonly lastAtUs: number };
    /** No file is behind it, whose number of the first line would say what is missing at the end of this one. */
    readonly isLast: boolean;
    /** As it is named to users: this file, and the one before it. */
    readonly name: string;
    readonly nameBefore: string;
  },
): Mended {
  const parts: Buffer[] = [];
  let lastSeq = o.afterSeq;
  let lastAtUs = o.afterAtUs;
  let end = 0;
  let copiedTo = 0;

  function leaveOut(from: number, to: number): void {
    if (from > copiedTo) parts.push(bytes.subarray(copiedTo, from));
    copiedTo = to;
  }

  for (let chunk = chunkFrom(bytes, end, lastSeq); chunk; chunk = chunkFrom(bytes, end, lastSeq)) {
    const { start, firstSeq, firstAtUs, lineCount } = chunk;
    const isGap = isBehindGap(chunk, lastSeq);
    if (start > end || isGap) leaveOut(end, start);
    if (isGap) {
      const missing = { firstSeq: lastSeq + 1, lastSeq: firstSeq - 1, lastAtUs: firstAtUs - 1 };
      parts.push(standInFor(missing, start > 0 ? o.name : o.nameBefore, 'was damaged'));
    }
    lastSeq = Math.max(lastSeq, firstSeq + lineCount - 1);
    if (lineCount > 0) lastAtUs = firstAtUs + lineCount - 1;
    end = chunk.end;
  }
  const { through } = o;
  const isCut = through ? lastSeq < through.lastSeq : isBad && o.isLast && end < Math.max(1, bytes.length);
  if (isCut) {
    leaveOut(end, end);
    parts.push(
      through
        ? standInFor({ firstSeq: lastSeq + 1, ...through }, o.name, 'was damaged')
        : standInFrom(lastSeq + 1, lastAtUs + 1, o.name),
    );
  }
  const isDamaged = copiedTo > 0 || parts.length > 0;
  if (!isDamaged) return { file: bytes.subarray(0, end), wholeBytes: end, isDamaged };
  leaveOut(end, end);
  return { file: Buffer.concat(parts), wholeBytes: end, isDamaged };
}

/** The chunk at `from` or, where that is damaged, the next one that is whole. */
function chunkFrom(bytes: Buffer, from: number, lastSeq: number): Chunk | undefined {
  if (isWholeChunk(bytes, from)) return readChunk(bytes, from);
  let tries = 0;
  // Where the chunk itself says that it ends, before any place in its text: a script may print what looks like a chunk.
  if (isWithin(bytes, from)) {
    const { end } = readChunk(bytes, from);
    if (isLaterChunk(bytes, end, from, lastSeq)) return readChunk(bytes, end);
  }
  for (let at = bytes.indexOf(magic, from + 1); at >= 0 && tries < mostTries; at = bytes.indexOf(magic, at + 1)) {
    if (!isWithin(bytes, at)) continue;
    const { end, firstSeq, lineCount } = readChunk(bytes, at);
    if (end - at > mostChunkBytes || lineCount === 0 || !isPossible(firstSeq, at - from, lastSeq)) continue;
    tries += 1;
    if (isWholeChunk(bytes, at)) return readChunk(bytes, at);
  }
  return undefined;
}

function isLaterChunk(bytes: Buffer, at: number, from: number, lastSeq: number): boolean {
  return isWholeChunk(bytes, at) && isPossible(readChunk(bytes, at).firstSeq, at - from, lastSeq);
}

/** The damaged bytes between held no more lines than fit into them. */
function isPossible(firstSeq: number, damagedBytes: number, lastSeq: number): boolean {
  const missing = firstSeq - lastSeq - 1;
  return Number.isInteger(missing) && missing >= 0 && missing <= damagedBytes / leastLineBytes;
}
