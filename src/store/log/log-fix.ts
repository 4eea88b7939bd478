// Finds the readable chunks in a damaged plain log file, and adds a line wherever lines are missing between them (ADR
// 0082).

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
import { isBehindGap, noStep, standInFor, standInFrom } from './log-stand-in.ts';

/** A plain file as it was read. The bytes are zeros where the disk cannot read the file. */
export type PlainFile = {
  readonly bytes: Buffer;
  readonly isUnreadable: boolean;
};

export type FixedFile = {
  /** Only whole chunks. */
  readonly file: Buffer;
  /** The end of the last chunk that was found. A half-written chunk may follow. */
  readonly wholeBytes: number;
  /** Whether `file` differs from the first `wholeBytes` that were read. */
  readonly isDamaged: boolean;
};

const blockBytes = 4096;
const retryMs = 250;
/** No chunk with lines is larger than this. */
const mostChunkBytes = 512 * 2 ** 10;
/** A line takes at least a newline and two bytes of the table. */
const leastLineBytes = 3;
/** How many places that look like a chunk are tried, because each costs a checksum. */
const mostTries = 1_000;

/**
 * Reads a file past bad blocks. (Node's readFile takes a short read before a bad block for the end of the file.) A
 * block that fails twice is skipped, but not before `retryForMs` have passed: a disk controller may need seconds to
 * reset.
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

/** `afterSeq` and `afterAtUs` belong to the last line before this file. */
export function fix(
  { bytes, isUnreadable: isBad }: PlainFile,
  o: {
    readonly afterSeq: number;
    readonly afterAtUs: number;
    /** The last line of the file, if known. */
    readonly through?: { readonly lastSeq: number; readonly lastAtUs: number };
    /**
     * True if no file follows. The first line number of a following file would tell which lines are missing at the end.
     */
    readonly isLast: boolean;
    /** How users see the names of this file and the one before it. */
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

  // Once a chunk had to be searched for, the following ones may be text that a script printed.
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
      parts.push(standInFor(missing, start > 0 ? o.name : o.nameBefore, 'was damaged'));
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
        ? standInFor({ firstSeq: lastSeq + 1, ...through }, o.name, 'was damaged')
        : standInFrom(lastSeq + 1, lastAtUs + 1, o.name),
    );
  }
  const isDamaged = copiedTo > 0 || parts.length > 0;
  if (!isDamaged) return { file: bytes.subarray(0, end), wholeBytes: end, isDamaged };
  leaveOut(end, end);
  return { file: Buffer.concat(parts), wholeBytes: end, isDamaged };
}

/**
 * The chunk at `from`, where the last one ended. If that is damaged, follows the heads of damaged chunks to the next
 * whole one, so that text printed by a script is never taken for a chunk. 'cut off' when the file ends in the damaged
 * chunk.
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
 * Searches for a place that looks like a chunk of the following lines. It may be text of a damaged chunk that a script
 * has printed.
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

/** Whether so many missing lines fit into the damaged bytes. */
function isPossible(firstSeq: number, damagedBytes: number, lastSeq: number): boolean {
  const missing = firstSeq - lastSeq - 1;
  return Number.isInteger(missing) && missing >= 0 && missing <= damagedBytes / leastLineBytes;
}
