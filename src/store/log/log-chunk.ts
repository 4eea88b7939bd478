// A chunk is the unit of a log file. It contains lines of one attempt that were stored together. Its head is used to
// find and filter the lines, and to continue the log after a restart. ADR 0005 describes the layout.

import { crc32 } from 'node:zlib';
import type { LogLevel } from '../../domain/log-line.ts';
import { logLevels } from '../../domain/log-line.ts';

/**
 * How much of an attempt's spool is in the log: everything before `offset`, and `aheadBytes` of the output that
 * follows. `aheadBytes` is counted after redaction, so in the spool itself the number of bytes may differ.
 */
export type SpoolPosition = { readonly offset: number; readonly aheadBytes: number };

export type ChunkHead = {
  readonly firstSeq: number;
  readonly lineCount: number;
  /** The time of the first line, in microseconds. Each later line is dated one microsecond after the line before it. */
  readonly firstAtUs: number;
  readonly highestLevel: number;
  readonly attempt: number;
  readonly stepId: string;
  readonly spool: SpoolPosition;
};

/**
 * A chunk in a file. Its text consists of the lines, each with a newline. Its table has the flags and the length of
 * each line.
 */
export type Chunk = ChunkHead & {
  readonly file: Buffer;
  readonly start: number;
  readonly textStart: number;
  readonly textEnd: number;
  readonly end: number;
};

/** The first byte of a chunk. */
export const magic = 0xf1;
/**
 * The size of the head without the step id: magic, level, step id bytes, CRC, chunk bytes, lines, text bytes, attempt,
 * ahead, 3 doubles.
 */
const fixedHeadBytes = 52;
const unknownOffset = -1;
const newline = 0x0a;

/** The bits of a line's flags that contain the index of its level. */
export const levelBits = 0b0111;
export const stderrFlag = 0b1000;
/** The line is JSON with a level and a message. */
export const structuredFlag = 0b1_0000;
/** The line was printed while no server read the spool. */
export const recoveredFlag = 0b10_0000;

/** The key of an attempt's spool. It is unique within the run. */
export function spoolKey({ stepId, attempt }: { readonly stepId: string; readonly attempt: number }): string {
  return `${stepId} ${attempt}`;
}

export function levelOf(flags: number): LogLevel {
  return logLevels[flags & levelBits] ?? 'info';
}

const ownFlags = stderrFlag | logLevels.indexOf('warn');

/**
 * Whether flwd itself added the line, as a warning on standard error. No line of a program has these flags: what a
 * program prints to standard error is an error, or JSON with a level.
 */
export function isOwnLine(flags: number): boolean {
  return (flags & (levelBits | stderrFlag | structuredFlag)) === ownFlags;
}

export function textStartOf(chunkStart: number, stepId: string): number {
  return chunkStart + fixedHeadBytes + Buffer.byteLength(stepId);
}

/** Writes the head of a chunk whose text and table are already in place. */
export function writeHead(out: Buffer, start: number, end: number, textBytes: number, head: ChunkHead): void {
  const stepIdBytes = out.write(head.stepId, start + fixedHeadBytes);
  out[start] = magic;
  out[start + 1] = head.highestLevel;
  out.writeUInt16LE(stepIdBytes, start + 2);
  out.writeUInt32LE(end - start, start + 8);
  out.writeUInt32LE(head.lineCount, start + 12);
  out.writeUInt32LE(textBytes, start + 16);
  out.writeUInt32LE(head.attempt, start + 20);
  out.writeUInt32LE(head.spool.aheadBytes, start + 24);
  out.writeDoubleLE(head.firstSeq, start + 28);
  out.writeDoubleLE(head.firstAtUs, start + 36);
  out.writeDoubleLE(head.spool.offset, start + 44);
  writeSum(out, start, end);
}

function writeSum(out: Buffer, start: number, end: number): void {
  out.writeUInt32LE(crc32(out.subarray(start + 8, end)), start + 4);
}

/** Returns a copy of the chunk, without the position in the spool. */
export function withoutSpool({ file, start, end }: Chunk): Buffer {
  const copy = Buffer.from(file.subarray(start, end));
  copy.writeUInt32LE(0, 24);
  copy.writeDoubleLE(unknownOffset, 44);
  writeSum(copy, 0, copy.length);
  return copy;
}

export function saysSpool({ spool }: ChunkHead): boolean {
  return spool.offset !== unknownOffset;
}

