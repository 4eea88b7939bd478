// Finds the readable chunks in a damaged plain log file. Wherever lines are missing between them, adds a line that says
// so (ADR 0082).

import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isUnreadable } from '../../lib/shortage.ts';
import {
  type Chunk,
  fitsItsTable,
  hasHead,
  isInProportion,
  isWholeChunk,
  isWithin,
  magic,
  readChunk,
  withoutSpool,
} from './log-chunk.ts';
import { isBehindGap, noStep, placeholderFor, placeholderFrom } from './log-placeholder.ts';

/** The bytes of a plain file. Bytes that the disk could not read are zeros. */
export type PlainFile = {
  readonly bytes: Buffer;
  readonly isUnreadable: boolean;
};

export type FixedFile = {
  /** Whole chunks only. */
  readonly file: Buffer;
  /** Where the last chunk that was found ends in the original file. A half-written chunk may follow. */
  readonly wholeBytes: number;
  /** Whether `file` differs from the first `wholeBytes` of the original file. */
  readonly isDamaged: boolean;
};

const blockBytes = 4096;
const retryMs = 250;
/** No chunk that contains lines is larger than this. */
const mostChunkBytes = 512 * 2 ** 10;
/** A line takes at least a newline and an entry of two bytes in the table. */
const leastLineBytes = 3;
/** How many places that look like a chunk are checked. Each check computes a checksum. */
const mostTries = 1_000;

/**
 * Reads a file and skips blocks that the disk cannot read. Node's readFile would stop before such a block, because it
 * treats a short read as the end of the file. A block is skipped after it has failed twice and `retryForMs` have
 * passed, because a disk controller may need seconds to reset.
 * @throws the system's error, unless it means that a part of the file cannot be read
 */
export async function readPlain(path: string, retryForMs = 0): Promise<PlainFile> {
  await using file = await open(path);
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.max(1, size));
  let isBad = false;
  let failedAt = -1;
  let retryUntilMs: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    try {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      retryUntilMs ??= performance.now() + retryForMs;
      if (performance.now() < retryUntilMs) await delay(retryMs);
      else if (failedAt === at) {
        isBad = true;
        at += blockBytes - (at % blockBytes);
      } else failedAt = at;
    }
  }
  return { bytes: bytes.subarray(0, size), isUnreadable: isBad };
}

/**
 * Returns the file with all chunks that can be read. `afterSeq` and `afterAtUs` are the number and the time of the last
 * line before this file.
 */
export function fix(
  { bytes, isUnreadable: isBad }: PlainFile,
  o: {
    readonly afterSeq: number;
    readonly afterAtUs: number;
    /** The number and the time of the last line of the file, if they are known. */
    readonly through?: { readonly lastSeq: number; readonly lastAtUs: number };
    /**
     * True if no other file follows. Otherwise the first line number of the next file shows which lines are missing at
     * the end of this one.
     */
    readonly isLast: boolean;
    /** The name of this file and the name of the file before it, as users see them. */
    readonly name: string;
    readonly nameBefore: string;
  },
): FixedFile {
  const { through } = o;
  const throughSeq = through?.lastSeq ?? Number.MAX_SAFE_INTEGER;
  const parts: Buffer[] = [];
  let lastSeq = o.afterSeq;
  let lastAtUs = o.afterAtUs;
  let knownAtUs = o.afterAtUs;
  let end = 0;
  let copiedTo = 0;

  function leaveOut(from: number, to: number): void {
    if (from > copiedTo) parts.push(bytes.subarray(copiedTo, from));
    copiedTo = to;
  }

  // True if the last chunk was found by a search. Then its successor must be searched for, too, because what follows
  // may be text that a script printed.
  let isSearched = false;
  for (;;) {
    const next: Chunk | 'cut off' | undefined = isSearched ? undefined : nextChunk(bytes, end, lastSeq);
    if (next === 'cut off') break;
    const chunk = next ?? searchChunk(bytes, end, { lastSeq, atUs: knownAtUs, throughSeq });
    if (!chunk) break;
    isSearched = !next;
    const { start, firstSeq, firstAtUs, lineCount } = chunk;
    const isGap = isBehindGap(chunk, lastSeq);
    if (isSearched || start > end || isGap) leaveOut(end, isSearched ? chunk.end : start);
    if (isGap) {
      const missing = { firstSeq: lastSeq + 1, lastSeq: firstSeq - 1, lastAtUs: firstAtUs - 1 };
      parts.push(placeholderFor(missing, start > 0 ? o.name : o.nameBefore, 'was damaged'));
    }
    if (isSearched) parts.push(withoutSpool(chunk));
    lastSeq = Math.max(lastSeq, firstSeq + lineCount - 1);
    if (lineCount > 0) lastAtUs = firstAtUs + lineCount - 1;
    if (next) knownAtUs = lastAtUs;
    end = chunk.end;
  }
  const isCut = through ? lastSeq < through.lastSeq : isBad && o.isLast && end < Math.max(1, bytes.length);
  if (isCut) {
    leaveOut(end, end);
    parts.push(
      through
        ? placeholderFor({ firstSeq: lastSeq + 1, ...through }, o.name, 'was damaged')
        : placeholderFrom(lastSeq + 1, lastAtUs + 1, o.name),
    );
  }
  const isDamaged = copiedTo > 0 || parts.length > 0;
  if (!isDamaged) return { file: bytes.subarray(0, end), wholeBytes: end, isDamaged };
  leaveOut(end, end);
  return { file: Buffer.concat(parts), wholeBytes: end, isDamaged };
}

/**
 * Returns the chunk at `from`, where the last chunk ended. If it is damaged, uses the lengths in the heads of damaged
 * chunks to reach the next whole one. Text that a script printed is then never taken for a chunk. Returns 'cut off' if
 * the file ends in the damaged chunk.
 */
function nextChunk(bytes: Buffer, from: number, lastSeq: number): Chunk | 'cut off' | undefined {
  if (isWholeChunk(bytes, from)) return readChunk(bytes, from);
  for (let at = from; hasHead(bytes, at); ) {
    const damaged = readChunk(bytes, at);
    const { firstSeq, firstAtUs, end } = damaged;
    if (firstSeq <= lastSeq || !Number.isSafeInteger(firstSeq) || !Number.isSafeInteger(firstAtUs)) return undefined;
    if (end - at > mostChunkBytes || !isInProportion(damaged)) return undefined;
    if (end >= bytes.length) return 'cut off';
    if (isWholeChunk(bytes, end) && isPossible(readChunk(bytes, end).firstSeq, end - from, lastSeq))
      return readChunk(bytes, end);
    if (!fitsItsTable(damaged)) return undefined;
    at = end;
  }
  return undefined;
}

/**
 * Searches for bytes that look like a chunk with later lines. They may also be text that a script printed, inside a
 * damaged chunk.
 */
function searchChunk(
  bytes: Buffer,
  from: number,
  known: { readonly lastSeq: number; readonly atUs: number; readonly throughSeq: number },
): Chunk | undefined {
  let tries = 0;
  for (let at = bytes.indexOf(magic, from); at >= 0 && tries < mostTries; at = bytes.indexOf(magic, at + 1)) {
    if (!isWithin(bytes, at)) continue;
    const chunk = readChunk(bytes, at);
    const { end, firstSeq, lineCount, firstAtUs, stepId } = chunk;
    if (end - at > mostChunkBytes || lineCount === 0 || stepId === noStep || !isInProportion(chunk)) continue;
    if (!isPossible(firstSeq, at - from, known.lastSeq) || firstSeq + lineCount - 1 > known.throughSeq) continue;
    if (!Number.isSafeInteger(firstAtUs) || firstAtUs < known.atUs) continue;
    tries += 1;
    if (isWholeChunk(bytes, at) && fitsItsTable(chunk)) return chunk;
  }
  return undefined;
}

/** Whether the missing lines could have fitted into the damaged bytes. */
function isPossible(firstSeq: number, damagedBytes: number, lastSeq: number): boolean {
  const missing = firstSeq - lastSeq - 1;
  return Number.isInteger(missing) && missing >= 0 && missing <= damagedBytes / leastLineBytes;
}