export function readChunk(file: Buffer, start: number): Chunk {
  const textStart = start + fixedHeadBytes + file.readUInt16LE(start + 2);
  return {
    file,
    start,
    end: chunkEnd(file, start),
    textStart,
    textEnd: textStart + file.readUInt32LE(start + 16),
    highestLevel: file[start + 1] ?? 0,
    lineCount: lineCountAt(file, start),
    attempt: file.readUInt32LE(start + 20),
    firstSeq: firstSeqAt(file, start),
    firstAtUs: file.readDoubleLE(start + 36),
    stepId: file.toString('utf8', start + fixedHeadBytes, textStart),
    spool: { offset: file.readDoubleLE(start + 44), aheadBytes: file.readUInt32LE(start + 24) },
  };
}

/** Whether the lines belong to a step. The line of a placeholder does not (log-placeholder.ts). */
export function hasStepId(file: Buffer, start: number): boolean {
  return file.readUInt16LE(start + 2) > 0;
}

export function chunkEnd(file: Buffer, start: number): number {
  return start + file.readUInt32LE(start + 8);
}

export function lineCountAt(file: Buffer, start: number): number {
  return file.readUInt32LE(start + 12);
}

export function firstSeqAt(file: Buffer, start: number): number {
  return file.readDoubleLE(start + 28);
}

/** Whether the whole chunk is in the file and undamaged. A killed process may have written only a part of it. */
export function isWholeChunk(file: Buffer, start: number): boolean {
  if (!isWithin(file, start)) return false;
  return crc32(file.subarray(start + 8, chunkEnd(file, start))) === file.readUInt32LE(start + 4);
}

/** Whether a chunk begins at `start` and ends within the file. Its checksum is not verified. */
export function isWithin(file: Buffer, start: number): boolean {
  if (!hasHead(file, start)) return false;
  const end = chunkEnd(file, start);
  return end >= start + fixedHeadBytes && end <= file.length;
}

/** An entry of the table has one byte for the flags and one to five bytes for the length. */
const leastEntryBytes = 2;
const mostEntryBytes = 6;

/** Whether the length of the chunk is possible for its text and its number of lines. */
export function isInProportion({ start, textStart, textEnd, end, lineCount }: Chunk): boolean {
  const tableBytes = end - textEnd;
  return (
    textStart >= start + fixedHeadBytes &&
    textEnd - textStart >= lineCount &&
    tableBytes >= lineCount * leastEntryBytes &&
    tableBytes <= lineCount * mostEntryBytes
  );
}

/** Whether the table ends where the chunk ends, and the lengths in it add up to the length of the text. */
export function fitsItsTable(chunk: Chunk): boolean {
  if (!isInProportion(chunk)) return false;
  const { file, textStart, textEnd, end, lineCount } = chunk;
  let text = textStart;
  let at = textEnd;
  for (let n = 0; n < lineCount && at < end; n++) {
    at += 1;
    let shift = 1;
    let byte: number;
    do {
      byte = file[at++] ?? 0;
      text += (byte & 0x7f) * shift;
      shift *= 128;
    } while (byte >= 0x80 && at < end);
    if (file[text++] !== newline) return false;
  }
  return at === end && text === textEnd;
}

/** Whether a chunk may begin at `start`. The file may end before the chunk does. */
export function hasHead(file: Buffer, start: number): boolean {
  return start + fixedHeadBytes <= file.length && file[start] === magic;
}

/** Some lines of a chunk. Their index is at least `from` and below `until`, and `isWanted` accepts them. */
export type ChunkPart = {
  readonly chunk: Chunk;
  readonly from: number;
  readonly until: number;
  readonly isWanted?: ((flags: number, start: number, end: number) => boolean) | undefined;
};

/** Calls `visit` for each line with its start and end in the file, without its newline. */
export function eachLine(
  { chunk, from, until, isWanted }: ChunkPart,
  visit: (index: number, flags: number, start: number, end: number) => void,
): void {
  const { file } = chunk;
  let start = chunk.textStart;
  let at = chunk.textEnd;
  for (let index = 0; index < until; index++) {
    const flags = file[at++] ?? 0;
    let byte = file[at++] ?? 0;
    let length = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = file[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    const end = start + length;
    if (index >= from && (!isWanted || isWanted(flags, start, end))) visit(index, flags, start, end);
    start = end + 1;
  }
}
